"""Panels whose series all end at one cutoff: what a run needs when some series stopped reporting. It must not invent values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from forecast.core.arrays import FloatArray
from forecast.core.categories import recoded, recoded_future, vocabulary_of
from forecast.core.errors import UsageError
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel


def extend_to(panel: Panel, cutoff: int, known: KnownFuture | None = None) -> Panel:
    """Returns the panel with every series continued by missing values up to the cutoff, so that step 1 of all is cutoff + 1.

    Args:
        panel: No series ends after the cutoff.
        cutoff: Ordinal of the last row of every series.
        known: Where it has rows for the steps added, they are taken from it; known covariates are missing otherwise.

    Raises:
        UsageError: a series that ends after the cutoff; cut it with `until` first.
    """
    added = cutoff - panel.ends
    if (added < 0).any():
        raise UsageError(f"{int((added < 0).sum())} series end after the cutoff {cutoff}; cut them with `until` first")
    if not added.any():
        return panel
    lengths = panel.lengths + added
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    rows = np.arange(panel.rows) + np.repeat(offsets[:-1] - panel.offsets[:-1], panel.lengths)

    def placed(values: FloatArray) -> FloatArray:
        out = np.full((int(offsets[-1]), *values.shape[1:]), np.nan)
        out[rows] = values
        return out

    if known is not None:
        panel, known = _one_list(panel, known)
    longer = placed(panel.known)
    if known is not None and panel.roles.known:
        position = np.repeat(np.arange(len(panel)), added)
        row = np.arange(len(position)) - np.repeat(np.cumsum(added) - added, added) + (offsets[:-1] + panel.lengths)[position]
        steps = panel.starts[position] + row - offsets[position]
        longer[row] = known.window(panel.ids[position], steps, 1)[:, 0]
    return replace(panel, offsets=offsets, y=placed(panel.y), known=longer, past=placed(panel.past))


def _one_list(panel: Panel, known: KnownFuture) -> tuple[Panel, KnownFuture]:
    """Both with the names of their categorical covariates as places in one list for each, which has the names of both."""
    own, theirs = vocabulary_of(panel), dict(known.vocabulary)
    both = {name: tuple(sorted({*texts, *theirs.get(name, ())})) for name, texts in own.items()}
    return recoded(panel, both), recoded_future(known, both)
