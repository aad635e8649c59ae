"""Panels put together from others: new and corrected rows laid over older ones, and several groups of series as one panel.

It must not invent values: a step that nobody has a row for is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.panel import Panel


def spliced(older: Panel, newer: Panel, firsts: IntArray, lasts: IntArray, blanks: bool = True) -> Panel:
    """Returns rows firsts[i]...lasts[i] of each series: the newer ones where there are any, else the older ones, else missing.

    Args:
        older, newer: The same N series; the static covariates are those of `newer`.
        firsts, lasts: Ordinals, firsts[i] <= lasts[i]. Shape [N].
        blanks: Whether rows of `newer` without any value count: they take away what `older` has there.
    """
    offsets = _offsets(lasts - firsts + 1)
    places = [(panel, *_places(panel, offsets[:-1], firsts, lasts)) for panel in (older, newer)]
    if not blanks:
        _, rows, place = places[1]
        some = ~np.isnan(np.concatenate([newer.y[rows, None], newer.known[rows], newer.past[rows]], axis=1)).all(axis=1)
        places[1] = (newer, rows[some], place[some])

    def laid(name: str) -> FloatArray:
        out = np.full((int(offsets[-1]), *getattr(newer, name).shape[1:]), np.nan)
        for panel, rows, place in places:
            out[place] = getattr(panel, name)[rows]
        return out

    return replace(newer, offsets=offsets, starts=firsts, y=laid("y"), known=laid("known"), past=laid("past"))


def joined(panels: Sequence[Panel]) -> tuple[Panel, IntArray]:
    """Returns the series of several panels as one, in the order of their ids, and where each of them came from.

    Args:
        panels: At least one; of one frequency and the same covariates, no series twice.

    Returns:
        The panel, and for each series its position among those of the panels end to end. Shape [N].
    """
    ids = np.concatenate([panel.ids for panel in panels])
    order = np.argsort(ids, kind="stable")
    if len(panels) == 1:
        return panels[0], order
    lengths = np.concatenate([panel.lengths for panel in panels])
    begins, offsets = _offsets(lengths)[:-1], _offsets(lengths[order])
    rows = np.repeat(begins[order] - offsets[:-1], lengths[order]) + np.arange(offsets[-1])

    def gathered(name: str, positions: IntArray) -> FloatArray:
        values: FloatArray = np.concatenate([getattr(panel, name) for panel in panels])[positions]
        return values

    whole = replace(panels[0], ids=ids[order], offsets=offsets, starts=np.concatenate([panel.starts for panel in panels])[order],
                    y=gathered("y", rows), known=gathered("known", rows), past=gathered("past", rows), static=gathered("static", order))  # fmt: skip
    return whole, order


def _places(panel: Panel, begins: IntArray, firsts: IntArray, lasts: IntArray) -> tuple[IntArray, IntArray]:
    """The flat rows of a panel that lie between the ordinals, and their rows in panel that has just these, beginning at `begins`."""
    low = np.clip(firsts - panel.starts, 0, panel.lengths)
    count = np.clip(lasts + 1 - panel.starts, low, panel.lengths) - low
    within = np.arange(count.sum()) - np.repeat(_offsets(count)[:-1], count)
    rows = within + np.repeat(panel.offsets[:-1] + low, count)
    return rows, within + np.repeat(begins + panel.starts + low - firsts, count)


def _offsets(lengths: IntArray) -> IntArray:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
