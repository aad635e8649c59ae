"""The step written out in numpy gives what the network gives, step after step, whatever the series."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.core.errors import ModelError
from forecast.networks.build import build_network
from forecast.networks.covariates import Columns
from forecast.networks.network import Network
from forecast.networks.one_step import CELLS, lay_out
from forecast.networks.settings import NetworkSettings
from forecast.networks.step_program import StepInput, StepProgram
from tests.unit.networks.worlds import COLUMNS, HORIZON, LEVELS, Reader, random_y

STEPS = 60
VARIANTS: dict[str, NetworkSettings] = {
    **{f"{cell} {head}": NetworkSettings(encoder=cell, head=head) for cell in CELLS for head in ("quantile", "point")},
    "no mixer": NetworkSettings(mixer=0),
    "long memory": NetworkSettings(memory="long"),
    "one lag": NetworkSettings(lags=1),
    "more lags than the paths read": NetworkSettings(lags=80),
}  # fmt: skip
SEASONS = {"two seasons": (4, 12), "one season": (7,), "no season": (), "a season that fits once": (4, 20)}


def _network(settings: NetworkSettings, seasons: tuple[int, ...], columns: Columns, levels: tuple[float, ...] = LEVELS) -> Network:
    torch.manual_seed(3)
    network = build_network(settings, horizon=HORIZON, levels=levels, season_lengths=seasons, columns=columns)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.15)
        network.covariate_loc.add_(0.4)
        network.covariate_scale.add_(0.7)
    return network.eval()


def _settings(variant: str) -> NetworkSettings:
    given = VARIANTS[variant]
    short = {} if variant == "long memory" else {"memory": "short"}
    sizes = {"hidden_size": 16, "lags": given.lags or 12}
    return NetworkSettings(**{**{name: getattr(given, name) for name in given.__slots__}, **sizes, **short})


def _series(kind: str) -> Tensor:
    """Rows of STEPS values, data units. Rows without any gap, all of them, are read in another way."""
    walk = random_y(2, STEPS)
    whole = walk.nan_to_num(50.0)
    made = [whole, torch.zeros_like(whole), torch.full_like(whole, 7.3), whole * 1e-9, whole * 1e9]
    if kind == "whole":
        return torch.cat(made)
    rare, ended = walk.clone(), whole.clone()
    rare[:, torch.arange(STEPS) % 9 != 4] = torch.nan
    ended[:, 8:] = torch.nan
    return torch.cat([*made, walk, rare, ended, torch.full_like(walk, torch.nan), walk * 1e-9, walk * 1e9])


KINDS = ("whole", "gapped")


def _require_equal(network: Network, settings: NetworkSettings, y: Tensor) -> None:
    """Carries two states, one by each reading, and compares every step."""
    reader, program = Reader(network, y), StepProgram(lay_out(network, settings))
    reader.known[0, 7] = torch.nan
    state, here = network.initial_state(len(y)), torch.zeros(len(y), 1, dtype=torch.long)
    states, ring, statistics = tuple(s.numpy() for s in state.encoder), state.ring.numpy(), state.statistics.numpy()
    covariates = network.covariate_loc.numel() > 0
    for t in range(y.shape[1]):
        with torch.inference_mode():
            expected, state = reader.read(state, t, t + 1, here)
        known = reader.known[:, t : t + 1 + HORIZON].double().numpy()
        beside = [known[:, 0], reader.past[:, t].double().numpy(), reader.static.double().numpy()]
        context = program.context(np.concatenate(beside, axis=1)) if covariates else None
        told = program.told(known[:, 1:]) if covariates else None
        out = program.run(StepInput(states, ring, statistics, y[:, t].numpy(), context, told))
        states, ring, statistics = out.states, out.ring, out.statistics
        _require_close(out.quantiles, expected.quantiles[:, 0], y)
        _require_close(out.mean, expected.mean[:, 0], y)
        found: list[NDArray[Any]] = [*states, ring, statistics]
        for mine, theirs in zip(found, (*state.encoder, state.ring, state.statistics), strict=True):
            np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-5, atol=1e-5)


def _require_close(mine: NDArray[np.float64], theirs: Tensor, y: Tensor) -> None:
    size: NDArray[np.float64] = np.maximum(y.abs().nan_to_num().amax(dim=1).numpy(), 1e-30).reshape(-1, *(1,) * (mine.ndim - 1))
    here: NDArray[np.float64] = mine / size
    np.testing.assert_allclose(here, theirs.numpy() / size, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_every_step_written_out_equals_that_of_the_network(variant: str, kind: str) -> None:
    settings = _settings(variant)
    _require_equal(_network(settings, (4, 12), COLUMNS), settings, _series(kind))


@pytest.mark.parametrize("seasons", sorted(SEASONS))
@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_seasons_and_without_covariates(seasons: str, kind: str) -> None:
    settings = _settings("gru quantile")
    for levels in (LEVELS, (0.2, 0.8), tuple(n / 10 for n in range(1, 10))):
        _require_equal(_network(settings, SEASONS[seasons], Columns(), levels), settings, _series(kind))


def test_weights_that_change_later_do_not_change_a_program() -> None:
    settings = _settings("gru quantile")
    network = _network(settings, (4,), Columns())
    program, state = StepProgram(lay_out(network, settings)), network.initial_state(1)
    given = StepInput(tuple(s.numpy() for s in state.encoder), state.ring.numpy(), state.statistics.numpy(), np.array([3.0]))
    before = program.run(given)
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    np.testing.assert_array_equal(program.run(given).quantiles, before.quantiles)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"encoder": "stacked"}, "the encoder 'stacked'"),
        ({"decoder": "context"}, "the decoder 'context'"),
        ({"head": "student_t"}, "the head 'student_t'"),
        ({"normaliser": "exponential_smoothing"}, "the normaliser 'exponential_smoothing'"),
        ({"carry": False}, "a state that is not carried"),
    ],
)
def test_parts_that_are_not_laid_out_are_named(changes: dict[str, object], named: str) -> None:
    settings = NetworkSettings(**changes)  # type: ignore[arg-type]
    network = build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=(4,), columns=Columns())
    with pytest.raises(ModelError, match=named):
        lay_out(network, settings)
