"""Calendar features against pandas' own calendar."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.core.frequency import Frequency
from forecast.windowing.calendar import calendar_features, cycles


def by_pandas(stamps: pd.DatetimeIndex, cycle: str) -> np.ndarray:
    """The position in a cycle as a share of it, from the accessors of pandas."""
    shares = {
        "hour_of_day": (stamps.hour * 3600 + stamps.minute * 60 + stamps.second) / 86400,
        "day_of_week": stamps.dayofweek / 7,
        "day_of_month": (stamps.day - 1) / stamps.days_in_month,
        "day_of_year": (stamps.dayofyear - 1) / np.where(stamps.is_leap_year, 366, 365),
        "month_of_year": (stamps.month - 1) / 12,
        "quarter_of_year": (stamps.quarter - 1) / 4,
    }
    return np.asarray(shares[cycle], dtype=np.float64)


@pytest.mark.parametrize(
    "alias", ["s", "15min", "h", "6h", "D", "3D", "W-SUN", "W-MON", "2W", "B", "MS", "ME", "2MS", "QS", "QE", "QS-FEB"]
)
def test_every_feature_equals_the_calendar_of_pandas(alias: str) -> None:
    frequency = Frequency.parse(alias)
    ordinals = np.concatenate([np.arange(-900, 900), np.arange(10_000, 10_400)])
    names, values = calendar_features(frequency, ordinals)
    stamps = pd.DatetimeIndex(frequency.stamps(ordinals))
    assert values.shape == (len(ordinals), len(names))
    assert names
    for column, cycle in enumerate(cycles(frequency)):
        angle = 2 * np.pi * by_pandas(stamps, cycle)
        assert names[2 * column : 2 * column + 2] == (f"{cycle}_sin", f"{cycle}_cos")
        np.testing.assert_allclose(values[:, 2 * column], np.sin(angle), atol=1e-12)
        np.testing.assert_allclose(values[:, 2 * column + 1], np.cos(angle), atol=1e-12)


@pytest.mark.parametrize(
    ("alias", "expected"),
    [
        ("30min", ("hour_of_day", "day_of_week", "day_of_month", "day_of_year")),
        ("D", ("day_of_week", "day_of_month", "day_of_year")),
        ("7D", ("day_of_month", "day_of_year")),
        ("B", ("day_of_week", "day_of_month", "day_of_year")),
        ("W-SAT", ("day_of_year",)),
        ("ME", ("month_of_year", "quarter_of_year")),
        ("QS", ("quarter_of_year",)),
        ("YE", ()),
        ("2YS", ()),
        ("integer", ()),
    ],
)
def test_a_grid_has_the_cycles_that_its_steps_move_through(alias: str, expected: tuple[str, ...]) -> None:
    assert cycles(Frequency.parse(alias)) == expected


def test_whole_number_time_has_no_calendar() -> None:
    names, values = calendar_features(Frequency.parse("integer"), np.arange(5))
    assert names == ()
    assert values.shape == (5, 0)


def test_no_ordinals_give_no_rows() -> None:
    names, values = calendar_features(Frequency.parse("h"), np.array([], dtype=np.int64))
    assert values.shape == (0, len(names)) == (0, 8)


def test_every_feature_of_a_long_grid_changes() -> None:
    """A cycle that does not move is a wasted input."""
    for alias in ("h", "D", "B", "W", "MS", "QE"):
        _, values = calendar_features(Frequency.parse(alias), np.arange(5000))
        assert (values.std(axis=0) > 0.1).all(), alias


def test_neighbours_on_the_circle_are_near() -> None:
    frequency = Frequency.parse("h")
    last_hour = frequency.ordinals(np.array(["2025-12-31T23:00"], dtype="datetime64[ns]"))[0]
    _, values = calendar_features(frequency, np.concatenate([last_hour, last_hour + 1]))
    assert np.abs(values[1] - values[0]).max() < 0.9  # the step of the week is the widest: 1/7 of the circle
    assert np.abs(values[1, :2] - values[0, :2]).max() < 0.27
