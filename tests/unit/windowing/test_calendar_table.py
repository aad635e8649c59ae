"""What every step of a segment is told of its place in the calendar."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.windowing.calendar import CalendarTable, calendar_features, repeated_cycles
from forecast.windowing.segments import SegmentReader

DAILY = Frequency.parse("D", (7,))


def test_the_table_gives_the_features_of_each_ordinal_whatever_was_asked_before() -> None:
    names = ("day_of_week", "day_of_year")
    table = CalendarTable(DAILY, names)
    for ordinals in (np.arange(100, 120)[None], np.array([[5000, 4000], [-3, 100]]), np.arange(90, 95)[:, None]):
        known = np.full((*ordinals.shape, 1), 7.0)
        _, expected = calendar_features(DAILY, ordinals.reshape(-1), names)
        found = table.beside(known, ordinals)
        np.testing.assert_array_equal(found[..., 0], 7.0)
        np.testing.assert_array_equal(found[..., 1:], expected.reshape(*ordinals.shape, -1))


def test_a_cycle_is_told_only_where_the_history_passes_through_it_repeatedly() -> None:
    assert repeated_cycles(DAILY, 5) == ()
    assert repeated_cycles(DAILY, 20) == ("day_of_week",)
    assert repeated_cycles(DAILY, 100) == ("day_of_week", "day_of_month")
    assert repeated_cycles(DAILY, 700) == ("day_of_week", "day_of_month", "day_of_year")
    assert repeated_cycles(Frequency.parse("MS", (12,)), 60) == ("month_of_year", "quarter_of_year")
    assert repeated_cycles(Frequency.parse("integer", ()), 1000) == ()


def test_segments_know_the_calendar_behind_their_own_known_covariates_also_beyond_the_end() -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=10, freq="D"), "y": 1.0, "promo": 3.0})
    panel = Panel.from_frame(frame, DAILY, Roles(known=("promo",)))
    reader = SegmentReader.of(panel, ("day_of_week",))
    segments = reader.read(np.array([0]), np.array([6]), lead=2, steps=4, horizon=3)
    assert segments.known.shape == (1, 7, 3)
    np.testing.assert_array_equal(np.isnan(segments.known[0, :, 0]), [False] * 4 + [True] * 3)
    _, expected = calendar_features(DAILY, panel.starts[0] + 6 + np.arange(7), ("day_of_week",))
    np.testing.assert_array_equal(segments.known[0, :, 1:], expected)
