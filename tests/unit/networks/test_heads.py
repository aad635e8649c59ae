"""The heads against hand-worked numbers."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest
import torch

from forecast.networks.heads.point import PointHead
from forecast.networks.heads.quantile import DEVIATION, MEDIAN_WEIGHT, QuantileHead, gap_signs, naive_gaps
from forecast.networks.interfaces import HeadInput

LEVELS = (0.1, 0.5, 0.9)


def _given(head: QuantileHead | PointHead, centre: float, loc: float, scale: float, horizon: int = 1) -> HeadInput:
    shape = (1, 1, horizon)
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    return HeadInput(torch.zeros(*shape, head.width), torch.full(shape, centre), torch.ones(1, 1, 1), loc * one, scale * one)


def test_the_quantile_loss_of_three_levels_is_the_one_worked_by_hand() -> None:
    head = QuantileHead(levels=LEVELS, horizon=1, season_length=1)
    given = _given(head, 0.0, 10.0, 2.0)
    z = NormalDist().inv_cdf(0.9) * DEVIATION
    scaled = (13.0 - 10.0) / 2.0
    parts = [2 * 0.1 * (scaled + z), 2 * 0.5 * scaled, 2 * (0.9 * (scaled - z) if scaled > z else 0.1 * (z - scaled))]
    expected = (parts[0] + MEDIAN_WEIGHT * parts[1] + parts[2]) / (2 + MEDIAN_WEIGHT)
    assert head.loss(given, torch.full((1, 1, 1), 13.0, dtype=torch.float64)).item() == pytest.approx(expected, rel=1e-6)


def test_untrained_intervals_are_the_seasonal_naives_and_grow_with_every_full_season() -> None:
    head = QuantileHead(levels=LEVELS, horizon=9, season_length=4)
    quantiles = head.quantiles(_given(head, 0.0, 100.0, 5.0, horizon=9))[0, 0]
    width = NormalDist().inv_cdf(0.9) * DEVIATION * 5.0
    for step in range(9):
        grown = width * math.sqrt(step // 4 + 1)
        assert quantiles[step].tolist() == pytest.approx([100 - grown, 100.0, 100 + grown], rel=1e-6)


@pytest.mark.parametrize("levels", [(0.1, 0.5, 0.9), (0.2, 0.4, 0.6, 0.8), (0.5,), (0.9,), (0.05, 0.25)])
def test_quantiles_never_cross_whatever_the_network_says(levels: tuple[float, ...]) -> None:
    head = QuantileHead(levels=levels, horizon=3, season_length=1)
    given = _given(head, 1.0, -4.0, 3.0, horizon=3)
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        raw = torch.randn(1, 1, 3, head.width, generator=generator) * 20
        quantiles = head.quantiles(given._replace(raw=raw))
        assert torch.isfinite(quantiles).all()
        assert (quantiles.diff(dim=-1) >= 0).all()


def test_gaps_add_up_from_the_median_outwards() -> None:
    levels = (0.1, 0.3, 0.5, 0.9)
    z = [NormalDist().inv_cdf(q) * DEVIATION for q in levels]
    assert (naive_gaps(levels, 1, 1) @ gap_signs(levels))[0].tolist() == pytest.approx(z, rel=1e-5, abs=1e-6)


def test_the_mean_of_a_symmetric_forecast_is_its_median() -> None:
    head = QuantileHead(levels=LEVELS, horizon=1, season_length=1)
    assert head.mean(_given(head, 2.0, 10.0, 3.0)).item() == pytest.approx(16.0, rel=1e-6)


def test_the_point_head_counts_the_absolute_error_in_scaled_units() -> None:
    head = PointHead(levels=LEVELS, horizon=1, season_length=1)
    given = _given(head, 0.5, 10.0, 2.0)
    assert head.loss(given, torch.full((1, 1, 1), 15.0, dtype=torch.float64)).item() == pytest.approx(2.0)
    assert head.quantiles(given)[0, 0, 0, 1].item() == pytest.approx(11.0)
