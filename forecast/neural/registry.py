"""The closed list of networks by name. Importing it loads torch and Lightning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any, get_args

from forecast.core.forecaster import DEFAULT_LEVELS, MetricSink
from forecast.networks.attention import AttentionKind
from forecast.networks.encoders.dilated import Dilations
from forecast.networks.encoders.fused import Activation, CellName, InitialState, RecurrentWeights
from forecast.networks.encoders.linear_window import LinearKind
from forecast.networks.network import LossWeight
from forecast.networks.parts import HeadName, NormaliserName
from forecast.networks.settings import DecoderName, EncoderName, Memory, NetworkSettings
from forecast.neural.device import DeviceName, Precision
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.presets import preset_of
from forecast.neural.training_settings import TrainingSettings


def recurrent(
    *, encoder: EncoderName, horizon: int, levels: tuple[float, ...] = DEFAULT_LEVELS, season_lengths: tuple[int, ...] = (),
    name: str | None = None, sink: MetricSink | None = None, seed: int = 0, head: HeadName | None = None, lags: int | None = None,
    hidden_size: int | None = None, layers: int = 3, dropout: float | None = None, loss_weight: LossWeight = "both",
    linear_kind: LinearKind = "nlinear", patch: int | None = None, forced_steps: int | None = None, max_steps: int = 400,
    validate_every: int = 50, learning_rate: float | None = None, weight_decay: float | None = None, warm_up: int = 20,
    average_decay: float = 0.99, clip_norm: float = 1.0, batch_size: int = 64, segment: int = 192, stride: int | None = None,
    budget: float | None = None, deterministic: bool = False, precision: Precision = "32-true",
    checkpoints: str | None = None, mixer: int | None = None, carry: bool = True, calendar: bool = True,
    normaliser: NormaliserName | None = None, cell: CellName | None = None, dilations: Dilations | None = None, tau: float = 0.5,
    wiggle: float = 0.0, samples: int = 100, decoder: DecoderName | None = None,
    initial_state: InitialState = "zero", recurrent_weights: RecurrentWeights = "orthogonal", activation: Activation = "tanh",
    forget_bias: float = 1.0, peepholes: bool = False, residual: bool = True, layer_norm: bool = True, input_noise: float = 0.0,
    clip_value: float = 0.0, truncate_after: int = 0, patience: int = 0, average_last: int = 0, compile: bool = False,
    device: DeviceName = "auto",
    attention: AttentionKind = "additive", memory: Memory | None = None,
) -> NeuralForecaster:  # fmt: skip
    """Returns an untrained NeuralForecaster from flat arguments; see NetworkSettings and TrainingSettings.

    Where an argument that Preset names is None, the encoder's preset holds; so it does where forced_steps is None.
    """
    given: dict[str, Any] = locals()  # the arguments by name, before anything else has one
    own = preset_of(encoder, decoder).changed(hidden_size=hidden_size, dropout=dropout, learning_rate=learning_rate,
                                              weight_decay=weight_decay, stride=stride, mixer=mixer, head=head, memory=memory)  # fmt: skip
    given = given | asdict(own)
    given["forced_steps"] = round(own.forced_share * max_steps) if forced_steps is None else forced_steps
    given["dilations"] = None if dilations is None else tuple(tuple(block) for block in dilations)
    return NeuralForecaster(
        horizon=horizon, levels=tuple(levels), season_lengths=tuple(season_lengths), name=name, sink=sink,
        checkpoints=None if checkpoints is None else Path(checkpoints),
        network=NetworkSettings(**{field.name: given[field.name] for field in fields(NetworkSettings)}),
        training=TrainingSettings(**{field.name: given[field.name] for field in fields(TrainingSettings)}),
    )  # fmt: skip


NEURAL: Mapping[str, Callable[..., NeuralForecaster]] = {name: partial(recurrent, encoder=name) for name in get_args(EncoderName)}
