"""Joint sample paths of an autoregressive network: what quantiles of single steps cannot say, such as the total of a month."""

from __future__ import annotations

from typing import final

import numpy as np
from torch import Tensor

from forecast.core.arrays import FloatArray
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.interfaces import Batch, EncoderState, Prediction
from forecast.networks.state import NetworkState
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.inference import read_panel


@final
class _PathReader(ForecastingNetwork):
    """Gives the paths themselves in the place of their quantiles."""

    def __init__(self, network: ForecastingNetwork) -> None:
        super().__init__()
        self.network, self.lead, self.horizon, self.calendar = network, network.lead, network.horizon, network.calendar

    def initial_state(self, batch: int) -> NetworkState:
        """Returns the network's."""
        return self.network.initial_state(batch)

    def state_inside(self, before: Tensor, counts: Tensor) -> NetworkState:
        """Returns the network's."""
        return self.network.state_inside(before, counts)

    def prepare(self, values: Tensor, covariate_loc: Tensor, covariate_scale: Tensor) -> None:
        """Hands on to the network."""
        self.network.prepare(values, covariate_loc, covariate_scale)

    def loss_onwards(self, batch: Batch, before: NetworkState | None) -> tuple[Tensor, NetworkState]:
        """Returns the network's."""
        return self.network.loss_onwards(batch, before)

    def predict(self, batch: Batch, encoder_state: EncoderState | None) -> tuple[Prediction, NetworkState]:
        """Returns mean [B, O, H] and paths [B, O, H, S]."""
        paths, state = self.network.sample_paths(batch, encoder_state)
        return Prediction(paths.mean(dim=2), paths.transpose(2, 3)), state


def sample_paths(forecaster: NeuralForecaster, history: Panel, known_future: KnownFuture | None = None) -> FloatArray:
    """Returns S joint paths of steps 1...H after the end of each series, data units; path s is equally likely. Shape [N, S, H].

    Mean and quantiles of `predict` are those of these paths, step by step.

    Args:
        forecaster: A fitted `deepar`.
        history, known_future: As in `Forecaster.predict`.

    Raises:
        ModelError: not fitted, or a network that draws no paths.
    """
    history = forecaster.check(history)
    last = history.lengths[:, None] - 1
    read = read_panel(_PathReader(forecaster.network), history, last, forecaster.future_of(history, known_future))
    blocks = [block for some, _ in read for block in some]
    order = np.argsort(np.concatenate([block.series for block in blocks]))
    joint: FloatArray = np.concatenate([block.quantiles for block in blocks])[order].transpose(0, 2, 1)
    return joint
