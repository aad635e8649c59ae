"""Segments of series as dense arrays: one gather from the panel's flat columns, no Python per series.

A segment is T steps of a series with L rows of lead before and H rows of targets after it. It must not know tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from forecast.core.arrays import BoolArray, FloatArray, IntArray
from forecast.core.panel import Panel
from forecast.windowing.calendar import CalendarTable


class Segments(NamedTuple):
    """B segments. y [B, L + T + H], known [B, T + H, K], past [B, T, P], static [B, S]: NaN where there is no row or no value.

    statistics: count and mean of |y| of the observed rows before the segment. Shape [B, 2].
    """

    y: FloatArray
    known: FloatArray
    past: FloatArray
    static: FloatArray
    statistics: FloatArray


@final
@dataclass(frozen=True, slots=True, eq=False)
class SegmentReader:
    """Cuts segments out of a panel.

    observed, absolute: number of observed values and sum of |y| / peak before each flat row, running over the whole panel. They
    serve differences inside one series only; measured in its own peak, no series is too large or too small for its neighbours.
    Shape [rows + 1].
    peak: largest |y| of each series, data units; 1 where nothing but 0 was observed. Shape [N].
    calendar: what every step is told of its place in the calendar, after the panel's own known covariates.
    """

    panel: Panel
    observed: FloatArray
    absolute: FloatArray
    peak: FloatArray
    calendar: CalendarTable

    @classmethod
    def of(cls, panel: Panel, cycles: tuple[str, ...] = ()) -> SegmentReader:
        """Returns the reader of a panel, which tells every step its place in the given cycles of the calendar."""
        seen = ~np.isnan(panel.y)
        size = np.where(seen, np.abs(panel.y), 0.0)
        largest = np.maximum.reduceat(size, panel.offsets[:-1]) if len(panel) else np.zeros(0)
        peak = np.where(largest > 0, largest, 1.0)
        zero = np.zeros(1)
        counts = np.concatenate([zero, np.cumsum(seen, dtype=np.float64)])
        return cls(panel, counts, np.concatenate([zero, np.cumsum(size / np.repeat(peak, panel.lengths))]), peak,
                   CalendarTable(panel.frequency, cycles, panel.calendar))  # fmt: skip

    def read(self, series: IntArray, first: IntArray, *, lead: int, steps: int, horizon: int) -> Segments:
        """Returns the segments whose step 0 is row `first[b]` of series `series[b]`.

        Args:
            series: Positions in the panel. Shape [B].
            first: Row inside the series; may be negative or beyond its end. Shape [B].
            lead: L, rows before step 0.
            steps: T.
            horizon: H, rows after the last step.
        """
        panel = self.panel
        begin, length = panel.offsets[series], panel.lengths[series]

        def rows(start: int, stop: int) -> tuple[IntArray, BoolArray]:
            """Flat rows and, as a mask, whether they belong to the series."""
            place = first[:, None] + np.arange(start, stop)
            inside = (place >= 0) & (place < length[:, None])
            return np.where(inside, begin[:, None] + place, 0), inside

        flat, inside = rows(-lead, steps + horizon)
        y = np.where(inside, panel.y[flat], np.nan)
        ahead, ahead_inside = rows(0, steps + horizon)
        known = np.where(ahead_inside[..., None], panel.known[ahead], np.nan)
        known = self.calendar.beside(known, (panel.starts[series] + first)[:, None] + np.arange(steps + horizon))
        past = np.where(ahead_inside[:, :steps, None], panel.past[ahead[:, :steps]], np.nan)
        before = begin + np.clip(first, 0, length)
        count = self.observed[before] - self.observed[begin]
        mean = (self.absolute[before] - self.absolute[begin]) / np.maximum(count, 1) * self.peak[series]
        return Segments(y, known, past, panel.static[series], np.stack([count, mean], axis=1))
