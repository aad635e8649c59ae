"""Which past steps a forecast looks at: the weights of an attention decoder as a table.

It must not draw; `forecast.reporting.attention` does.
"""

from __future__ import annotations

from typing import final

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from forecast.core.arrays import BoolArray, FloatArray
from forecast.core.errors import ModelError
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.networks.attention import Attention
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.interfaces import Batch, EncoderState, Prediction
from forecast.networks.state import NetworkState
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.inference import read_panel

COLUMNS = ("unique_id", "cutoff", "step", "ds", "lag", "attended_ds", "weight")


@final
class _WeightReader(ForecastingNetwork):
    """Gives the weights of the attention in the place of the quantiles."""

    def __init__(self, network: ForecastingNetwork, attention: Attention) -> None:
        super().__init__()
        self.network, self.watched = network, attention
        self.lead, self.horizon, self.calendar = network.lead, network.horizon, network.calendar

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
        """Returns mean [B, 1, H] and weights [B, 1, H, M] of the one origin of each row; no weights where none is wanted."""
        every: list[Tensor] = []

        def keep(module: nn.Module, given: tuple[Tensor, ...], found: tuple[Tensor, Tensor]) -> None:
            every.append(found[1])

        handle = self.watched.register_forward_hook(keep)
        try:
            prediction, state = self.network.predict(batch, encoder_state)
        finally:
            handle.remove()
        return Prediction(prediction.mean, torch.stack(every, dim=1)[:, None].double()), state


def attention_weights(forecaster: NeuralForecaster, history: Panel, known_future: KnownFuture | None = None) -> pd.DataFrame:
    """Returns how much each step of the forecasts after the end of each series looks at each past step.

    One row per series, step and observed step of the window: unique_id, cutoff, step (1...H) and its ds, lag (0 is the cutoff) and its
    attended_ds, weight. The weights of a series and step sum to 1. Missing steps have no row, nor has a series whose window has no
    observation. Of N series there are up to N * H * D rows: ask for the series to look at (`history.select`).

    Args:
        forecaster: Fitted, with the decoder `attention`: a `seq2seq_attention`, or another that was given it.
        history, known_future: As in `Forecaster.predict`.

    Raises:
        ModelError: not fitted, or a network without attention.
    """
    history = forecaster.check(history)
    attention = forecaster.network.attention
    if attention is None:
        raise ModelError(
            f"{forecaster.name} has no attention to show: nothing in it weighs the past steps; take `seq2seq_attention`, or "
            "the decoder `attention` behind `bidirectional` or `transformer`"
        )
    reader = _WeightReader(forecaster.network, attention)
    read = read_panel(reader, history, history.lengths[:, None] - 1, forecaster.future_of(history, known_future))
    blocks = [block for some, _ in read for block in some]
    order = np.argsort(np.concatenate([block.series for block in blocks]))
    return _table(history, np.concatenate([block.quantiles for block in blocks])[order])


def _table(history: Panel, weights: FloatArray) -> pd.DataFrame:
    """The weights [N, H, D], oldest step first, as a frame."""
    window = weights.shape[2]
    seen = np.broadcast_to(_observed(history, window)[:, None], weights.shape)
    series, step, column = np.nonzero(seen)
    cutoff, lag, stamps = history.ends[series], window - 1 - column, history.frequency.stamps
    values = (history.ids[series], stamps(cutoff), step + 1, stamps(cutoff + step + 1), lag, stamps(cutoff - lag), weights[seen])
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)))


def _observed(history: Panel, window: int) -> BoolArray:
    """Which of the last steps of each series were observed, oldest first. Shape [N, window]."""
    row = history.offsets[1:, None] - np.arange(window, 0, -1)
    inside: BoolArray = row >= history.offsets[:-1, None]
    seen: BoolArray = inside & ~np.isnan(history.y[np.maximum(row, 0)])
    return seen
