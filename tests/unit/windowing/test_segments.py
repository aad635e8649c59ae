"""Segments cut by one gather equal what indexing each series gives, whatever its neighbours hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.windowing.segments import SegmentReader


def _panel(huge: float) -> Panel:
    """A series of huge values before one of ordinary values with a gap."""
    own = [3.0, np.nan, -5.0, 2.0, 8.0, 1.0]
    frames = [pd.DataFrame({"unique_id": name, "ds": np.arange(len(y)), "y": y}) for name, y in (("a", [huge] * 40), ("b", own))]
    return Panel.from_frame(pd.concat(frames), Frequency.parse("integer"))


@pytest.mark.parametrize("huge", [1.0, 1e17, 1e308])
def test_statistics_are_those_of_the_rows_before_and_of_no_other_series(huge: float) -> None:
    panel = _panel(huge)
    own = panel.series(1)
    for first in range(7):
        segments = SegmentReader.of(panel).read(np.array([1]), np.array([first]), lead=0, steps=2, horizon=1)
        before = own[:first][~np.isnan(own[:first])]
        expected = [len(before), np.abs(before).mean() if len(before) else 0.0]
        np.testing.assert_allclose(segments.statistics[0], expected, rtol=1e-12)


def test_rows_outside_the_series_are_missing() -> None:
    panel = _panel(1.0)
    segments = SegmentReader.of(panel).read(np.array([1]), np.array([4]), lead=6, steps=1, horizon=3)
    np.testing.assert_array_equal(segments.y[0], [np.nan, np.nan, 3.0, np.nan, -5.0, 2.0, 8.0, 1.0, np.nan, np.nan])
