"""One contract for every encoder, decoder and head that may go together, found in the tables: a new part is tested by being there.

The laws that cost more are in test_network_laws.py, for each encoder with its own decoder.
"""

from __future__ import annotations

from typing import NamedTuple, get_args

import pytest
import torch
from torch import Tensor

from forecast.networks.build import build_network
from forecast.networks.decoder_table import DECODERS
from forecast.networks.encoder_table import FAMILIES
from forecast.networks.network import Network
from forecast.networks.parts import DRAWN, HeadName
from forecast.networks.settings import DecoderName, EncoderName, NetworkSettings
from tests.unit.networks.worlds import COLUMNS, HORIZON, LEVELS, SEASONS, WIDTHS, Reader, random_y

STEPS, ROWS = 20, 4


class Combination(NamedTuple):
    """What goes together."""

    encoder: EncoderName
    decoder: DecoderName
    head: HeadName

    def network(self) -> Network:
        """Returns a network in evaluation mode whose every weight is random: an untrained one would ignore its encoder."""
        torch.manual_seed(3)
        settings = NetworkSettings(encoder=self.encoder, decoder=self.decoder, head=self.head, lags=12, hidden_size=16, layers=2)
        network = build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=SEASONS, columns=COLUMNS)
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(torch.randn_like(weight) * 0.15)
        return network.eval()


def _heads(encoder: EncoderName) -> list[HeadName]:
    return [head for head in get_args(HeadName) if encoder != "deepar" or head in DRAWN]


COMBINATIONS = [
    Combination(encoder, decoder, head)
    for encoder, family in FAMILIES.items()
    for decoder in family.decoders
    for head in _heads(encoder)
]
every_combination = pytest.mark.parametrize("combination", COMBINATIONS, ids="-".join)


def _counts(rows: int = ROWS, seed: int = 0) -> Tensor:
    """Values that every head can give: counts with gaps and late starts. Shape [B, STEPS]."""
    return random_y(rows, STEPS, seed).abs().round()


def _learnable(reader: Reader) -> Tensor:
    """The loss over all origins that have targets."""
    steps = STEPS - HORIZON
    batch = reader.batch(0, steps, reader.every(0, steps))
    lead = torch.full((len(reader.y), reader.network.lead), torch.nan, dtype=torch.float64)
    loss: Tensor = reader.network.loss(batch._replace(y=torch.cat([lead, reader.y], dim=1)))
    return loss


def test_every_name_is_in_its_table_and_every_decoder_follows_some_encoder() -> None:
    assert set(FAMILIES) == set(get_args(EncoderName))
    assert set(DECODERS) == set(get_args(DecoderName)) == {one.decoder for one in COMBINATIONS}


@every_combination
def test_forecasts_are_finite_in_order_and_of_the_promised_shape(combination: Combination) -> None:
    prediction, _ = Reader(combination.network(), _counts()).whole()
    assert prediction.mean.shape == (ROWS, STEPS, HORIZON)
    assert prediction.quantiles.shape == (ROWS, STEPS, HORIZON, len(LEVELS))
    assert torch.isfinite(prediction.mean).all()
    assert torch.isfinite(prediction.quantiles).all()
    assert (prediction.quantiles.diff(dim=-1) >= 0).all()


@every_combination
def test_what_comes_after_an_origin_leaves_its_forecast_bitwise_unchanged(combination: Combination) -> None:
    network, y = combination.network(), _counts()
    planted = y.clone()
    planted[:, 10:] = 1e6
    before, after = (Reader(network, values).whole()[0].quantiles for values in (y, planted))
    assert torch.equal(before[:, :10], after[:, :10])
    assert not torch.equal(before[:, 10:], after[:, 10:])


@every_combination
def test_one_pass_equals_step_by_step(combination: Combination) -> None:
    reader = Reader(combination.network(), _counts())
    at_once, _ = reader.whole()
    state, here = reader.network.initial_state(ROWS), torch.zeros(ROWS, 1, dtype=torch.long)
    for step in range(STEPS):
        one, state = reader.read(state, step, step + 1, here)
        torch.testing.assert_close(one.quantiles[:, 0], at_once.quantiles[:, step], rtol=1e-5, atol=1e-4)


@every_combination
def test_rows_that_end_early_are_read_like_shorter_series(combination: Combination) -> None:
    reader, lengths = Reader(combination.network(), _counts()), torch.tensor([STEPS, 7, 1, 13])
    padded, _ = reader.read(reader.network.initial_state(ROWS), 0, STEPS, lengths[:, None] - 1, lengths)
    for row, length in enumerate(lengths.tolist()):
        last = torch.full((ROWS, 1), length - 1)
        short, _ = reader.read(reader.network.initial_state(ROWS), 0, length, last)
        torch.testing.assert_close(padded.quantiles[row], short.quantiles[row], rtol=1e-5, atol=1e-4)


@every_combination
def test_companions_do_not_matter(combination: Combination) -> None:
    network = combination.network()
    together, alone = Reader(network, _counts()), Reader(network, _counts()[1:2])
    alone.known, alone.past, alone.static = together.known[1:2], together.past[1:2], together.static[1:2]
    torch.testing.assert_close(together.whole()[0].quantiles[1:2], alone.whole()[0].quantiles, rtol=1e-5, atol=1e-4)


@every_combination
def test_gradients_reach_every_parameter(combination: Combination) -> None:
    network = combination.network().train()
    network.prepare(_counts()[~torch.isnan(_counts())], torch.zeros(sum(WIDTHS)), torch.ones(sum(WIDTHS)))
    _learnable(Reader(network, _counts().nan_to_num(50.0))).backward()
    missed = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    assert missed == []


@every_combination
def test_every_step_of_the_horizon_sees_the_last_observation(combination: Combination) -> None:
    y = _counts(2).nan_to_num(50.0).requires_grad_()
    reader = Reader(combination.network(), y)
    prediction, _ = reader.read(reader.network.initial_state(2), 0, STEPS, torch.full((2, 1), STEPS - 1))
    for step in range(HORIZON):
        (gradient,) = torch.autograd.grad(prediction.mean[:, 0, step].sum(), y, retain_graph=True)
        assert (gradient[:, -1].abs() > 0).all(), f"step {step + 1} does not see the last observation"


@every_combination
def test_a_network_with_another_ones_weights_forecasts_the_same_bits(combination: Combination) -> None:
    """What a bundle does: the parts come from the settings, the rest from arrays."""
    network, other = combination.network(), combination.network()
    with torch.no_grad():
        for weight in other.parameters():
            weight.zero_()
    other.load_state_dict({name: torch.from_numpy(value.numpy().copy()) for name, value in network.state_dict().items()})
    first, second = (Reader(one, _counts()).whole()[0].quantiles for one in (network, other))
    assert torch.equal(first, second)
