"""A network works wholly on the device that its weights and its batch are on, proven without a GPU.

Two ways to stay behind: a tensor made while the network runs whose device is left to torch, and a tensor that a module keeps without
telling torch of it. The first is watched for on the processor; for the second the network moves to torch's device without memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from forecast.networks.autoregressive import AutoregressiveNetwork
from forecast.networks.build import build_network
from forecast.networks.interfaces import Batch
from forecast.networks.network import Network
from forecast.networks.parts import DRAWN, HeadName
from forecast.networks.settings import EncoderName, NetworkSettings
from tests.unit.networks.worlds import COLUMNS, HORIZON, LEVELS, SEASONS, Reader, random_network, random_y

ENCODERS: tuple[EncoderName, ...] = get_args(EncoderName)
HEADS: tuple[HeadName, ...] = get_args(HeadName)
STEPS = 30
MAKERS = {
    torch.arange, torch.empty, torch.eye, torch.full, torch.linspace, torch.logspace, torch.normal, torch.ones, torch.rand, torch.randint,
    torch.randn, torch.randperm, torch.range, torch.tensor, torch.zeros, torch.as_tensor, torch.scalar_tensor, torch.tril_indices,
    torch.triu_indices,
}  # fmt: skip


class _EveryDeviceIsSaid(TorchFunctionMode):
    """Refuses to make a tensor whose device is left to torch."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        assert func not in MAKERS or "device" in (kwargs or {}), f"{func.__name__} makes a tensor and does not say on which device"
        return func(*args, **(kwargs or {}))


def _batch(reader: Reader) -> Batch:
    batch = reader.batch(0, STEPS - HORIZON, reader.every(0, STEPS - HORIZON))
    lead = torch.full((len(reader.y), reader.network.lead), torch.nan, dtype=torch.float64)
    return batch._replace(y=torch.cat([lead, reader.y], dim=1))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_network_makes_no_tensor_whose_device_is_left_to_torch(encoder: EncoderName) -> None:
    network = random_network(encoder)
    reader = Reader(network, random_y(3, STEPS))
    batch, lengths = _batch(reader), torch.tensor([STEPS - HORIZON, 4, 0])
    before = network.initial_state(3)
    with _EveryDeviceIsSaid():
        network.train().loss(batch).backward()
        for some in (None, lengths):
            network.eval().predict(batch._replace(statistics=before.statistics, lengths=some), before.encoder)


@pytest.mark.parametrize("head", HEADS)
def test_a_head_makes_no_tensor_whose_device_is_left_to_torch(head: HeadName) -> None:
    network = random_network("gru", head)
    batch = _batch(Reader(network, random_y(3, STEPS).abs()))
    network.predict(batch, None)  # tables that are made once
    with _EveryDeviceIsSaid():
        network.train().loss(batch).backward()
        network.eval().predict(batch, None)


@pytest.mark.parametrize("head", sorted(DRAWN))
def test_sample_paths_make_no_tensor_whose_device_is_left_to_torch(head: HeadName) -> None:
    one_step = _one_step(head)
    network = AutoregressiveNetwork(one_step, horizon=HORIZON, levels=LEVELS, samples=4).eval()
    batch = _batch(Reader(one_step, random_y(2, STEPS).abs()))._replace(origins=torch.tensor([[3, 9], [8, 20]]))
    network.predict(batch, None)
    with _EveryDeviceIsSaid():
        network.train().loss(batch._replace(origins=batch.origins[:, :1])).backward()
        network.eval().predict(batch, None)
        network.sample_paths(batch, None)


def _one_step(head: HeadName) -> Network:
    settings = NetworkSettings("deepar", head=head, lags=12, hidden_size=8, samples=4)
    return build_network(settings, horizon=1, levels=LEVELS, season_lengths=SEASONS, columns=COLUMNS)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_network_that_has_moved_leaves_nothing_behind(encoder: EncoderName) -> None:
    network = random_network(encoder)
    reader, nowhere = Reader(network, random_y(3, STEPS)), torch.device("meta")
    batch = _batch(reader).to(nowhere)
    moved = network.to(nowhere)
    if not moved.decoder.feeds_back:  # that one reads how many steps it was trained for
        loss = moved.train().loss(batch)
        loss.backward()
        assert loss.device == nowhere
    before = moved.initial_state(3)
    prediction, state = moved.eval().predict(batch._replace(statistics=before.statistics), before.encoder)
    tensors: list[Tensor] = [*prediction, *state.encoder, *state[1:], *before.encoder, *before[1:]]
    assert {tensor.device for tensor in tensors} == {nowhere}
