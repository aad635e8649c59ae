"""The guarded loop: one series' trouble stays its own, and is told."""

from __future__ import annotations

from typing import Any, final

import numpy as np
import pandas as pd
import pytest

from forecast.baselines.filling import linear_fill, seasonal_fill, trimmed
from forecast.baselines.local_forecaster import LocalForecaster
from forecast.baselines.local_model import LocalForecast, LocalModel, Question
from forecast.baselines.naive_models import SeasonalNaiveModel, fallback_forecast
from forecast.baselines.registry import BASELINES
from forecast.core.arrays import FloatArray
from forecast.core.errors import UsageError
from forecast.core.forecast_frame import FALLBACK, OK
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel


def panel_of(**series: Any) -> Panel:
    frames = [pd.DataFrame({"unique_id": i, "ds": np.arange(len(y)), "y": np.asarray(y, dtype=float)}) for i, y in series.items()]
    return Panel.from_frame(pd.concat(frames), Frequency.parse("integer"))


@final
class Moody(LocalModel):
    """Crashes on 13, answers 14 with infinity, and 1 otherwise."""

    kind = "moody"
    cost = "none"

    def forecast(self, y: FloatArray, question: Question) -> LocalForecast:
        """See the class."""
        if y[-1] == 13:
            raise ZeroDivisionError("an unlucky number")
        mean = np.full(question.horizon, np.inf if y[-1] == 14 else 1.0)
        return LocalForecast(mean, np.repeat(mean[:, None], len(question.levels), axis=1))


def test_a_crash_or_an_infinite_value_is_a_fallback_row_with_the_reason_and_harms_no_other() -> None:
    panel = panel_of(a=[5, 6, 7], b=[5, 6, 13], c=[5, 6, 14], d=[1, 2, 3])
    frame = LocalForecaster(Moody(), horizon=2, levels=(0.1, 0.9)).predict(panel)
    assert list(frame.status) == [OK, FALLBACK, FALLBACK, OK]
    assert frame.reason[1] == "seasonal_naive, because moody: ZeroDivisionError: an unlucky number"
    assert frame.reason[2] == "seasonal_naive, because moody: the model's forecast is not finite"
    assert frame.mean.tolist() == [[1, 1], [13, 13], [14, 14], [1, 1]]


def test_a_history_limit_hides_older_rows_from_the_model_but_not_from_the_fallback() -> None:
    panel = panel_of(a=[8, 9, np.nan, np.nan, np.nan])
    frame = LocalForecaster(Moody(), horizon=1, levels=(0.5,), history_limit=3).predict(panel)
    assert (frame.status[0], frame.mean[0, 0]) == (FALLBACK, 9)
    assert "no observed value in the last 3 rows" in frame.reason[0]


def test_the_fallback_chain_is_seasonal_naive_then_naive() -> None:
    question = Question(3, (0.1, 0.9), (4,))
    assert fallback_forecast(np.arange(6.0), question)[1] == "seasonal_naive"
    assert fallback_forecast(np.arange(4.0), question)[1] == "naive"
    forecast, used = fallback_forecast(np.array([1e308, -1e308, 1e308]), question)
    assert used == "naive without spread"
    assert np.isfinite(forecast.quantiles).all()


def test_a_single_observation_is_repeated_and_marked_as_fallback_by_models_that_need_more() -> None:
    frame = BASELINES["auto_ets"](horizon=3, season_lengths=(4,)).predict(panel_of(a=[5.0]))
    assert frame.mean.tolist() == [[5, 5, 5]]
    assert frame.reason[0] == "naive, because auto_ets: 1 rows, 7 are needed"


def test_a_phase_that_was_never_observed_takes_the_phase_before_it() -> None:
    y = np.array([1.0, np.nan, 3.0, 1.5, np.nan, 3.5])
    assert SeasonalNaiveModel().forecast(y, Question(4, (0.5,), (3,))).mean.tolist() == [1.5, 1.5, 3.5, 1.5]


def test_a_linear_fill_draws_lines_across_gaps_and_holds_the_end() -> None:
    assert linear_fill(np.array([1.0, np.nan, np.nan, 4.0, np.nan])).tolist() == [1, 2, 3, 4, 4]


def test_a_seasonal_fill_stays_on_its_phase() -> None:
    y = np.array([1.0, 10.0, 3.0, np.nan, 5.0, 30.0, np.nan, np.nan])
    assert seasonal_fill(y, 2).tolist() == [1, 10, 3, 20, 5, 30, 5, 30]
    assert seasonal_fill(np.array([1.0, np.nan, 3.0]), 2).tolist() == [1, 2, 3]


def test_trimming_keeps_everything_from_the_first_observation_on() -> None:
    assert trimmed(np.array([np.nan, np.nan, 1.0, np.nan])).tolist()[0] == 1
    assert len(trimmed(np.full(3, np.nan))) == 0


def test_missing_values_are_never_filled_with_zero() -> None:
    y = 100 + np.sin(np.arange(48.0) * np.pi / 2)
    y[[10, 11, 12, 13, 30, 46, 47]] = np.nan
    panel = panel_of(a=y)
    for name in (
        "auto_ets",
        "holt_winters",
        "auto_theta",
        "dynamic_optimized_theta",
        "mstl",
        "auto_arima",
        "croston_sba",
        "window_average",
    ):
        frame = BASELINES[name](horizon=4, season_lengths=(4,)).predict(panel)
        assert (frame.status[0], bool((frame.mean > 90).all())) == (OK, True), name


def test_croston_refuses_negative_demand() -> None:
    frame = BASELINES["croston_sba"](horizon=1).predict(panel_of(a=[3.0, -1.0, 2.0]))
    assert "negative value -1" in frame.reason[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"horizon": 0}, "horizon is 0"), ({"horizon": 3, "levels": (0.9, 0.1)}, "levels are"), ({"horizon": 3, "levels": ()}, "levels are"),
     ({"horizon": 3, "levels": (0.5, 1.0)}, "levels are"), ({"horizon": 3, "season_lengths": (0,)}, "season lengths are")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["naive", "ridge"])
def test_arguments_that_make_no_sense_are_refused(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        BASELINES[name](**arguments)


def test_an_average_of_no_values_is_refused() -> None:
    with pytest.raises(UsageError, match="window is 0"):
        BASELINES["window_average"](horizon=1, window=0)
    with pytest.raises(UsageError, match="penalty is 0"):
        BASELINES["ridge"](horizon=1, penalty=0)
