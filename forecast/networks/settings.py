"""The parts and sizes of a network as plain values, by name.

It must not know how a part is made: encoders are put together in `encoder_table`, decoders in `decoder_table`, whole networks
in `build`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, final

from forecast.networks.attention import AttentionKind
from forecast.networks.encoders.dilated import Dilations
from forecast.networks.encoders.fused import Activation, CellName, InitialState, RecurrentWeights
from forecast.networks.encoders.linear_window import LinearKind
from forecast.networks.network import LossWeight
from forecast.networks.parts import HeadName, NormaliserName

EncoderName = Literal[
    "elman",
    "lstm",
    "gru",
    "stacked",
    "dilated",
    "esrnn",
    "linear",
    "segrnn",
    "mqrnn",
    "seq2seq",
    "deepar",
    "min_gru",
    "min_lstm",
    "s4d",
    "mamba",
    "bidirectional",
    "seq2seq_attention",
    "transformer",
    "slstm",
    "mlstm",
    "rwkv",
]
DecoderName = Literal[
    "direct",
    "context",
    "unrolled",
    "low_rank",
    "segments",
    "attention",
]
Memory = Literal["long", "short"]


class Sizes(NamedTuple):
    """What parts are fitted into.

    lags: D. context: Inputs of a step beside the lag vector. hidden_size: Of the embedded input and of the states. horizon: H.
    paths: R. outputs: R + P. known: K. first_path: The path that an untrained network follows. seasons: In steps, shortest first,
    those that fit.
    """

    lags: int
    context: int
    hidden_size: int
    horizon: int
    paths: int
    outputs: int
    known: int
    first_path: int
    seasons: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Parts and sizes of a network.

    encoder, head: Names.
    lags: Length of the lag vector; None chooses it from the seasons, 1 leaves a step its own value alone.
    hidden_size: Of the embedded input and of every layer.
    layers: Of `stacked` and `transformer`, and blocks of `min_gru`, `min_lstm`, `s4d` and `mamba`.
    dropout: Of the embedded input and of the summary.
    loss_weight: See `Network`.
    mixer: Hidden width of the LocalMixer; 0 for none.
    carry: False puts the encoder's state to zero before every step, so that a step sees its own input alone. `lags=1` and
        `carry=False` are ablations: they say what the lag vector and the recurrence are worth.
    calendar: Whether the network is told where each step stands in its day, week, month and year, as far as the training panel
        passes through them repeatedly.
    linear_kind: Of `linear`. patch: Steps of a segment of `segrnn`; None chooses it from the season.
    forced_steps: Training steps after which a decoder that feeds its own forecasts back no longer hears true values, see
        `UnrolledDecoder`.
    normaliser: None is exponential smoothing for `esrnn` and the windowed spread for all others.
    cell: Of `stacked` (None: gru), `dilated`, `esrnn`, `bidirectional` and `seq2seq_attention` (None: lstm).
    dilations: Of `dilated` and `esrnn`; None chooses them from the seasons.
    tau: See QuantileHead. wiggle: See ExponentialSmoothing, which goes on smoothing where `carry` is False.
    samples: Paths of `deepar`.
    decoder: None is the encoder's own; see `encoder_table` for those that an encoder can have.
    attention: How the decoder `attention` weighs the steps of the window.
    initial_state, recurrent_weights, activation, forget_bias, peepholes: See CellOptions. residual, layer_norm: Of `stacked`.
    input_noise: Deviation of the noise on the lag vectors while the network learns, scaled units.
    memory: `short` reads nothing but the lags and SPARE_ROWS before them, so that the carried state is small; `long` also reads four
        cycles of every season and the spread of ten.
    """

    encoder: EncoderName = "gru"
    head: HeadName = "quantile"
    lags: int | None = None
    hidden_size: int = 128
    layers: int = 3
    dropout: float = 0.1
    loss_weight: LossWeight = "both"
    mixer: int = 32
    carry: bool = True
    calendar: bool = True
    linear_kind: LinearKind = "nlinear"
    patch: int | None = None
    forced_steps: int = 0
    normaliser: NormaliserName | None = None
    cell: CellName | None = None
    dilations: Dilations | None = None
    tau: float = 0.5
    wiggle: float = 0.0
    samples: int = 100
    decoder: DecoderName | None = None
    initial_state: InitialState = "zero"
    recurrent_weights: RecurrentWeights = "orthogonal"
    activation: Activation = "tanh"
    forget_bias: float = 1.0
    peepholes: bool = False
    residual: bool = True
    layer_norm: bool = True
    input_noise: float = 0.0
    attention: AttentionKind = "additive"
    memory: Memory = "long"
