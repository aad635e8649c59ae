"""The checks that every baseline makes of its shared arguments. It must not know any model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.core.errors import ModelError, UsageError
from forecast.core.panel import Panel


def checked_arguments(
    horizon: int, levels: Sequence[float], season_lengths: Sequence[int]
) -> tuple[int, tuple[float, ...], tuple[int, ...]]:
    """Returns horizon, ascending levels and ascending season lengths above 1, as plain Python values.

    Raises:
        UsageError: a horizon or season length below 1, no levels, or levels that do not ascend between 0 and 1.
    """
    if horizon < 1:
        raise UsageError(f"horizon is {horizon}: a forecast has at least 1 step")
    plain = tuple(float(level) for level in levels)
    ascending = all(a < b for a, b in zip((0.0, *plain), (*plain, 1.0), strict=True))
    if not plain or not ascending:
        raise UsageError(f"levels are {list(plain)}: give ascending quantile levels between 0 and 1, such as 0.1, 0.5, 0.9")
    if any(m < 1 for m in season_lengths):
        raise UsageError(f"season lengths are {list(season_lengths)}: each must be at least 1 step")
    return int(horizon), plain, tuple(sorted({int(m) for m in season_lengths if m > 1}))


def refuse_unobserved(panel: Panel, model: str) -> None:
    """Raises ModelError where a series has no observed value at all: nothing honest can be said about its future."""
    observed = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.isfinite(panel.y))])
    empty = observed[panel.offsets[1:]] == observed[panel.offsets[:-1]]
    if empty.any():
        names = [str(i) for i in panel.ids[empty][:5]]
        raise ModelError(
            f"{model}: no observed value in {int(empty.sum())} series, among them {names}; quarantine them before forecasting"
        )
