"""What a fit keeps back of its own training panel, to choose with: the end of every series, a third of it at the most.

Numbers of steps, weights of members and widths of intervals are chosen here, so the test part never is. It must not know models.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.panel import Panel

WINDOWS_WANTED = 400  # series times cutoffs: fewer say little, more cost time
LARGEST_SHARE = 0.2  # of the median length, for windows beyond the first


class Holdout(NamedTuple):
    """The split of a training panel into what is learned from and what judges.

    ends: ordinal of the last row of each series to learn from. Shape [N].
    cutoffs: ordinals to forecast from, ascending; before the series' start where it has none. Shape [N, W].
    """

    ends: IntArray
    cutoffs: IntArray

    def rows(self, panel: Panel) -> tuple[IntArray, IntArray]:
        """Returns the pairs that judge: positions of series and ordinals of cutoffs, each [R], in the order of the cutoffs."""
        series, window = np.nonzero(self.cutoffs >= panel.starts[:, None])
        return series, self.cutoffs[series, window]


def hold_out(panel: Panel, horizon: int) -> Holdout:
    """Returns the split of a panel.

    Every series gives up its last H rows, or a third of its rows where that is less, so that a short series still has a history to
    forecast from. Panels of few long series give up more than one window of H rows: until there are WINDOWS_WANTED windows in all, or
    LARGEST_SHARE of the median length is used up. Series with one row, or without an observed value before the cutoff, give nothing.

    Args:
        panel: The training part.
        horizon: H.
    """
    if not len(panel):
        return Holdout(panel.ends, np.zeros((0, 1), dtype=np.int64))
    windows = max(min(-(-WINDOWS_WANTED // len(panel)), int(LARGEST_SHARE * np.median(panel.lengths) / horizon)), 1)
    spare = np.where(panel.lengths > 1, np.maximum(panel.lengths // 3, 1), 0)
    short = spare < horizon
    own = np.where(short, 1, np.minimum(spare // horizon, windows))
    back = np.where(short[:, None], spare[:, None], horizon * np.arange(windows, 0, -1))  # rows between a cutoff and the end
    exists = (np.arange(windows, 0, -1) <= own[:, None]) & (spare > 0)[:, None]
    cutoffs = np.where(exists, panel.ends[:, None] - back, panel.starts[:, None] - 1)
    cutoffs = np.where(cutoffs >= first_observed(panel)[:, None], cutoffs, panel.starts[:, None] - 1)
    ends = panel.ends - np.where(short, spare, horizon * own)
    return Holdout(ends, cutoffs)


def first_observed(panel: Panel) -> IntArray:
    """Returns the ordinal of each series' first observed value; one after its end where it has none. Shape [N]."""
    position = np.where(np.isnan(panel.y), panel.rows, np.arange(panel.rows))
    if not len(panel):
        return np.zeros(0, dtype=np.int64)
    first = np.minimum.reduceat(position, panel.offsets[:-1])
    return np.asarray(panel.starts + np.minimum(first - panel.offsets[:-1], panel.lengths))


def targets_after(panel: Panel, series: IntArray, cutoffs: IntArray, horizon: int) -> FloatArray:
    """Returns the observations of the H steps after each cutoff, data units, NaN where missing or beyond the end. Shape [R, H]."""
    row = (cutoffs - panel.starts[series])[:, None] + np.arange(1, horizon + 1)
    inside = (row >= 0) & (row < panel.lengths[series][:, None])
    place = panel.offsets[series][:, None] + np.where(inside, row, 0)
    return np.where(inside, panel.y[np.minimum(place, max(panel.rows - 1, 0))], np.nan)
