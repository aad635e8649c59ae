"""Laws of a short memory: a state of few numbers that still holds everything which a forecast reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import pytest
import torch

from forecast.ensembling.plan import Member
from forecast.networks.build import SPARE_ROWS, build_network
from forecast.networks.covariates import Columns
from forecast.networks.network import Network
from forecast.networks.settings import EncoderName, NetworkSettings
from forecast.neural.carried_state import start
from forecast.neural.registry import NEURAL
from forecast.storage.manifest import migrate
from tests.unit.networks.worlds import HORIZON, LEVELS, Reader, random_y
from tests.unit.neural.worlds import quick, ragged_panel

TEXTBOOK = {"elman": 1, "lstm": 2, "gru": 1}  # states of each
SEASONS: tuple[tuple[int, ...], ...] = ((), (4,), (7,), (12,), (24,), (52,), (7, 365), (24, 168), (48, 336), (168,))
LAGS = (None, 2, 8, 24, 168)


def _short(seasons: tuple[int, ...], lags: int | None, encoder: EncoderName = "gru") -> Network:
    torch.manual_seed(3)
    settings = NetworkSettings(encoder=encoder, lags=lags, hidden_size=16, memory="short")
    network = build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=seasons, columns=Columns())
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.15)
    return network.eval()


@pytest.mark.parametrize("model", sorted(TEXTBOOK))
def test_the_textbook_cells_carry_their_hidden_states_the_lags_and_sixteen_numbers_at_most(model: EncoderName) -> None:
    forecaster, panel = quick(model), ragged_panel()
    assert forecaster.settings.memory == "short"
    forecaster.fit(panel)
    network = forecaster.network
    assert isinstance(network, Network)
    found = start(forecaster, panel).network.floats_per_series()
    assert found <= TEXTBOOK[model] * forecaster.settings.hidden_size + network.lags + 16


@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize("seasons", SEASONS, ids=str)
def test_no_season_and_no_length_of_the_lag_vector_breaks_the_bound(seasons: tuple[int, ...], lags: int | None) -> None:
    for encoder, states in TEXTBOOK.items():
        network = _short(seasons, lags, encoder)  # type: ignore[arg-type]
        assert network.initial_state(1).floats_per_series() <= states * 16 + network.lags + 16


@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize("seasons", SEASONS, ids=str)
def test_a_short_memory_step_by_step_gives_what_one_pass_gives(seasons: tuple[int, ...], lags: int | None) -> None:
    reader = Reader(_short(seasons, lags), random_y(2, 60))
    at_once, _ = reader.whole()
    state, here = reader.network.initial_state(2), torch.zeros(2, 1, dtype=torch.long)
    for step in range(60):
        one, state = reader.read(state, step, step + 1, here)
        torch.testing.assert_close(one.quantiles[:, 0], at_once.quantiles[:, step], rtol=1e-5, atol=1e-4)


def test_every_cycle_that_fits_is_a_path_and_a_season_that_does_not_fit_is_none() -> None:
    assert _short((24, 168), 168).paths.cycles == [4, 1]
    assert _short((12,), 36).paths.cycles == [4]
    assert _short((12,), 8).paths.cycles == [1]  # 8 lags and the spare rows
    assert _short((24,), 8).paths.cycles == []


def test_the_drift_is_that_of_whole_cycles_where_two_windows_of_the_level_do_not_fit() -> None:
    assert _short((24, 168), 168).paths.drift_window == 72
    assert _short((12,), 36).paths.drift_window == 12
    assert _short((24,), 24).paths.drift_window == (24 + SPARE_ROWS + 1) // 2


def test_with_too_few_rows_for_seasonal_differences_the_spread_is_that_of_neighbours() -> None:
    assert _short((24,), 20).normaliser.season_length == 1
    assert _short((24,), 24).normaliser.season_length == 24


def test_periodic_series_are_forecast_on_their_own_cycle() -> None:
    """The untrained network follows the last season, which a short memory must hold."""
    torch.manual_seed(0)
    settings = NetworkSettings(memory="short", hidden_size=8)
    network = build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=(12,), columns=Columns()).eval()
    with torch.no_grad():
        network.decoder.out.bias.view(HORIZON, -1)[:, 1] = 50.0  # type: ignore[union-attr, operator]
    y = torch.arange(60, dtype=torch.float64)[None] % 12
    prediction, _ = Reader(network, y).whole()
    np.testing.assert_allclose(prediction.quantiles[0, -1, :, 1].detach(), np.arange(60, 60 + HORIZON) % 12, rtol=1e-5, atol=1e-5)


def test_all_other_networks_and_the_members_of_the_default_remember_long() -> None:
    for name in sorted(set(get_args(EncoderName)) - TEXTBOOK.keys()):
        assert NEURAL[name](horizon=4).settings.memory == "long"
    assert Member("gru").arguments()["memory"] == "long"
    assert NEURAL["gru"](horizon=4, memory="long").settings.memory == "long"


@pytest.mark.parametrize("model", sorted(TEXTBOOK))
def test_a_model_saved_before_memories_had_names_remembers_long_as_it_did(model: str) -> None:
    def migrated(recipe: dict[str, str]) -> Mapping[str, Any]:
        return migrate({"manifest": {"format": 1}, "recipe": recipe, "schema": {}, "profile": {}})["recipe"]

    assert migrated({"kind": model}) == {"kind": model, "memory": "long"}
    assert migrated({"kind": "auto"}) == {"kind": "auto"}
