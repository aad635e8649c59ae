"""Heads with a distribution: what they say is what scipy says, zeros are exact, gradients are finite, and panels can be learned."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from forecast.core.errors import ModelError
from forecast.networks.build import build_network
from forecast.networks.covariates import Columns
from forecast.networks.heads.likelihood import LikelihoodHead
from forecast.networks.heads.negative_binomial import NegativeBinomialHead, mean_and_dispersion
from forecast.networks.heads.nonnegative_quantile import NonnegativeQuantileHead
from forecast.networks.heads.point import PointHead
from forecast.networks.heads.student_t import StudentTHead
from forecast.networks.heads.tweedie import TweedieHead
from forecast.networks.heads.zero_inflated import ZeroInflatedHead
from forecast.networks.interfaces import Head, HeadInput
from forecast.networks.parts import HeadName
from forecast.networks.settings import NetworkSettings
from tests.unit.networks.worlds import batch_of, calibration

LEVELS = (0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95)
NON_NEGATIVE = (NegativeBinomialHead, ZeroInflatedHead, TweedieHead, NonnegativeQuantileHead)
DRAWN = (NegativeBinomialHead, ZeroInflatedHead, TweedieHead, StudentTHead)


def _made(kind: type[Head]) -> Head:
    return kind(levels=LEVELS, horizon=4, season_length=1)


def _given(head: Head, *, loc: float = 3.0, scale: float = 2.0, size: float = 1.0, seed: int = 0, rows: int = 5) -> HeadInput:
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(rows, 2, 4, head.width, generator=generator) * size
    one = torch.ones(rows, 2, 1, dtype=torch.float64)
    return HeadInput(raw, raw[..., 0] - 0.5, torch.ones(rows, 2, 1), loc * one, scale * one)


def _counts(given: HeadInput, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 6, given.centre.shape, generator=generator).to(torch.float64)


def test_the_negative_binomial_head_has_the_likelihood_mean_and_quantiles_of_its_distribution() -> None:
    head = _made(NegativeBinomialHead)
    given = _given(head)
    mean, dispersion = (x.numpy() for x in mean_and_dispersion(given))
    same = stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))
    target = _counts(given)
    np.testing.assert_allclose(head.loss(given, target), -same.logpmf(target.numpy()), rtol=1e-5)
    np.testing.assert_allclose(head.mean(given), same.mean())
    for place, level in enumerate(LEVELS):
        np.testing.assert_array_equal(head.quantiles(given)[..., place], same.ppf(level))


def test_extra_zeros_leave_the_mean_and_the_total_probability_as_they_were() -> None:
    head = _made(ZeroInflatedHead)
    given = _given(head)
    counts = torch.arange(600, dtype=torch.float64)
    probabilities = torch.stack([torch.exp(-head.loss(given, torch.full_like(given.centre, c).double())) for c in counts], dim=-1)
    torch.testing.assert_close(probabilities.double().sum(-1), torch.ones_like(given.centre).double(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close((probabilities * counts).sum(-1), head.mean(given), rtol=1e-3, atol=1e-3)
    plain = torch.exp(-_made(NegativeBinomialHead).loss(given, torch.zeros_like(given.centre).double()))
    assert (probabilities[..., 0] > plain).all()
    reached = probabilities.double().cumsum(-1)
    for place, level in enumerate(LEVELS):
        expected = (reached < level).sum(-1).double()
        assert (head.quantiles(given)[..., place] - expected).abs().max() <= 1e-9


def test_the_tweedie_density_and_its_zero_make_up_all_probability_and_the_mean() -> None:
    head = _made(TweedieHead)
    given = _given(head, rows=1)
    grid = torch.linspace(1e-6, 200.0, 40_001, dtype=torch.float64)[:, None, None]
    wide = HeadInput(*(t.expand(len(grid), *t.shape[1:]) for t in given))
    density = torch.exp(-head.loss(wide, grid.expand(wide.centre.shape)).double()) / 2.0  # of scaled units; the scale is 2
    zero = torch.exp(-head.loss(given, torch.zeros_like(given.centre).double()))[0]
    flat = grid[:, 0, 0]
    total = torch.trapezoid(density, flat, dim=0)
    torch.testing.assert_close(total + zero, torch.ones_like(total), rtol=1e-3, atol=1e-3)
    mean = torch.trapezoid(density * grid, flat, dim=0)
    torch.testing.assert_close(mean, head.mean(given)[0], rtol=2e-3, atol=2e-3)


def test_the_students_head_has_the_likelihood_and_quantiles_of_its_distribution() -> None:
    head = _made(StudentTHead)
    given = _given(head, loc=-3.0)
    raw = given.raw.double()
    width = torch.nn.functional.softplus(raw[..., 1] + np.log(np.e - 1))
    freedom = 1 / (0.001 + 0.499 * (0.002 + 0.996 * torch.sigmoid(raw[..., 2])))
    same = stats.t(freedom.numpy(), given.centre.numpy() * 2.0 - 3.0, width.numpy() * 2.0)
    target = _counts(given) - 4.0
    np.testing.assert_allclose(head.loss(given, target), -same.logpdf(target.numpy()) - np.log(2.0), rtol=1e-4, atol=1e-5)
    for place, level in enumerate(LEVELS):
        np.testing.assert_allclose(head.quantiles(given)[..., place], same.ppf(level), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", DRAWN)
def test_a_draw_at_a_level_is_the_quantile_of_that_level(kind: type[Head]) -> None:
    head = _made(kind)
    given = _given(head)
    for place, level in enumerate(LEVELS):
        drawn = head.draw(given, torch.full(given.centre.shape, level, dtype=torch.float64))
        torch.testing.assert_close(drawn, head.quantiles(given)[..., place], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", [TweedieHead, StudentTHead, NonnegativeQuantileHead])
@pytest.mark.parametrize("factor", [1e-6, 3.0, 1e9])
def test_forecasts_of_amounts_scale_with_the_data(kind: type[Head], factor: float) -> None:
    head = _made(kind)
    given = _given(head)
    scaled = given._replace(loc=factor * given.loc, scale=factor * given.scale)
    torch.testing.assert_close(head.quantiles(scaled) / factor, head.quantiles(given), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(head.mean(scaled) / factor, head.mean(given), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [NegativeBinomialHead, ZeroInflatedHead])
def test_forecasts_of_counts_scale_in_the_mean_alone_because_one_is_one(kind: type[Head]) -> None:
    head = _made(kind)
    given = _given(head)
    for factor in (0.1, 1e9, 1e200):
        scaled = given._replace(loc=factor * given.loc, scale=factor * given.scale)
        torch.testing.assert_close(head.mean(scaled) / factor, head.mean(given), rtol=1e-6, atol=1e-6)
        assert torch.isfinite(head.quantiles(scaled)).all()
        assert (head.quantiles(scaled) == head.quantiles(scaled).round()).all()


@pytest.mark.parametrize("kind", NON_NEGATIVE)
def test_quantiles_of_what_cannot_be_negative_never_cross_never_are_and_are_exact_zeros(kind: type[Head]) -> None:
    head = _made(kind)
    for seed in range(10):
        given = _given(head, size=5.0, seed=seed, loc=0.5)
        quantiles = head.quantiles(given)
        assert torch.isfinite(quantiles).all()
        assert torch.isfinite(head.mean(given)).all()
        assert (quantiles.diff(dim=-1) >= 0).all()
        assert (quantiles >= 0).all()
        assert (quantiles[..., 0] == 0).any()
    nothing = head.quantiles(given._replace(scale=torch.zeros_like(given.scale), loc=torch.zeros_like(given.loc)))
    assert (nothing == 0).all(), "only zeros were seen"


@pytest.mark.parametrize("kind", [*NON_NEGATIVE, StudentTHead])
def test_gradients_are_finite_and_reach_every_number_even_far_out(kind: type[Head]) -> None:
    head = _made(kind)
    for loc, scale in ((3.0, 2.0), (0.0, 1e-3), (1e6, 1e4), (0.0, 1e6)):
        given = _given(head, loc=loc, scale=scale, size=3.0)
        raw = given.raw.clone().requires_grad_()
        loss = head.loss(given._replace(raw=raw, centre=raw[..., 0] - 0.5), (_counts(given) * scale).round())
        (gradient,) = torch.autograd.grad(loss.sum(), raw)
        assert torch.isfinite(loss).all()
        assert torch.isfinite(gradient).all()
        assert (gradient.abs().amax(dim=(0, 1, 2)) > 0).all()


def test_a_target_that_does_not_count_and_is_negative_leaves_no_trace() -> None:
    for kind in (NegativeBinomialHead, ZeroInflatedHead, TweedieHead):
        head = _made(kind)
        given = _given(head)
        raw = given.raw.clone().requires_grad_()
        loss = head.loss(given._replace(raw=raw, centre=raw[..., 0]), torch.full_like(given.centre, -7.5).double())
        (gradient,) = torch.autograd.grad((loss * 0).sum(), raw)
        assert (gradient == 0).all()


def test_a_quantile_below_the_floor_stays_for_zeros_and_comes_back_for_sales() -> None:
    head = _made(NonnegativeQuantileHead)
    given = _given(head, loc=1.0, rows=1)
    raw = given.raw.clone().zero_().requires_grad_()
    sunk = given._replace(raw=raw, centre=raw[..., 0] - 50.0)
    for target, moves in ((0.0, False), (4.0, True)):
        loss = head.loss(sunk, torch.full_like(given.centre, target).double())
        (gradient,) = torch.autograd.grad(loss.sum(), raw)
        assert bool((gradient[..., 0] < 0).all()) is moves
    floored = torch.full_like(given.centre, 4.0).double()
    expected = 2 * (torch.tensor(LEVELS) * head.plain.weights).sum() / 2  # type: ignore[union-attr, operator]
    assert head.loss(sunk, floored).mean().item() == pytest.approx(2.0 * expected.item(), rel=1e-5), "4 is 2 scaled units above 0"


@pytest.mark.parametrize("kind", [*NON_NEGATIVE])
def test_negative_values_are_refused_with_their_number(kind: type[Head]) -> None:
    with pytest.raises(ModelError, match=r"2 of 4 observed values are negative, the least -3; take `quantile` or `student_t`"):
        _made(kind).prepare(torch.tensor([1.0, -2.0, -3.0, 0.0], dtype=torch.float64))


@pytest.mark.parametrize("kind", [NegativeBinomialHead, ZeroInflatedHead])
def test_fractions_are_refused_where_only_counts_can_come_out(kind: type[Head]) -> None:
    with pytest.raises(ModelError, match=r"1 of 3 observed values are no whole numbers, the first 0\.5; take `tweedie`"):
        _made(kind).prepare(torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64))
    _made(TweedieHead).prepare(torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64))


def test_the_likelihood_head_takes_counts_for_counts_and_students_t_for_the_rest() -> None:
    head = _made(LikelihoodHead)
    given = _given(head)
    for values, same in (([0.0, 3.0], NegativeBinomialHead), ([0.0, 3.5], StudentTHead), ([-1.0, 3.0], StudentTHead)):
        head.prepare(torch.tensor(values, dtype=torch.float64))
        other = _made(same)
        assert torch.equal(head.quantiles(given), other.quantiles(given))
        assert torch.equal(head.loss(given, _counts(given)), other.loss(given, _counts(given)))


def test_a_head_without_a_distribution_says_that_nothing_can_be_drawn() -> None:
    head = PointHead(levels=LEVELS, horizon=1, season_length=1)
    with pytest.raises(ModelError, match="PointHead has no distribution to draw from"):
        head.draw(_given(head), torch.tensor(0.5))


COUNTED: tuple[HeadName, ...] = ("nonnegative_quantile", "negative_binomial", "zero_inflated", "tweedie", "likelihood")


@pytest.mark.parametrize("name", COUNTED)
def test_a_panel_of_counts_is_learned_and_the_quantiles_are_calibrated(name: HeadName) -> None:
    """Negative binomial noise around levels that the network can see: the share of values at or below a quantile is its level.

    That share says nothing of how well the levels are known, so the loss on steps that were not learned from must fall as well.
    """
    assert name in get_args(HeadName)
    rng = np.random.default_rng(5)
    levels = rng.uniform(1.0, 12.0, size=(48, 1))
    y = torch.from_numpy(rng.negative_binomial(2.0, 2.0 / (2.0 + levels), size=(48, 130)).astype(float))
    torch.manual_seed(1)
    settings = NetworkSettings(encoder="gru", head=name, lags=14, hidden_size=24, dropout=0.0)
    network = build_network(settings, horizon=4, levels=LEVELS, season_lengths=(), columns=Columns())
    network.prepare(y.flatten(), torch.zeros(0), torch.zeros(0))
    late = batch_of(network, y, 126)
    late = late._replace(origins=late.origins[:, -26:])
    before = network.loss(late).item()
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        network.loss(batch_of(network, y[:, :104], 100)).backward()
        optimizer.step()
    network.eval()
    assert network.loss(late).item() < 0.9 * before
    assert calibration(network, y) < 0.06
