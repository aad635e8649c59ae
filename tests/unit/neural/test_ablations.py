"""Laws of the two ablations: no state between steps (`carry=False`) and no lag vector (`lags=1`)."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch

from forecast.core.forecast_frame import ForecastFrame
from forecast.core.panel import Panel
from forecast.ensembling.auto import AutoForecaster
from forecast.ensembling.plan import Member
from forecast.evaluation.tally import in_order
from forecast.networks.build import build_network
from forecast.networks.encoder_table import WINDOWED
from forecast.networks.interfaces import Prediction
from forecast.networks.network import Network
from forecast.networks.settings import EncoderName, NetworkSettings
from forecast.neural.carried_state import start, update
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.registry import NEURAL
from tests.unit.networks.worlds import COLUMNS, HORIZON, LEVELS, SEASONS, WIDTHS, Reader, random_y
from tests.unit.neural.worlds import CARRYING, future_of, quick, ragged_panel
from tests.unit.neural.worlds import LEVELS as NEURAL_LEVELS

ENCODERS: tuple[EncoderName, ...] = get_args(EncoderName)
CAUSAL = [name for name in ENCODERS if name not in WINDOWED]
FORGETFUL = [name for name in CAUSAL if name != "esrnn"]  # whose smoothing remembers what its encoder may not
STEPS = 260
every_encoder = pytest.mark.parametrize("encoder", ENCODERS)
every_carrying_encoder = pytest.mark.parametrize("encoder", CAUSAL)


def _network(encoder: EncoderName, *, carry: bool, lags: int = 12) -> Network:
    torch.manual_seed(3)
    settings = NetworkSettings(encoder=encoder, lags=lags, hidden_size=16, layers=3, dropout=0.2, carry=carry)
    network = build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=SEASONS, columns=COLUMNS)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.15)
    return network.eval()


def _last_forecast(reader: Reader) -> Prediction:
    steps = reader.y.shape[1]
    last = torch.full((len(reader.y), 1), steps - 1)
    return reader.read(reader.network.initial_state(len(reader.y)), 0, steps, last)[0]


def _with_another_past(reader: Reader) -> Reader:
    """The same reader whose values and covariates before the rows that the last forecast may read are others.

    The size of the values stays, because the normaliser's floor reads the mean of all of them.
    """
    other, before = Reader(reader.network, reader.y.clone()), reader.y.shape[1] - 1 - reader.network.lead
    other.known, other.past, other.static = reader.known.clone(), reader.past.clone(), reader.static
    other.y[:, :before] = reader.y[:, :before].flip(1)
    other.known[:, : STEPS - 1] += 1.0
    other.past[:, : STEPS - 1] -= 1.0
    return other


@pytest.mark.parametrize("encoder", FORGETFUL)
def test_without_carried_state_nothing_before_the_rows_of_a_step_moves_its_forecast(encoder: EncoderName) -> None:
    for carry in (False, True):
        reader = Reader(_network(encoder, carry=carry), random_y(3, STEPS))
        assert reader.network.lead < STEPS - 100
        same = torch.allclose(_last_forecast(reader).quantiles, _last_forecast(_with_another_past(reader)).quantiles, rtol=1e-9)
        assert same is not carry


@every_encoder
def test_without_carried_state_the_encoder_has_none(encoder: EncoderName) -> None:
    reader = Reader(_network(encoder, carry=False), random_y(3, 30))
    _, state = reader.whole()
    assert state.encoder == reader.network.initial_state(3).encoder == ()


@every_carrying_encoder
def test_without_carried_state_each_step_is_the_first_step_of_a_series(encoder: EncoderName) -> None:
    torch.manual_seed(1)
    memoryless, inputs = _network(encoder, carry=False).encoder, torch.randn(4, 9, 16)
    every = torch.arange(9).expand(4, -1)
    encoding, _ = memoryless(inputs, every)
    carrying = _network(encoder, carry=True).encoder
    for step in range(9):
        first, _ = carrying(inputs[:, step : step + 1], torch.zeros(4, 1, dtype=torch.long))
        torch.testing.assert_close(encoding.summary[:, step], first.summary[:, 0])
        torch.testing.assert_close(encoding.memory[:, step], first.memory[:, 0])


def test_without_a_lag_vector_the_level_and_the_spread_are_those_of_the_default() -> None:
    alone, default = (
        build_network(NetworkSettings(lags=lags), horizon=4, levels=LEVELS, season_lengths=(7,), columns=COLUMNS)
        for lags in (1, None)
    )
    assert alone.embed is not None
    assert (alone.lags, alone.embed.in_features) == (1, WIDTHS.inputs(1))
    assert default.lags > 7
    assert alone.paths.level_window == default.paths.level_window == 7
    assert alone.normaliser.lead == default.normaliser.lead


@pytest.mark.parametrize("arguments", [{"carry": False}, {"lags": 1}, {"carry": False, "lags": 1}], ids=str)
@pytest.mark.parametrize("name", sorted(NEURAL))
def test_every_network_learns_forecasts_backtests_and_updates_without_them(name: str, arguments: dict[str, object]) -> None:
    panel = ragged_panel(series=8, longest=300, covariates=True, seed=9)
    forecaster = quick(name, **arguments)
    forecaster.fit(panel)
    cold = forecaster.predict(panel, future_of(panel))
    _require_backtest_equals_predict(forecaster, panel)
    if name in CARRYING:
        long = panel.take(np.flatnonzero(panel.lengths > 30))
        state = start(forecaster, long.until(long.ends - 1))
        news = long.tail(1)
        frame, _ = update(forecaster, state, news, future_of(news))
        at = np.searchsorted(panel.ids, long.ids)
        np.testing.assert_allclose(frame.quantiles, cold.quantiles[at], rtol=1e-5, atol=1e-4)
    rebuilt = quick(name, **arguments)
    rebuilt.restore(forecaster.weights())
    np.testing.assert_array_equal(rebuilt.predict(panel, future_of(panel)).quantiles, cold.quantiles)
    assert {key: forecaster.recipe()[key] for key in arguments} == arguments


def _require_backtest_equals_predict(forecaster: NeuralForecaster, panel: Panel) -> None:
    long = panel.take(np.flatnonzero(panel.lengths > 30))
    frame = in_order(ForecastFrame.concatenate(list(forecaster.backtest(long, long.ends[:, None] - 6))))
    direct = forecaster.predict(long.until(long.ends - 6), long.known_future(after=long.ends - 6))
    np.testing.assert_allclose(frame.quantiles, direct.quantiles, rtol=1e-5, atol=1e-4)


def test_the_default_ensemble_hands_both_to_its_members() -> None:
    forecaster = AutoForecaster(
        horizon=4, levels=NEURAL_LEVELS, season_lengths=(7,), carry=False, lags=1, max_steps=2, members=(Member(),), guards=()
    )
    forecaster.fit(ragged_panel())
    assert forecaster.members
    assert all((member.recipe()["carry"], member.recipe()["lags"]) == (False, 1) for member in forecaster.members)


def test_a_backtest_over_every_step_comes_in_blocks_of_series_and_pieces_of_time() -> None:
    panel = ragged_panel(series=8, longest=700, seed=9).tail(400)
    panel = panel.take(np.flatnonzero(panel.lengths > 30))
    forecaster = quick()
    forecaster.fit(panel)
    cutoffs = panel.ends[:, None] - np.arange(399, -1, -1)
    frames = list(forecaster.backtest(panel, cutoffs))
    assert len(frames) == 4
    assert max(len(frame) for frame in frames) <= 128 * len(panel)
    assert sum(len(frame) for frame in frames) == panel.rows
