"""The closed list of networks by name. Importing it loads torch and Lightning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import get_args

from forecast.core.forecaster import DEFAULT_LEVELS, Forecaster, MetricSink
from forecast.networks.build import EncoderName, HeadName, NetworkSettings, NormaliserName, usual_size
from forecast.networks.encoders.dilated import DilatedCell, Dilations
from forecast.networks.network import LossWeight
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.training import Precision, TrainingSettings


def recurrent(
    *, encoder: EncoderName, horizon: int, levels: tuple[float, ...] = DEFAULT_LEVELS, season_lengths: tuple[int, ...] = (),
    name: str | None = None, sink: MetricSink | None = None, seed: int = 0, head: HeadName = "quantile", lags: int | None = None,
    hidden_size: int | None = None, layers: int = 3, dropout: float = 0.1, loss_weight: LossWeight = "both",
    normaliser: NormaliserName | None = None, cell: DilatedCell = "lstm", dilations: Dilations | None = None, tau: float = 0.5,
    wiggle: float = 0.0, max_steps: int = 400,
    validate_every: int = 50, learning_rate: float = 3e-3, weight_decay: float = 1e-2, warm_up: int = 20,
    average_decay: float = 0.99, clip_norm: float = 1.0, batch_size: int = 64, segment: int = 192, stride: int = 4,
    budget: float | None = None, deterministic: bool = False, precision: Precision = "32-true",
    checkpoints: str | None = None,
) -> Forecaster:  # fmt: skip
    """Returns an untrained NeuralForecaster from flat arguments; see NetworkSettings and TrainingSettings.

    hidden_size: None takes the encoder's usual one.
    """
    return NeuralForecaster(
        horizon=horizon, levels=tuple(levels), season_lengths=tuple(season_lengths), name=name, sink=sink,
        checkpoints=None if checkpoints is None else Path(checkpoints),
        network=NetworkSettings(
            encoder=encoder, head=head, lags=lags, hidden_size=hidden_size or usual_size(encoder), layers=layers, dropout=dropout,
            loss_weight=loss_weight, normaliser=normaliser, cell=cell, tau=tau, wiggle=wiggle,
            dilations=None if dilations is None else tuple(tuple(block) for block in dilations),
        ),
        training=TrainingSettings(
            max_steps=max_steps, validate_every=validate_every, learning_rate=learning_rate, weight_decay=weight_decay,
            warm_up=warm_up, average_decay=average_decay, clip_norm=clip_norm, batch_size=batch_size, segment=segment,
            stride=stride, seed=seed, budget=budget,
            deterministic=deterministic, precision=precision,
        ),
    )  # fmt: skip


NEURAL: Mapping[str, Callable[..., Forecaster]] = {name: partial(recurrent, encoder=name) for name in get_args(EncoderName)}
