"""Frequency: the grid of pandas as whole numbers, before and after 1970."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import ConfigError
from forecast.core.frequency import Frequency

ALIASES = [
    "s", "30s", "min", "15min", "30min", "h", "2h", "6h", "D", "W", *(f"W-{d}" for d in ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")),
    "MS", "ME", "QS", "QS-FEB", "QS-MAR", "QE", "QE-DEC", "QE-JAN", "QE-NOV", "YS", "YS-APR", "YE", "YE-JUN", "B",
]  # fmt: skip


@pytest.mark.parametrize("start", ["1887-02-13", "1969-12-20", "1970-01-01", "2024-02-28"])
@pytest.mark.parametrize("alias", ALIASES)
def test_the_grid_is_that_of_pandas(alias: str, start: str) -> None:
    frequency = Frequency.parse(alias)
    stamps = pd.date_range(start, periods=80, freq=alias).to_numpy()
    ordinals, on_grid = frequency.ordinals(stamps)
    assert on_grid.all()
    assert (np.diff(ordinals) == 1).all()
    np.testing.assert_array_equal(frequency.stamps(ordinals), stamps)


@pytest.mark.parametrize("alias", [*ALIASES, "2D", "3W-FRI", "2MS", "4ME", "2QE", "5YS"])
def test_every_ordinal_goes_to_a_stamp_and_back(alias: str) -> None:
    frequency = Frequency.parse(alias)
    ordinals = np.arange(-50, 50)
    again, on_grid = frequency.ordinals(frequency.stamps(ordinals))
    assert on_grid.all()
    np.testing.assert_array_equal(again, ordinals)


@pytest.mark.parametrize("alias", ["h", "D", "W-MON", "MS", "ME", "QS", "QE", "YE", "B"])
def test_a_stamp_off_the_grid_is_seen_and_belongs_to_the_step_before_it(alias: str) -> None:
    frequency = Frequency.parse(alias)
    ordinals = np.arange(-30, 30)
    late = frequency.stamps(ordinals) + np.timedelta64(1, "s")
    again, on_grid = frequency.ordinals(late)
    assert not on_grid.any()
    np.testing.assert_array_equal(again, ordinals)


@pytest.mark.parametrize(
    ("alias", "stamp"),
    [("W-MON", "2026-05-03"), ("W-SUN", "2026-05-04"), ("MS", "2026-05-31"), ("ME", "2026-05-01"), ("QS", "2026-02-01"), ("B", "2026-05-03"),
     ("YE", "2026-12-30"), ("h", "2026-05-03T10:30"), ("30min", "2026-05-03T10:10")],
)  # fmt: skip
def test_a_stamp_of_another_grid_is_off_this_one(alias: str, stamp: str) -> None:
    _, on_grid = Frequency.parse(alias).ordinals(np.array([stamp], dtype="datetime64[ns]"))
    assert not on_grid[0]


def test_stamps_that_nanoseconds_cannot_hold_are_off_the_grid() -> None:
    stamps = np.array(["9999-12-31", "2026-05-01", "0001-01-01", "2262-05-01"], dtype="datetime64[s]")
    for alias in ("s", "h", "D", "B", "YS-MAY"):
        on_grid = Frequency.parse(alias).ordinals(stamps)[1]
        assert on_grid.tolist() == [False, True, False, False], alias


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_of_the_stamps_does_not_matter(unit: str) -> None:
    frequency, stamps = Frequency.parse("h"), pd.date_range("2026-05-03", periods=5, freq="h").to_numpy()
    np.testing.assert_array_equal(frequency.ordinals(stamps.astype(f"datetime64[{unit}]"))[0], frequency.ordinals(stamps)[0])


def test_whole_number_time_is_its_own_ordinal() -> None:
    frequency = Frequency.parse("integer")
    ordinals, on_grid = frequency.ordinals(np.array([-3.0, 0.0, 4.0, 2.5, np.inf, 1e300]))
    assert on_grid.tolist() == [True, True, True, False, False, False]
    assert ordinals[:3].tolist() == [-3, 0, 4]
    np.testing.assert_array_equal(frequency.stamps(np.array([7, 8])), [7, 8])
    assert frequency.is_integer
    assert frequency.season_length == 1


@pytest.mark.parametrize(
    ("alias", "run", "last"),
    [
        ("h", date(2026, 5, 4), "2026-05-03T23:00"),
        ("5h", date(2026, 5, 4), "2026-05-03T16:00"),  # the step of 21:00 ends after midnight
        ("D", date(2026, 5, 4), "2026-05-03"),
        ("W-MON", date(2026, 5, 4), "2026-04-27"),  # the week of Monday 27 April ends as 4 May begins
        ("W-MON", date(2026, 5, 3), "2026-04-20"),
        ("W-SUN", date(2026, 5, 10), "2026-05-03"),
        ("MS", date(2026, 5, 1), "2026-04-01"),
        ("MS", date(2026, 4, 30), "2026-03-01"),
        ("ME", date(2026, 5, 1), "2026-04-30"),
        ("ME", date(2026, 4, 30), "2026-03-31"),
        ("QE", date(2026, 4, 1), "2026-03-31"),
        ("QS", date(2026, 4, 1), "2026-01-01"),
        ("YE", date(2026, 1, 1), "2025-12-31"),
        ("YS", date(2026, 1, 1), "2025-01-01"),
        ("B", date(2026, 5, 4), "2026-05-01"),
        ("B", date(2026, 5, 3), "2026-05-01"),
        ("B", date(2026, 5, 2), "2026-05-01"),
        ("B", date(2026, 5, 1), "2026-04-30"),
        ("D", date(1960, 3, 1), "1960-02-29"),
    ],
)
def test_the_cutoff_of_a_run_is_the_last_step_that_has_ended(alias: str, run: date, last: str) -> None:
    frequency = Frequency.parse(alias)
    assert frequency.stamps(np.array([frequency.cutoff(run)]))[0] == np.datetime64(last, "ns")


@pytest.mark.parametrize(
    ("alias", "seasons"),
    [("h", (24, 168)), ("30min", (48, 336)), ("D", (7,)), ("W", (52,)), ("MS", (12,)), ("QE", (4,)), ("YS", ()), ("B", (5,)), ("2h", (12, 84)),
     ("3MS", (4,)), ("integer", ()), ("7D", ())],
)  # fmt: skip
def test_each_alias_has_its_usual_seasons(alias: str, seasons: tuple[int, ...]) -> None:
    frequency = Frequency.parse(alias)
    assert frequency.season_lengths == seasons
    assert frequency.season_length == (seasons[0] if seasons else 1)


def test_given_seasons_are_sorted_and_a_season_of_one_step_is_none() -> None:
    assert Frequency.parse("h", (168, 24, 24, 1)).season_lengths == (24, 168)
    assert Frequency.parse("D", (1,)).season_lengths == ()


@pytest.mark.parametrize(
    ("alias", "expected"),
    [
        ("H", "use h"), ("T", "use min"), ("M", "ME (month end) or MS (month start)"), ("Q", "use QE or QS"), ("A", "use YE or YS"),
        ("Y", "use YE or YS"), ("30T", "use min"), ("Q-DEC", "use QE or QS"), ("S", "use s"), ("AS", "use YS"), ("BM", "use ME"),
    ],
)  # fmt: skip
def test_a_retired_alias_gets_the_name_that_replaced_it(alias: str, expected: str) -> None:
    with pytest.raises(ConfigError, match="retired") as caught:
        Frequency.parse(alias)
    assert repr(alias) in str(caught.value)
    assert expected in str(caught.value)
