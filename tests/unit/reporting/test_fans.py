"""What a forecast chart shows: the right history, the right truth, and series that flatter nobody."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import UsageError
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.evaluation.backtest import evaluate
from forecast.evaluation.task import Task
from forecast.reporting.fans import fan_of, telling_series
from tests.unit.evaluation.worlds import LEVELS, Repeat, panel_of

PANEL = panel_of({"a": [float(i) for i in range(100)], "b": [1.0] * 30, "c": [5.0, 6.0, 5.0, 6.0] * 10})
TASK = Task(3, windows=2, levels=LEVELS)
RESULT = evaluate(Repeat(3), PANEL, TASK)


def test_a_fan_shows_the_last_window_with_history_before_and_truth_after_it() -> None:
    fan = fan_of(PANEL, RESULT.frames[0], "a")
    assert fan.history.tolist() == [float(i) for i in range(73, 97)]
    assert fan.truth.tolist() == [97.0, 98.0, 99.0]
    assert fan.median.tolist() == [96.0] * 3
    assert fan.history_stamps[-1] + np.timedelta64(1, "D") == fan.stamps[0]


def test_where_nothing_is_known_after_the_cutoff_the_truth_is_missing() -> None:
    model = Repeat(3)
    fan = fan_of(PANEL, model.predict(PANEL), "b")
    assert np.isnan(fan.truth).all()
    assert len(fan.history) == 24


def test_bands_are_pairs_of_levels_widest_first() -> None:
    levels = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9)
    fan = fan_of(PANEL, Repeat(3, levels=levels).predict(PANEL), "a")
    bands = fan.bands()
    assert [round(share, 9) for share, _, _ in bands] == [0.8, 0.5]
    assert all((low < high).all() for _, low, high in bands)


def test_other_models_are_shown_at_the_same_cutoff_only() -> None:
    early = evaluate(Repeat(3, shift=1.0), PANEL, TASK).frames[0]
    late = Repeat(3).predict(PANEL)
    fan = fan_of(PANEL, RESULT.frames[0], "a", {"early": early, "late": late})
    assert {name: values.tolist() for name, values in fan.others.items()} == {"early": [97.0] * 3}


def test_integer_time_is_shown_as_it_is() -> None:
    frame = pd.DataFrame({"unique_id": "x", "ds": range(40), "y": np.arange(40.0)})
    panel = Panel.from_frame(frame, Frequency.parse("integer"))
    assert fan_of(panel, Repeat(3).predict(panel), "x").stamps.tolist() == [40, 41, 42]


def test_a_series_without_forecast_cannot_be_shown() -> None:
    with pytest.raises(UsageError, match="no forecast of series 'zzz'"):
        fan_of(PANEL, RESULT.frames[0], "zzz")


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_the_shown_series_are_the_best_the_worst_and_some_between(count: int) -> None:
    series = {f"s{i:02d}": [0.0, 1.0] * 10 + [1.0 + i] for i in range(30)}
    result = evaluate(Repeat(1, levels=LEVELS), panel_of(series), Task(1, levels=LEVELS))
    shown = telling_series(result, count)
    assert len({name for name, _, _ in shown}) == len(shown)
    assert [value for _, _, value in shown] == sorted(value for _, _, value in shown)
    assert shown[0][:2] == ("s00", "best")
    if count > 1:
        assert shown[-1][:2] == ("s29", "worst")
        assert len(shown) == count


def test_fewer_series_than_asked_for_are_shown_once_each() -> None:
    shown = telling_series(evaluate(Repeat(3), PANEL, Task(3, levels=LEVELS)), 8)
    assert len({name for name, _, _ in shown}) == len(shown) == 2  # the constant series has no scaled error
