"""Paired comparisons and ranks, against published tables and worked examples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.core.arrays import FloatArray
from forecast.core.errors import UsageError
from forecast.evaluation.evaluation import Costs, Evaluation
from forecast.evaluation.significance import Ranks, average_ranks, compare, critical_difference, relative
from forecast.evaluation.task import Task

TASK = Task(1, metrics=("mase", "bias"))


def scored(model: str, values: FloatArray | list[float]) -> Evaluation:
    """An evaluation with one MASE for each series."""
    ids = [f"s{i:05d}" for i in range(len(values))]
    scores = pd.DataFrame({"unique_id": ids, "cutoff": 0, "metric": "mase", "value": values, "total": values, "weight": 1.0})
    return Evaluation(model, TASK, "p", scores, pd.DataFrame(), pd.DataFrame(), Costs())


CHANCE = np.random.default_rng(0)
BASE = CHANCE.gamma(2.0, 0.5, 200)


def test_a_real_difference_is_shown() -> None:
    found = compare(scored("a", BASE - 0.1 + CHANCE.normal(0, 0.1, 200)), scored("b", BASE))
    assert found.low < found.difference < found.high < 0
    assert found.difference == pytest.approx(-0.1, abs=0.02)
    assert found.p_value < 1e-6
    assert found.verdict == "better"


def test_noise_is_not_taken_for_a_difference() -> None:
    found = compare(scored("a", BASE + CHANCE.normal(0, 0.1, 200)), scored("b", BASE))
    assert found.low < 0 < found.high
    assert found.verdict == "no difference shown"


def test_the_interval_covers_the_true_difference_as_often_as_it_says() -> None:
    hits = 0
    for trial in range(100):
        draw = np.random.default_rng(trial).normal(0.2, 1.0, 60)
        found = compare(scored("a", draw), scored("b", np.zeros(60)), confidence=0.9, resamples=400)
        hits += found.low <= 0.2 <= found.high
    assert 80 <= hits <= 98


def test_swapping_the_models_turns_the_sign() -> None:
    one, two = scored("a", BASE - 0.1), scored("b", BASE)
    forth, back = compare(one, two), compare(two, one)
    assert forth.difference == pytest.approx(-back.difference)
    assert (forth.verdict, back.verdict) == ("better", "worse")
    assert (forth.better_share, back.better_share) == (1.0, 0.0)


def test_the_same_seed_gives_the_same_interval_and_another_one_nearly() -> None:
    one, two = scored("a", BASE + CHANCE.normal(0, 1, 200)), scored("b", BASE)
    assert compare(one, two, seed=1) == compare(one, two, seed=1)
    assert compare(one, two, seed=1).low != compare(one, two, seed=2).low


def test_equal_models_do_not_differ() -> None:
    found = compare(scored("a", BASE), scored("b", BASE))
    assert (found.difference, found.low, found.high, found.p_value, found.verdict) == (0.0, 0.0, 0.0, 1.0, "no difference shown")


def test_series_that_one_model_was_not_measured_on_are_left_out() -> None:
    assert compare(scored("a", [1.0, np.nan, 3.0]), scored("b", [2.0, 2.0, 2.0])).series == 2


def test_many_series_are_resampled_in_blocks() -> None:
    values = np.random.default_rng(1).normal(0.5, 1.0, 30_000)
    found = compare(scored("a", values), scored("b", np.zeros(30_000)), resamples=200)
    assert found.high - found.low == pytest.approx(2 * 1.96 / np.sqrt(30_000), rel=0.2)


@pytest.mark.parametrize(("models", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_the_critical_difference_has_the_published_q(models: int, q: float) -> None:
    assert critical_difference(models, 50) / np.sqrt(models * (models + 1) / 300) == pytest.approx(q, abs=1e-3)


def test_ranks_are_averaged_over_series_and_ties_shared() -> None:
    found = average_ranks([scored("c", [3.0, 3.0, 3.0]), scored("a", [1.0, 1.0, 2.0]), scored("b", [2.0, 1.0, 1.0])])
    assert found.models == ("a", "b", "c")
    np.testing.assert_allclose(found.ranks, [(1 + 1.5 + 2) / 3, (2 + 1.5 + 1) / 3, 3])
    assert found.series == 3


def test_groups_join_models_whose_ranks_do_not_differ() -> None:
    ranks = Ranks(("a", "b", "c", "d", "e"), np.array([1.0, 1.5, 2.2, 3.4, 5.0]), 1.25, 40, 0.0)
    assert ranks.groups() == [(0, 2), (2, 3)]


def test_groups_of_clearly_different_models_are_empty() -> None:
    assert Ranks(("a", "b"), np.array([1.0, 2.0]), 0.3, 40, 0.0).groups() == []


def test_models_without_scores_have_no_rank() -> None:
    failed = Evaluation.without_scores("f", TASK, "p", "failed: no")
    assert average_ranks([scored("a", BASE), failed, scored("b", BASE + 1)]).models == ("a", "b")


def test_friedman_sees_that_one_of_three_is_better() -> None:
    noise = [CHANCE.normal(0, 0.01, 200) for _ in range(3)]
    assert (
        average_ranks([scored("a", BASE + noise[0] - 0.1), scored("b", BASE + noise[1]), scored("c", BASE + noise[2])]).p_value
        < 1e-6
    )
    assert average_ranks([scored(n, BASE) for n in "abc"]).p_value == 1.0


@pytest.mark.parametrize("metric", ["bias", "smape"])
def test_a_metric_that_cannot_rank_is_refused(metric: str) -> None:
    with pytest.raises(UsageError, match=rf"'{metric}'; this task has \['mase'\]"):
        compare(scored("a", BASE), scored("b", BASE), metric)


def test_too_little_to_compare_is_refused() -> None:
    with pytest.raises(UsageError, match="share 1 series"):
        compare(scored("a", [1.0]), scored("b", [2.0]))
    with pytest.raises(UsageError, match="1 models with scores"):
        average_ranks([scored("a", BASE)])


def test_the_ratio_is_that_of_the_panels_numbers_and_its_interval_draws_the_same_series_for_both() -> None:
    one, two = BASE * 0.9, BASE.copy()
    one[0] = two[0] * 3
    found = relative(scored("a", one), scored("b", two))
    assert found.ratio == pytest.approx(one.mean() / two.mean())
    chance = np.random.default_rng(0)
    picked = chance.integers(0, 200, (2000, 200))
    ratios = one[picked].mean(axis=1) / two[picked].mean(axis=1)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(ratios, [0.025, 0.975])))
    alike = relative(scored("a", BASE * 0.9), scored("b", BASE))
    assert (alike.low, alike.high) == pytest.approx((0.9, 0.9))  # every draw has this ratio: unpaired ones would not


def test_the_ratio_of_a_pooled_metric_is_that_of_its_sums_and_leaves_out_series_that_one_model_lacks() -> None:
    def pooled(model: str, totals: list[float]) -> Evaluation:
        ids = [f"s{i}" for i in range(len(totals))]
        scores = pd.DataFrame({"unique_id": ids, "cutoff": 0, "metric": "wql", "value": 9.0, "total": totals, "weight": 5.0})
        task = Task(1, metrics=("mase", "wql"))
        return Evaluation(model, task, "p", scores, pd.DataFrame(), pd.DataFrame(), Costs())

    found = relative(pooled("a", [1.0, 2.0, np.nan]), pooled("b", [2.0, 4.0, 100.0]), "wql")
    assert found.ratio == pytest.approx(0.5)
    assert found.series == 2
    assert np.isnan(relative(pooled("a", [1.0, 2.0]), pooled("b", [0.0, 0.0]), "wql").ratio)


def test_a_ratio_needs_two_series_and_a_metric_whose_lower_values_are_better() -> None:
    with pytest.raises(UsageError, match="share 1 series with mase: an interval needs at least two"):
        relative(scored("a", [1.0]), scored("b", [1.0]))
    with pytest.raises(UsageError, match="cannot be ranked by 'bias'"):
        relative(scored("a", BASE), scored("b", BASE), "bias")
