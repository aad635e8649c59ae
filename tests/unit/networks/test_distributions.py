"""The distributions against scipy, on grids."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from forecast.networks.distributions import compound_poisson, gamma, negative_binomial, student_t

PROBABILITIES = torch.tensor([1e-4, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999], dtype=torch.float64)


def _tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_gamma_quantiles_are_scipys_for_every_shape() -> None:
    shapes = _tensor(0.05, 0.3, 1, 7, 400, 1e6)[:, None]
    expected = stats.gamma.ppf(PROBABILITIES.numpy(), shapes.numpy())
    np.testing.assert_allclose(gamma.quantile(shapes, PROBABILITIES), expected, rtol=1e-8)


def test_negative_binomial_probabilities_are_scipys_and_sum_to_one() -> None:
    counts = torch.arange(9000, dtype=torch.float64)
    for mean, dispersion in ((0.02, 3.0), (0.7, 0.5), (7.0, 0.4), (40.0, 1e-3), (200.0, 1.5)):
        found = negative_binomial.log_probability(counts, _tensor(mean), _tensor(dispersion)).numpy()
        expected = stats.nbinom.logpmf(counts.numpy(), 1 / dispersion, 1 / (1 + dispersion * mean))
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)
        assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("mean", [0.01, 0.4, 3.0, 20.0, 60.0, 75.0, 500.0, 1e5])
@pytest.mark.parametrize("dispersion", [1e-4, 0.1, 1.0, 6.0])
def test_negative_binomial_quantiles_are_scipys(mean: float, dispersion: float) -> None:
    found = negative_binomial.quantile(_tensor(mean), _tensor(dispersion), PROBABILITIES).numpy()
    expected = stats.nbinom.ppf(PROBABILITIES.numpy(), 1 / dispersion, 1 / (1 + dispersion * mean))
    exact = expected < negative_binomial.SUMMED
    np.testing.assert_array_equal(found[exact], expected[exact])
    tolerance = 1 + 0.01 * np.sqrt(mean + dispersion * mean**2)
    assert (np.abs(found - expected) <= tolerance).all()


def test_negative_binomial_quantiles_of_what_needs_no_probability_are_zero() -> None:
    found = negative_binomial.quantile(_tensor(0.0, 5.0, 1e4), _tensor(1.0, 1.0, 1.0), _tensor(0.99, -0.2, 0.0))
    assert found.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("rate", [0.05, 0.8, 4.0, 60.0, 1e4])
def test_the_compound_poisson_density_and_its_zero_make_up_all_probability(rate: float) -> None:
    width = np.sqrt(2 * rate)
    grid = np.linspace(max(1e-9, rate - 12 * width) ** 0.5, (rate + 12 * width + 30) ** 0.5, 20_001) ** 2
    density = compound_poisson.log_density(torch.from_numpy(grid), _tensor(rate)).exp().numpy()
    assert integrate.trapezoid(density, grid) + np.exp(-rate) == pytest.approx(1.0, abs=1e-5)
    assert integrate.trapezoid(density * grid, grid) == pytest.approx(rate, rel=1e-4)


@pytest.mark.parametrize("rate", [0.05, 0.8, 4.0, 60.0])
def test_compound_poisson_quantiles_are_those_of_the_mixture_of_gammas(rate: float) -> None:
    found = compound_poisson.quantile(_tensor(rate), PROBABILITIES)[0].numpy()
    jumps = np.arange(1, 200)
    cumulative = [np.exp(-rate) + (stats.poisson.pmf(jumps, rate) * stats.gamma.cdf(x, jumps)).sum() for x in found]
    expected = np.maximum(PROBABILITIES.numpy(), np.exp(-rate))
    np.testing.assert_allclose(cumulative, expected, atol=1e-3)
    assert (found[PROBABILITIES.numpy() <= np.exp(-rate)] == 0).all()


def test_students_quantiles_are_scipys_from_two_degrees_of_freedom_to_the_normal() -> None:
    freedom = np.array([2.01, 2.5, 3.0, 4.7, 10.0, 77.0, 999.0])
    found = student_t.quantile(PROBABILITIES, torch.from_numpy(1 / freedom)[:, None])
    np.testing.assert_allclose(found, stats.t.ppf(PROBABILITIES.numpy(), freedom[:, None]), rtol=1e-4, atol=1e-12)
