"""The leaderboard: relative to the baseline, complete, and only of what can be compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forecast.core.errors import UsageError
from forecast.evaluation.backtest import evaluate
from forecast.evaluation.evaluation import Costs, Evaluation
from forecast.evaluation.leaderboard import leaderboard
from forecast.evaluation.task import Task
from tests.unit.evaluation.worlds import LEVELS, Repeat, panel_of, random_panel

PANEL = random_panel(1, count=9, shortest=20)
TASK = Task(3, windows=2, levels=LEVELS)


def run(name: str, shift: float = 0.0, season: int = 1) -> Evaluation:
    return evaluate(Repeat(3, season=season, shift=shift, name=name), PANEL, TASK)


FAILED = Evaluation.without_scores("arima", TASK, PANEL.fingerprint(), "timed out after 120 s", Costs(120.0, 0.0, 300.0))


def test_the_best_model_comes_first_and_the_baseline_is_one() -> None:
    table = leaderboard([run("bad", shift=1e6), run("seasonal_naive"), run("weekly", season=7)])
    assert table["rank"].tolist() == [1, 2, 3]
    assert table["mase"].is_monotonic_increasing
    assert table["model"].iloc[2] == "bad"
    base = table.set_index("model").loc["seasonal_naive"]
    assert base["rel_mase"] == base["rel_wql"] == base["geo_mase"] == 1.0
    assert base["beats_baseline"] == 0.0


def test_relative_metrics_are_ratios_of_aggregates() -> None:
    bad, naive = run("bad", shift=5.0), run("seasonal_naive")
    table = leaderboard([bad, naive]).set_index("model")
    for name in ("mase", "smape", "wql", "rmsse", "mae"):
        assert table.loc["bad", f"rel_{name}"] == pytest.approx(bad.aggregate()[name] / naive.aggregate()[name])


def test_only_metrics_with_a_better_side_below_have_a_ratio() -> None:
    columns = leaderboard([run("seasonal_naive")]).columns
    assert "coverage_80" in columns
    assert not {"rel_coverage_80", "rel_bias", "rel_width_80"} & set(columns)


def test_the_geometric_mean_is_over_series_and_one_series_cannot_decide_it() -> None:
    panel = panel_of({"easy": [1.0, 2.0, 3.0, 3.0, 3.0], "hard": [1.0, 2.0, 3.0, 5.0, 7.0]})
    task = Task(1, levels=LEVELS)
    better, naive = (evaluate(Repeat(1, shift=s, name=n), panel, task) for s, n in ((1.0, "up"), (0.0, "seasonal_naive")))
    # the baseline is perfect on `easy`: that ratio would be infinite and is held at 100; on `hard` it is 1 / 2
    row = leaderboard([better, naive]).set_index("model").loc["up"]
    assert row["geo_mase"] == pytest.approx(np.sqrt(100 * 0.5))
    assert row["beats_baseline"] == 0.5


def test_a_model_that_ran_out_of_time_is_a_row_that_says_so() -> None:
    table = leaderboard([FAILED, run("seasonal_naive")])
    row = table.iloc[-1]
    assert (row["model"], row["status"], row["fit_seconds"], row["peak_memory_mb"]) == (
        "arima",
        "timed out after 120 s",
        120.0,
        300.0,
    )
    assert table["rank"].isna().tolist() == [False, True]
    assert np.isnan(row["mase"])


def test_all_models_may_have_failed() -> None:
    table = leaderboard([FAILED, replace(FAILED, model="other", status="failed: no rows")])
    assert table["status"].tolist() == ["timed out after 120 s", "failed: no rows"]


def test_without_a_baseline_nothing_is_relative() -> None:
    table = leaderboard([run("a")])
    assert np.isnan(table["rel_mase"].iloc[0])
    assert table["rank"].tolist() == [1]


def test_equal_models_are_ordered_by_name() -> None:
    assert leaderboard([run("b"), run("a")])["model"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(FAILED, task=Task(3, windows=3, levels=LEVELS)), "another task .*arima"),
        (replace(FAILED, panel_fingerprint="0" * 64), "another panel .*arima"),
        (replace(FAILED, model="seasonal_naive"), "'seasonal_naive'.*more than once"),
    ],
)
def test_results_of_different_experiments_are_not_mixed(other: Evaluation, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        leaderboard([run("seasonal_naive"), other])


def test_an_empty_comparison_is_refused() -> None:
    with pytest.raises(UsageError, match="no evaluations"):
        leaderboard([])
