"""What an error counts: in units of the seasonal error, of the level, or of both."""

from __future__ import annotations

import pytest
import torch

from forecast.networks.build import build_network
from forecast.networks.covariates import Columns
from forecast.networks.interfaces import Batch
from forecast.networks.network import LossWeight, Network
from forecast.networks.settings import NetworkSettings

STEPS, HORIZON = 16, 2


def _network(weight: LossWeight) -> Network:
    settings = NetworkSettings(head="point", lags=4, hidden_size=4, loss_weight=weight)
    return build_network(settings, horizon=HORIZON, levels=(0.5,), season_lengths=(), columns=Columns()).eval()


def _batch(network: Network, level: float, step: float) -> Batch:
    """Two rows that go up by `step` from `level` on, forecast from the last step."""
    y = (level + step * torch.arange(STEPS + HORIZON, dtype=torch.float64)).expand(2, -1)
    lead = torch.full((2, network.lead), torch.nan, dtype=torch.float64)
    empty = torch.zeros(2, STEPS, 0)
    return Batch(STEPS, torch.cat([lead, y], dim=1), torch.zeros(2, STEPS + HORIZON, 0), empty, torch.zeros(2, 0),
                 torch.full((2, 1), STEPS - 1), None, torch.zeros(2, 2, dtype=torch.float64),
                 torch.full((2,), step, dtype=torch.float64))  # fmt: skip


def _loss(weight: LossWeight, level: float, step: float) -> float:
    network = _network(weight)
    return network.loss(_batch(network, level, step)).item()


def test_in_units_of_the_spread_the_level_does_not_matter() -> None:
    assert _loss("spread", 1000.0, 1.0) == pytest.approx(_loss("spread", 2000.0, 1.0), rel=1e-5)


def test_in_units_of_the_level_an_error_counts_one_over_the_level() -> None:
    level, step = 1000.0, 5.0
    last_levels_mean = level + step * (STEPS - 1 - 1.5)  # of the last four values
    assert _loss("level", level, step) == pytest.approx(_loss("spread", level, step) * step / last_levels_mean, rel=1e-5)


def test_both_is_the_sum_of_the_two_in_equal_parts_for_series_that_are_alike() -> None:
    assert _loss("both", 50.0, 3.0) == pytest.approx(2 * _loss("spread", 50.0, 3.0), rel=1e-5)


def test_no_loss_depends_on_the_unit_of_the_data() -> None:
    weights: tuple[LossWeight, ...] = ("spread", "level", "both")
    for weight in weights:
        assert _loss(weight, 50.0, 3.0) == pytest.approx(_loss(weight, 50e6, 3e6), rel=1e-5)
