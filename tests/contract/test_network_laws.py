"""The laws of every network, on random weights: no look-ahead, one pass equals step by step, scale, companions.

Those of every encoder with every decoder and head are in test_combinations.py.
"""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from forecast.networks.build import build_network
from forecast.networks.interfaces import Batch
from forecast.networks.network import Network
from forecast.networks.parts import HeadName
from forecast.networks.settings import EncoderName, NetworkSettings
from tests.unit.networks.worlds import COLUMNS, HORIZON, LEVELS, SEASONS, Reader, random_network, random_y

ENCODERS: tuple[EncoderName, ...] = get_args(EncoderName)
HEADS: tuple[HeadName, ...] = get_args(HeadName)
STEPS = 40


@pytest.mark.parametrize("encoder", ENCODERS)
def test_values_after_an_origin_leave_its_forecast_bitwise_unchanged(encoder: EncoderName) -> None:
    network, y = random_network(encoder), random_y(3, STEPS)
    before, _ = Reader(network, y).whole()
    planted = y.clone()
    planted[:, 20:] = 1e9
    after, _ = Reader(network, planted).whole()
    assert torch.equal(before.quantiles[:, :20], after.quantiles[:, :20])
    assert not torch.equal(before.quantiles[:, 20:], after.quantiles[:, 20:])


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("rows", [1, 3, 256])
def test_one_pass_equals_step_by_step_with_the_carried_state(encoder: EncoderName, rows: int) -> None:
    reader = Reader(random_network(encoder), random_y(rows, STEPS))
    at_once, final = reader.whole()
    state, here = reader.network.initial_state(rows), torch.zeros(rows, 1, dtype=torch.long)
    for step in range(STEPS):
        one, state = reader.read(state, step, step + 1, here)
        torch.testing.assert_close(one.quantiles[:, 0], at_once.quantiles[:, step], rtol=1e-5, atol=1e-4)
    for mine, theirs in zip((*state.encoder, state.ring), (*final.encoder, final.ring), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("encoder", ["gru", "esrnn", "linear"])
def test_a_gap_longer_than_the_state_remembers_is_read_alike_in_one_pass_and_step_by_step(encoder: EncoderName) -> None:
    network, y = random_network(encoder), random_y(3, 150)
    y[:, 30 : 31 + network.lead + 20] = torch.nan
    reader = Reader(network, y)
    at_once, _ = reader.whole()
    state, here = network.initial_state(3), torch.zeros(3, 1, dtype=torch.long)
    for step in range(150):
        one, state = reader.read(state, step, step + 1, here)
        torch.testing.assert_close(one.quantiles[:, 0], at_once.quantiles[:, step], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_padding_on_the_right_leaves_each_rows_state_as_if_it_had_ended_there(encoder: EncoderName) -> None:
    reader = Reader(random_network(encoder), random_y(3, STEPS))
    zero, last = reader.network.initial_state(3), torch.zeros(3, 1, dtype=torch.long)
    _, padded = reader.read(zero, 0, STEPS, last, torch.tensor([7, 0, STEPS]))
    for row, length in enumerate((7, 0, STEPS)):
        _, short = reader.read(zero, 0, max(length, 1), last)
        expected = short if length else zero
        for mine, theirs in zip((*padded.encoder, padded.ring), (*expected.encoder, expected.ring), strict=True):
            torch.testing.assert_close(mine[row], theirs[row], rtol=1e-6, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_forecasts_scale_with_the_data(encoder: EncoderName) -> None:
    network, y = random_network(encoder), random_y(4, STEPS)
    base, _ = Reader(network, y).whole()
    for factor in (1e-6, 1e7):
        scaled, _ = Reader(network, y * factor).whole()
        torch.testing.assert_close(scaled.quantiles / factor, base.quantiles, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_companions_and_their_order_do_not_matter(encoder: EncoderName) -> None:
    network, y = random_network(encoder), random_y(8, STEPS)
    reader = Reader(network, y)
    together, _ = reader.whole()
    order = torch.tensor([5, 2, 7, 0, 1, 3, 4, 6])
    moved = Reader(network, y[order])
    moved.known, moved.past, moved.static = reader.known[order], reader.past[order], reader.static[order]
    apart, _ = moved.whole()
    torch.testing.assert_close(apart.quantiles, together.quantiles[order], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(
    "values",
    [
        [0.0] * STEPS,
        [7.0] * STEPS,
        [torch.nan] * STEPS,
        [1e300, -1e300] * (STEPS // 2),
        [1e-300] * STEPS,
        [torch.nan] * (STEPS - 1) + [3.0],
    ],
    ids=["all zero", "constant", "all missing", "huge and alternating", "tiny", "one value"],
)
def test_awkward_series_get_finite_forecasts(encoder: EncoderName, values: list[float]) -> None:
    reader = Reader(random_network(encoder), torch.tensor([values], dtype=torch.float64))
    prediction, state = reader.whole()
    assert torch.isfinite(prediction.quantiles).all()
    assert all(torch.isfinite(tensor).all() for tensor in state.encoder)


def test_a_series_of_zeros_is_forecast_as_exactly_zero() -> None:
    prediction, _ = Reader(random_network("gru"), torch.zeros(1, STEPS, dtype=torch.float64)).whole()
    assert (prediction.quantiles == 0).all()


def _seasonal_naive(head: HeadName) -> Network:
    """An untrained network that follows the path of the shortest season alone."""
    settings = NetworkSettings(lags=12, hidden_size=8, head=head)
    network = build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=(4,), columns=COLUMNS).eval()
    with torch.no_grad():
        network.decoder.out.bias.view(HORIZON, -1)[:, 1] = 50.0  # type: ignore[union-attr, operator]
    return network


def test_an_untrained_network_forecasts_a_periodic_series_exactly() -> None:
    y = torch.tensor([[1.0, 5.0, 2.0, 8.0] * 10], dtype=torch.float64)
    prediction, _ = Reader(_seasonal_naive("quantile"), y).whole()
    expected = torch.tensor([1.0, 5.0, 2.0, 8.0, 1.0, 5.0], dtype=torch.float64)
    torch.testing.assert_close(prediction.quantiles[0, -1, :, 1], expected, rtol=1e-5, atol=1e-5)


def test_the_loss_compares_step_h_of_an_origin_with_the_value_h_steps_later() -> None:
    y = torch.tensor([[1.0, 5.0, 2.0, 8.0] * 10] * 2, dtype=torch.float64)
    network = _seasonal_naive("point")
    batch = _learnable(Reader(network, y), STEPS - HORIZON)
    settled = batch._replace(origins=batch.origins[:, 8:])
    assert network.loss(settled).item() < 1e-4
    shifted = settled._replace(y=torch.cat([settled.y[:, : network.lead + settled.steps], y[:, STEPS - HORIZON - 1 : -1]], dim=1))
    assert network.loss(shifted).item() > 1e-2


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_known_covariate_of_a_later_step_moves_that_step_of_the_forecast_and_no_step_that_cannot_know(
    encoder: EncoderName,
) -> None:
    """Of itself alone; a decoder that walks carries it on, and one with a context of the whole horizon looks ahead."""
    reader = Reader(random_network(encoder), random_y(2, STEPS))
    zero, last = reader.network.initial_state(2), torch.full((2, 1), STEPS - 1)
    before, _ = reader.read(zero, 0, STEPS, last)
    for step in range(1, HORIZON + 1):
        original = reader.known
        reader.known = original.clone()
        reader.known[:, STEPS - 1 + step] += 1.0
        after, _ = reader.read(zero, 0, STEPS, last)
        reader.known = original
        moved = (before.mean != after.mean).all(dim=0)[0]
        walks = range(step, HORIZON + 1)
        expected = {"mqrnn": range(1, HORIZON + 1), "seq2seq": walks, "seq2seq_attention": walks}.get(encoder, [step])
        assert [number + 1 for number in range(HORIZON) if moved[number]] == list(expected)


def test_targets_that_are_missing_or_beyond_the_end_do_not_count() -> None:
    network = random_network("gru")
    reader = Reader(network, random_y(4, STEPS))
    batch = _learnable(reader, STEPS - HORIZON)
    whole = network.loss(batch)
    y = batch.y.clone()
    y[:, -HORIZON:] = torch.nan  # the last origins lose their targets, the others some
    less = network.loss(batch._replace(y=y))
    nothing = network.loss(batch._replace(y=torch.full_like(y, torch.nan)))
    assert torch.isfinite(less)
    assert less != whole
    assert nothing == 0


def _learnable(reader: Reader, steps: int) -> Batch:
    """A batch with its lead (nothing) and its targets."""
    batch = reader.batch(0, steps, reader.every(0, steps))
    lead = torch.full((len(reader.y), reader.network.lead), torch.nan, dtype=torch.float64)
    return batch._replace(y=torch.cat([lead, reader.y[:, : steps + HORIZON]], dim=1))


def test_seasons_in_the_worlds_are_those_of_the_networks() -> None:
    assert random_network("gru").paths.season_lengths == SEASONS
