"""The backtest: what a forecaster gets to see, what it must give back, and that its scores equal a plain loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import final

import numpy as np
import pytest

from forecast.core.arrays import IntArray
from forecast.core.errors import DataError, ModelError, UsageError
from forecast.core.forecast_frame import FALLBACK, ForecastFrame
from forecast.core.panel import Panel
from forecast.evaluation.backtest import blind_backtest, evaluate, peak_memory_mb, refuse_look_ahead
from forecast.evaluation.tally import truth_after
from forecast.evaluation.task import Anchor, Refit, Task
from tests.unit.core.test_seasonal_error import by_loop
from tests.unit.evaluation.worlds import LEVELS, Peeking, Repeat, Spoiled, panel_of, random_panel

NAN = np.nan


def task_of(
    horizon: int = 3, windows: int = 2, step: int | None = None, refit: Refit = "never", anchor: Anchor = "series_end"
) -> Task:
    return Task(horizon, windows, step, (2,), LEVELS, refit=refit, anchor=anchor)


def loop_scores(panel: Panel, frame: ForecastFrame, m: int) -> dict[tuple[str, int], dict[str, float]]:
    """Every metric of every forecast, one number at a time."""
    out = {}
    for r in range(len(frame)):
        series, cutoff = list(panel.ids).index(frame.ids[r]), int(frame.cutoffs[r])
        first = cutoff - int(panel.starts[series]) + 1
        pairs = [(h, y) for h, y in enumerate(panel.series(series)[first : first + frame.horizon]) if not np.isnan(y)]
        if not pairs:
            continue
        mid, mean, q = frame.quantiles[r, :, 1], frame.mean[r], frame.quantiles[r]
        scale, square = by_loop(panel, series, cutoff, m)
        pinball = np.mean(
            [2 * sum(max(a * (y - q[h, j]), (a - 1) * (y - q[h, j])) for h, y in pairs) for j, a in enumerate(LEVELS)]
        )
        mae = np.mean([abs(y - mid[h]) for h, y in pairs])
        rmse = np.sqrt(np.mean([(y - mean[h]) ** 2 for h, y in pairs]))
        bias = np.mean([mean[h] - y for h, y in pairs])
        out[str(frame.ids[r]), cutoff] = {
            "mae": mae, "rmse": rmse, "bias": bias, "mase": mae / scale, "rmsse": rmse / np.sqrt(square), "scaled_bias": bias / scale,
            "smape": np.mean([200 * abs(y - mid[h]) / (abs(y) + abs(mid[h])) for h, y in pairs]),
            "wql": pinball / sum(abs(y) for _, y in pairs), "scaled_quantile_loss": pinball / len(pairs) / scale,
            "coverage_80": np.mean([q[h, 0] <= y <= q[h, 2] for h, y in pairs]),
            "width_80": np.mean([q[h, 2] - q[h, 0] for h, _ in pairs]) / scale}  # fmt: skip
    return out


@pytest.mark.parametrize("anchor", ["series_end", "calendar"])
@pytest.mark.parametrize("seed", range(4))
def test_the_scores_equal_a_loop_over_series_cutoffs_and_steps(seed: int, anchor: Anchor) -> None:
    panel = random_panel(seed)
    result = evaluate(Repeat(3, season=2), panel, task_of(windows=3, step=2, anchor=anchor))
    expected = loop_scores(panel, result.frames[0], 2)
    found = result.scores.assign(cutoff=panel.frequency.ordinals(result.scores["cutoff"].to_numpy())[0])
    assert len(found) == len(expected) * len(result.task.metrics)
    for name, cutoff, metric, value in found[["unique_id", "cutoff", "metric", "value"]].to_numpy().tolist():
        np.testing.assert_allclose(value, expected[name, cutoff][metric], rtol=1e-9, err_msg=f"{name} {cutoff} {metric}")


def test_metrics_are_averaged_over_cutoffs_and_then_over_series() -> None:
    result = evaluate(Repeat(3), random_panel(1), task_of(windows=3, step=1))
    chosen = result.scores[result.scores["metric"] == "mase"]
    by_hand = [rows["value"].dropna().mean() for _, rows in chosen.groupby("unique_id") if rows["value"].notna().any()]
    assert result.aggregate()["mase"] == pytest.approx(np.mean(by_hand))


def test_the_weighted_quantile_loss_is_pooled_over_the_panel() -> None:
    panel = panel_of({"a": [1.0, 1.0, 1.0, 2.0], "zero": [5.0, 0.0, 0.0, 0.0]})
    result = evaluate(Repeat(1, shift=1.0, levels=(0.5,)), panel, Task(1, windows=2, levels=(0.5,)))
    assert result.aggregate()["wql"] == pytest.approx((1 + 0 + 1 + 1) / (1 + 2 + 0 + 0))


def test_truth_is_gathered_with_holes_where_the_panel_ends() -> None:
    panel = panel_of({"a": [1.0, NAN, 3.0], "b": [4.0, 5.0]})
    truth = truth_after(panel, np.array([0, 1, 0]), panel.starts[[0, 1, 0]] + np.array([0, 0, -3]), 4)
    np.testing.assert_array_equal(truth, [[NAN, 3.0, NAN, NAN], [5.0, NAN, NAN, NAN], [NAN, NAN, 1.0, NAN]])


def test_the_error_by_step_is_the_mean_over_series_and_cutoffs() -> None:
    panel = panel_of({"a": [1.0, 2.0, 3.0, 5.0, NAN], "b": [2.0, 2.0, 3.0, 3.0, 9.0]})
    result = evaluate(Repeat(2), panel, Task(2, levels=LEVELS))
    assert result.steps["mae"].tolist() == [1.0, 6.0]
    assert result.steps["mase"].tolist() == [np.mean([2 / 1, 0 / 0.5]), 6 / 0.5]
    assert result.steps["coverage_80"].tolist() == [0.5, 0.0]
    assert result.steps["targets"].tolist() == [2.0, 1.0]


def test_calibration_is_the_share_of_targets_at_or_below_each_quantile() -> None:
    result = evaluate(Repeat(2), panel_of({"a": [1.0, 2.0, 2.0, 9.0], "b": [5.0, 5.0, -9.0, NAN]}), Task(2, levels=LEVELS))
    assert result.calibration["share"].tolist() == [1 / 3, 2 / 3, 2 / 3]


# ---------------------------------------------------------------------------------------------------------------- what a model sees


@final
class Witness:
    """Notes the panels that a backtest was handed."""

    def __init__(self) -> None:
        self.seen: list[tuple[Panel, IntArray]] = []

    def forecaster(self) -> Spoiled:
        honest = Repeat(3)
        original: Callable[[Panel, IntArray], Iterator[ForecastFrame]] = honest.backtest

        def noting(panel: Panel, cutoffs: IntArray) -> Iterator[ForecastFrame]:
            self.seen.append((panel, cutoffs))
            return original(panel, cutoffs)

        honest.backtest = noting  # type: ignore[method-assign]
        return Spoiled(honest, lambda frame: [frame])


@pytest.mark.parametrize("anchor", ["series_end", "calendar"])
@pytest.mark.parametrize("refit", ["never", "each"])
def test_no_value_after_the_last_cutoff_reaches_the_model(refit: Refit, anchor: Anchor) -> None:
    witness, panel = Witness(), random_panel(2, shortest=12)
    evaluate(witness.forecaster(), panel, task_of(refit=refit, anchor=anchor))
    assert len(witness.seen) == (1 if refit == "never" else 2)
    for handed, cutoffs in witness.seen:
        visible = handed.to_frame().dropna()
        ordinals, _ = panel.frequency.ordinals(visible["ds"].to_numpy())
        last = dict(zip(handed.ids, cutoffs[:, -1], strict=True))
        assert (ordinals <= visible["unique_id"].map(last).to_numpy()).all()


@pytest.mark.parametrize("refit", ["never", "each"])
def test_a_fit_sees_the_rows_up_to_its_cutoff_only(refit: Refit) -> None:
    panel, model = random_panel(3, shortest=12), Repeat(3)
    task = task_of(windows=3, refit=refit)
    evaluate(model, panel, task)
    assert len(model.fitted) == (1 if refit == "never" else 3)
    for window, seen in enumerate(model.fitted):
        assert (seen.ends <= task.cutoffs(panel)[:, window]).all()


def test_known_covariates_of_the_horizon_stay_visible() -> None:
    panel = panel_of({"a": [1.0, 2.0, 3.0, 4.0]})
    panel = replace(panel, known=np.arange(4.0)[:, None], past=np.arange(4.0)[:, None])
    witness = Witness()
    list(blind_backtest(witness.forecaster(), panel, panel.ends[:, None] - 2, 2))
    handed = witness.seen[0][0]
    assert handed.known[:, 0].tolist() == [0.0, 1.0, 2.0, 3.0]
    np.testing.assert_array_equal(handed.past[:, 0], [0.0, 1.0, NAN, NAN])


def test_planting_a_huge_value_after_the_cutoff_leaves_forecasts_bitwise_the_same() -> None:
    panel, task = random_panel(4, shortest=12), task_of(windows=1)
    planted = replace(panel, y=panel.y.copy())
    for series in range(len(panel)):
        planted.y[planted.offsets[series + 1] - 3 : planted.offsets[series + 1]] = 1e9
    honest, tempted = (evaluate(Repeat(3, season=2), p, task).frames[0] for p in (panel, planted))
    np.testing.assert_array_equal(honest.quantiles, tempted.quantiles)


def test_a_model_that_reads_the_future_of_one_window_finds_nothing_there() -> None:
    panel = panel_of({"a": [1.0, 2.0, 3.0, 4.0, 5.0]})
    assert evaluate(Peeking(2), panel, task_of(2, windows=1)).frames[0].mean.tolist() == [[0.0, 0.0]]


def test_a_model_that_reads_from_one_window_into_the_next_is_caught() -> None:
    with pytest.raises(ModelError, match="peeking reads ahead"):
        refuse_look_ahead(Peeking(3), random_panel(5, shortest=12), task_of(windows=2))


def test_an_honest_model_passes_the_look_ahead_check() -> None:
    refuse_look_ahead(Repeat(3, season=2), random_panel(5), task_of(windows=3, step=1))


# ------------------------------------------------------------------------------------------------------------------- completeness


def first_dropped(frame: ForecastFrame) -> list[ForecastFrame]:
    return [frame.take(np.arange(1, len(frame)))]


def one_twice(frame: ForecastFrame) -> list[ForecastFrame]:
    return [frame, frame.take(np.array([0]))]


def stranger(frame: ForecastFrame) -> list[ForecastFrame]:
    return [frame, replace(frame.take(np.array([0])), ids=np.array(["zzz"], dtype=object))]


def other_cutoff(frame: ForecastFrame) -> list[ForecastFrame]:
    return [replace(frame, cutoffs=frame.cutoffs + 1)]


def fewer_steps(frame: ForecastFrame) -> list[ForecastFrame]:
    return [replace(frame, mean=frame.mean[:, :1], quantiles=frame.quantiles[:, :1])]


@pytest.mark.parametrize(
    ("change", "words"),
    [(first_dropped, "2 of 4 forecasts are missing.*'a at 2024"), (one_twice, "came more than once.*'a at 2024"),
     (stranger, "not asked for.*'zzz'"), (other_cutoff, "not asked for"), (fewer_steps, "gave 1 steps")],
)  # fmt: skip
def test_forecasts_that_are_missing_doubled_or_strange_are_refused(
    change: Callable[[ForecastFrame], list[ForecastFrame]], words: str
) -> None:
    panel = panel_of({"a": [1.0] * 12, "b": [2.0] * 12})
    with pytest.raises(ModelError, match=words):
        evaluate(Spoiled(Repeat(3), change), panel, task_of())


def test_series_and_cutoffs_without_targets_are_not_asked_for() -> None:
    panel = panel_of({"gone": [1.0] * 8 + [NAN] * 3 + [1.0], "short": [1.0, 2.0], "whole": [1.0] * 12})
    result = evaluate(Spoiled(Repeat(1), lambda f: [f]), panel, Task(1, windows=3, levels=LEVELS))
    found = result.scores[result.scores["metric"] == "mae"].groupby("unique_id").size()
    assert found.to_dict() == {"gone": 1, "short": 1, "whole": 3}
    assert len(result.frames[0]) == 5


def test_a_panel_without_anything_to_forecast_is_refused() -> None:
    with pytest.raises(DataError, match=r"no series has rows.*the longest has 3 rows"):
        evaluate(Repeat(3), panel_of({"a": [1.0, 2.0, 3.0]}), task_of())


@pytest.mark.parametrize("model", [Repeat(4), Repeat(3, levels=(0.5,))])
def test_a_forecaster_that_does_not_fit_the_task_is_refused(model: Repeat) -> None:
    with pytest.raises(UsageError, match="the task asks for 3"):
        evaluate(model, random_panel(0), task_of())


def test_fallbacks_are_counted() -> None:
    def fallen(frame: ForecastFrame) -> list[ForecastFrame]:
        return [replace(frame, status=np.where(frame.ids == "a", FALLBACK, frame.status))]

    panel = panel_of({"a": [1.0] * 12, "b": [2.0] * 12})
    assert evaluate(Spoiled(Repeat(3), fallen), panel, task_of()).fallbacks == 2


def test_the_grouping_of_blocks_does_not_matter() -> None:
    def one_by_one(frame: ForecastFrame) -> list[ForecastFrame]:
        return [frame.take(np.array([r])) for r in reversed(range(len(frame)))]

    panel = random_panel(6)
    whole, pieces = (evaluate(model, panel, task_of()) for model in (Repeat(3), Spoiled(Repeat(3), one_by_one)))
    assert whole.scores.equals(pieces.scores)
    np.testing.assert_array_equal(whole.frames[0].quantiles, pieces.frames[0].quantiles)


def test_the_companions_of_a_series_do_not_change_its_scores() -> None:
    panel = random_panel(7, shortest=12)
    alone = panel.take(np.array([2]))
    together, single = (evaluate(Repeat(3), p, task_of()).scores for p in (panel, alone))
    chosen = together[together["unique_id"] == panel.ids[2]].reset_index(drop=True)
    np.testing.assert_allclose(chosen["value"], single["value"], rtol=1e-12)


def test_forecasts_can_be_left_out_of_the_result() -> None:
    assert evaluate(Repeat(3), random_panel(0), task_of(), keep_forecasts=False).frames == ()


def test_times_and_memory_are_measured() -> None:
    result = evaluate(Repeat(3), random_panel(0), task_of())
    assert 0 < result.predict_seconds < 5
    assert 0 <= result.fit_seconds < 5
    assert 20 < result.costs.peak_memory_mb <= peak_memory_mb() < 1e5
