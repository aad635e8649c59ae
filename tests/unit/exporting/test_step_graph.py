"""The exported graph gives what the network gives, step after step, whatever the series."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from forecast.exporting.replay import ExportedStep
from forecast.exporting.step_graph import StepGraph, exportable
from forecast.networks.build import build_network
from forecast.networks.covariates import AMOUNT, Columns
from forecast.networks.network import Network
from forecast.networks.one_step import lay_out
from forecast.networks.settings import NetworkSettings
from tests.unit.networks.worlds import COLUMNS, HORIZON, LEVELS, Reader, random_y

STEPS = 60
VARIANTS: dict[str, tuple[NetworkSettings, tuple[int, ...], Columns]] = {
    **{cell: (NetworkSettings(encoder=cell, memory="short"), (4, 12), COLUMNS) for cell in exportable()},
    "points": (NetworkSettings(head="point", memory="short"), (4, 12), COLUMNS),
    "no mixer": (NetworkSettings(mixer=0, memory="short"), (7,), Columns()),
    "long memory": (NetworkSettings(), (4, 12), Columns(known=(AMOUNT,))),
    "more lags than the paths read": (NetworkSettings(memory="short", lags=80), (4,), Columns()),
    "no season": (NetworkSettings(memory="short"), (), Columns(static=(AMOUNT,))),
    "a season that fits once": (NetworkSettings(memory="short"), (4, 20), Columns(past=(AMOUNT, AMOUNT))),
}


def _network(variant: str) -> tuple[Network, NetworkSettings]:
    given, seasons, columns = VARIANTS[variant]
    settings = NetworkSettings(
        encoder=given.encoder, head=given.head, mixer=given.mixer, memory=given.memory, lags=given.lags or 12, hidden_size=16
    )
    torch.manual_seed(3)
    network = build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=seasons, columns=columns)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.15)
        network.covariate_loc.add_(0.4)
        network.covariate_scale.add_(0.7)
    return network.eval(), settings


def _series(kind: str) -> Tensor:
    walk = random_y(2, STEPS)
    whole = walk.nan_to_num(50.0)
    made = [whole, torch.full_like(whole, 7.3), whole * 1e-9, whole * 1e9]
    if kind == "whole":
        return torch.cat(made)
    rare, ended = walk.clone(), whole.clone()
    rare[:, torch.arange(STEPS) % 9 != 4] = torch.nan
    ended[:, 8:] = torch.nan
    return torch.cat([*made, torch.zeros_like(whole), walk, rare, ended, torch.full_like(walk, torch.nan), walk * 1e-9])


@pytest.mark.parametrize("kind", ["whole", "gapped"])
@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_every_step_of_the_exported_graph_equals_that_of_the_network(variant: str, kind: str) -> None:
    (network, settings), y = _network(variant), _series(kind)
    exported = ExportedStep(StepGraph(lay_out(network, settings)).model({}).SerializeToString())
    reader = Reader(network, y)
    reader.known[:1, 7] = torch.nan
    before, state, here = network.initial_state(len(y)), exported.initial(len(y)), torch.zeros(len(y), 1, dtype=torch.long)
    size = np.maximum(y.abs().nan_to_num().amax(dim=1).numpy(), 1e-30)[:, None, None]
    for t in range(STEPS):
        with torch.inference_mode():
            expected, before = reader.read(before, t, t + 1, here)
        covariates = {"known": reader.known[:, t : t + 1 + HORIZON], "past": reader.past[:, t], "static": reader.static}
        mean, quantiles, state = exported.step(state, y[:, t].numpy(), {name: value.numpy() for name, value in covariates.items()})
        np.testing.assert_allclose(quantiles / size, expected.quantiles[:, 0].numpy() / size, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(mean / size[..., 0], expected.mean[:, 0].numpy() / size[..., 0], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(state["h"], before.encoder[0].numpy(), rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(state["ring"], before.ring.numpy())
        np.testing.assert_allclose(state["statistics"], before.statistics.numpy(), rtol=1e-12)


def test_a_series_alone_gets_what_it_gets_among_others() -> None:
    (network, settings), y = _network("no mixer"), _series("gapped")
    exported = ExportedStep(StepGraph(lay_out(network, settings)).model({}).SerializeToString())
    together, alone = exported.initial(len(y)), exported.initial(1)
    for t in range(30):
        _, many, together = exported.step(together, y[:, t].numpy(), {})
        _, one, alone = exported.step(alone, y[4:5, t].numpy(), {})
        np.testing.assert_allclose(one[0], many[4], rtol=1e-5)
