"""The traps of the field's metrics, each with a number that was worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from forecast.core.forecast_frame import ForecastFrame
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.evaluation.backtest import evaluate
from forecast.evaluation.metrics import METRICS, Outcome, overall_weighted_average, score
from forecast.evaluation.task import Task
from tests.unit.evaluation.worlds import DAILY, LEVELS, Repeat

M4_HOURLY = Path(__file__).parents[4] / "shared" / "data" / "m4_hourly"
NAN = np.nan


def outcome_of(
    truth: list[float], median: list[float], mean: list[float] | None = None, half_width: float = 1.0, scale: float = 2.0
) -> Outcome:
    middle = np.array([median])
    quantiles = np.stack([middle - half_width, middle, middle + half_width], axis=2)
    ids = np.array(["a"], dtype=object)
    frame = ForecastFrame.build(DAILY, "m", LEVELS, ids, np.zeros(1, np.int64), np.array([mean or median]), quantiles)
    return Outcome.build(frame, np.array([truth]), np.array([scale]), np.array([scale**2]))


def value(name: str, outcome: Outcome) -> float:
    total, weight = score(outcome, [name])[name]
    return float(total[0] / weight[0])


def test_smape_is_on_the_scale_of_0_to_200() -> None:
    outcome = outcome_of([1.0, 10.0], [3.0, -10.0])
    assert value("smape", outcome) == pytest.approx((200 * 2 / 4 + 200) / 2)


def test_the_smape_of_the_library_below_is_two_hundred_times_smaller() -> None:
    outcome = outcome_of([1.0, 10.0], [3.0, -10.0])
    raw = losses.smape(outcome.observed, ["median"], id_col="row")["median"].iloc[0]
    assert raw == pytest.approx(0.75)


def test_smape_of_zero_against_zero_is_zero() -> None:
    assert value("smape", outcome_of([0.0, 0.0], [0.0, 0.0])) == 0.0


def test_the_quantile_loss_carries_the_factor_two() -> None:
    # y = 10, 8, 6 against q0.1 = 7, q0.5 = 8, q0.9 = 9 at every step
    # q0.1: 0.1*3 + 0.1*1 + 0.9*1 = 1.3;  q0.5: 0.5*2 + 0 + 0.5*2 = 2.0;  q0.9: 0.9*1 + 0.1*1 + 0.1*3 = 1.3
    outcome = outcome_of([10.0, 8.0, 6.0], [8.0, 8.0, 8.0])
    assert value("wql", outcome) == pytest.approx(2 * (1.3 + 2.0 + 1.3) / 3 / 24)
    assert value("scaled_quantile_loss", outcome) == pytest.approx(2 * (1.3 + 2.0 + 1.3) / 3 / 3 / 2)


def test_the_quantile_loss_of_the_median_alone_is_the_absolute_error() -> None:
    frame = ForecastFrame.build(
        DAILY, "m", (0.5,), np.array(["a"], dtype=object), np.zeros(1, np.int64), np.full((1, 3), 8.0), np.full((1, 3, 1), 8.0)
    )
    outcome = Outcome.build(frame, np.array([[10.0, 8.0, 6.0]]), np.ones(1), np.ones(1))
    assert value("wql", outcome) == pytest.approx(4 / 24)
    assert value("scaled_quantile_loss", outcome) == pytest.approx(value("mae", outcome))


def test_absolute_errors_read_the_median_and_squared_errors_the_mean() -> None:
    outcome = outcome_of([5.0, 5.0], [4.0, 4.0], mean=[8.0, 8.0])
    assert value("mae", outcome) == 1.0
    assert value("smape", outcome) == pytest.approx(200 / 9)
    assert value("rmse", outcome) == 3.0
    assert value("bias", outcome) == 3.0
    assert value("scaled_bias", outcome) == 1.5
    assert value("rmsse", outcome) == 1.5


def test_without_a_median_absolute_errors_read_the_mean() -> None:
    frame = ForecastFrame.build(
        DAILY, "m", (0.1, 0.9), np.array(["a"], dtype=object), np.zeros(1, np.int64), np.full((1, 2), 8.0), np.full((1, 2, 2), 1.0)
    )
    assert value("mae", Outcome.build(frame, np.array([[5.0, 5.0]]), np.ones(1), np.ones(1))) == 3.0


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_missing_target_is_left_out_and_never_zero(name: str) -> None:
    with_hole, without = outcome_of([5.0, NAN, 7.0], [4.0, 100.0, 8.0]), outcome_of([5.0, 7.0], [4.0, 8.0])
    assert value(name, with_hole) == pytest.approx(value(name, without))


def test_a_missing_target_is_no_miss_of_the_interval() -> None:
    assert value("coverage_80", outcome_of([5.0, NAN, NAN], [5.0, 5.0, 5.0])) == 1.0


def test_the_ends_of_the_interval_belong_to_it() -> None:
    assert value("coverage_80", outcome_of([4.0, 6.0, 6.1, 3.9], [5.0] * 4)) == 0.5


def test_the_width_is_relative_to_the_seasonal_error() -> None:
    assert value("width_80", outcome_of([4.0, NAN], [5.0, 5.0], half_width=3.0)) == 6.0 / 2.0


@pytest.mark.parametrize("name", ["mase", "rmsse", "scaled_quantile_loss", "width_80", "scaled_bias"])
def test_a_constant_history_has_no_scaled_error(name: str) -> None:
    assert np.isnan(value(name, outcome_of([5.0], [4.0], scale=0.0)))


@pytest.mark.parametrize("name", sorted(METRICS))
def test_rows_without_any_target_are_not_measured(name: str) -> None:
    total, weight = score(outcome_of([NAN, NAN], [4.0, 8.0]), [name])[name]
    assert np.isnan(total[0]) or weight[0] == total[0] == 0


def test_owa_is_the_mean_of_two_ratios_of_group_averages() -> None:
    assert overall_weighted_average(13.912, 1.193, (18.383, 2.395)) == pytest.approx(0.628, abs=1e-3)


@pytest.mark.skipif(not M4_HOURLY.is_dir(), reason="the M4 Hourly panel is not on this machine")
def test_the_seasonal_naive_of_m4_hourly_has_its_published_scores() -> None:
    rows = pd.concat([pd.read_parquet(M4_HOURLY / name) for name in ("train.parquet", "test.parquet")])
    panel = Panel.from_frame(rows, Frequency.parse("h"))
    result = evaluate(Repeat(48, season=24), panel, Task(48, season_lengths=(24, 168), levels=LEVELS)).aggregate()
    assert result["smape"] == pytest.approx(13.912, abs=5e-4)
    assert result["mase"] == pytest.approx(1.193, abs=5e-4)
