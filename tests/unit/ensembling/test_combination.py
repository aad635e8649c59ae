"""Weights and widths from rows that were held back."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.core.arrays import FloatArray
from forecast.ensembling.blend import Blend
from forecast.ensembling.calibration import calibrated, calibration_factors
from forecast.ensembling.combination import Judgement, choose_weights, worth_of

LEVELS = np.array([0.1, 0.5, 0.9])
PRIOR = np.array([0.5, 0.5])


def _judgement(*errors: float, rows: int = 200, width: float = 1.0) -> Judgement:
    """Candidates whose median is off by independent noise of the given sizes."""
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(rows, 4))
    medians = np.stack([targets + size * rng.normal(size=targets.shape) for size in errors])
    quantiles = medians[..., None] + width * np.array([-1.28, 0.0, 1.28])
    return Judgement(quantiles, targets, LEVELS, np.ones(rows))


def test_equal_candidates_keep_the_prior() -> None:
    np.testing.assert_allclose(choose_weights(_judgement(1.0, 1.0, rows=2000), PRIOR), PRIOR, atol=0.05)


def test_a_much_better_candidate_gets_nearly_all_the_weight() -> None:
    assert choose_weights(_judgement(0.1, 3.0), PRIOR)[0] > 0.9


def test_the_weights_are_a_minimum_no_neighbour_is_better_by_more_than_the_prior_asks() -> None:
    judgement, prior = _judgement(0.5, 1.0, 1.5), np.full(3, 1 / 3)
    weights = choose_weights(judgement, prior)
    assert weights.sum() == pytest.approx(1)
    reference, _ = judgement.loss_and_slope(prior)

    def total(w: FloatArray) -> float:
        return judgement.loss_and_slope(w)[0] / reference + 0.05 * float(np.sum(w * np.log(np.maximum(w, 1e-12) / prior)))

    for i in range(3):
        for j in range(3):
            moved = weights.copy()
            moved[i], moved[j] = moved[i] - 0.03, moved[j] + 0.03
            if (moved >= 0).all():
                assert total(moved) > total(weights) - 2e-3


def test_the_slope_is_that_of_the_loss() -> None:
    judgement, weights = _judgement(0.5, 1.0), np.array([0.4, 0.6])
    loss, slope = judgement.loss_and_slope(weights)
    step = np.array([1e-6, 0.0])
    assert (judgement.loss_and_slope(weights + step)[0] - loss) / 1e-6 == pytest.approx(slope[0], rel=1e-3)


def test_missing_targets_and_series_without_a_size_count_nothing() -> None:
    judgement = _judgement(0.5, 1.0)
    loss, _ = judgement.loss_and_slope(PRIOR)
    targets, worth = judgement.targets.copy(), judgement.worth.copy()
    targets[::2], worth[1] = np.nan, 0.0
    less, slope = Judgement(judgement.quantiles, targets, LEVELS, worth).loss_and_slope(PRIOR)
    assert 0 < less < loss
    assert np.isfinite(slope).all()


def test_an_error_counts_in_seasonal_errors_and_in_levels_alike() -> None:
    worth = worth_of(np.array([1.0, 2.0, 0.0, np.nan]), np.array([10.0, 10.0, 10.0, 0.0]))
    assert worth[0] > worth[1] > worth[2] > worth[3] == 0


def test_intervals_that_are_too_narrow_are_widened_until_they_hold_what_they_promise() -> None:
    rng = np.random.default_rng(1)
    targets = rng.normal(size=(4000, 3))
    narrow = np.zeros((4000, 3, 1)) + 0.4 * np.array([-1.28, 0.0, 1.28])
    factors = calibration_factors(narrow, targets, LEVELS)
    np.testing.assert_allclose(factors[:, [0, 2]], 2.5, rtol=0.1)
    wide = calibrated(narrow, factors, LEVELS)
    inside = (rng.normal(size=(4000, 3)) >= wide[..., 0]) & (rng.normal(size=(4000, 3)) <= wide[..., 2])
    assert inside.mean() == pytest.approx(0.81, abs=0.02)  # two independent draws: 0.9 times 0.9


def test_few_rows_move_the_widths_little_and_none_not_at_all() -> None:
    narrow = np.zeros((4, 3, 1)) + 0.4 * np.array([-1.28, 0.0, 1.28])
    targets = np.random.default_rng(2).normal(size=(4, 3))
    few = calibration_factors(narrow, targets, LEVELS)
    assert (np.abs(few - 1) < 1.5).all()
    np.testing.assert_array_equal(calibration_factors(narrow, np.full((4, 3), np.nan), LEVELS), 1.0)


def test_calibrated_quantiles_never_cross_and_keep_the_median() -> None:
    levels = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    quantiles = np.sort(np.random.default_rng(3).normal(size=(50, 2, 5)), axis=-1)
    factors = np.array([[0.3, 4.0, 1.0, 4.0, 0.3]] * 2)
    moved = calibrated(quantiles, factors, levels)
    assert (np.diff(moved, axis=-1) >= 0).all()
    np.testing.assert_array_equal(moved[..., 2], quantiles[..., 2])


def test_without_held_back_rows_the_blend_is_the_prior() -> None:
    nothing = Judgement(np.zeros((2, 0, 4, 3)), np.zeros((0, 4)), LEVELS, np.zeros(0))
    blend = Blend.judged(nothing, PRIOR)
    np.testing.assert_array_equal(blend.weights, PRIOR)
    np.testing.assert_array_equal(blend.factors, 1.0)


def test_intervals_that_are_too_wide_are_narrowed_by_half_of_what_one_window_says() -> None:
    targets = np.random.default_rng(4).normal(size=(4000, 3))
    wide = np.zeros((4000, 3, 1)) + 2.0 * np.array([-1.28, 0.0, 1.28])
    np.testing.assert_allclose(calibration_factors(wide, targets, LEVELS)[:, [0, 2]], 0.75, rtol=0.05)


def test_a_bias_of_the_window_is_not_taken_for_a_width_of_one_side() -> None:
    targets = np.random.default_rng(5).normal(size=(4000, 3)) + 0.3
    fitting = np.zeros((4000, 3, 1)) + np.array([-1.28, 0.0, 1.28])
    factors = calibration_factors(fitting, targets, LEVELS)
    np.testing.assert_array_equal(factors[:, 0], factors[:, 2])
    assert (factors[:, 2] < 1.15).all()
