"""Puts the named networks together from plain numbers.

The one table of encoders by name; it must not know panels or training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from forecast.core.errors import ModelError
from forecast.networks.autoregressive import AutoregressiveNetwork
from forecast.networks.decoders.direct import DirectDecoder
from forecast.networks.encoders.dilated import DilatedCell, DilatedRecurrent, Dilations, default_dilations
from forecast.networks.encoders.fused import FusedRecurrent
from forecast.networks.encoders.linear_window import LinearKind
from forecast.networks.encoders.memoryless import Memoryless
from forecast.networks.encoders.stacked import StackedRecurrent
from forecast.networks.families import Sizes, default_patch, linear, mqrnn, segrnn, seq2seq, window_lags
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.interfaces import Decoder, Encoder
from forecast.networks.local_mixer import LocalMixer
from forecast.networks.naive_paths import NaivePaths
from forecast.networks.network import LossWeight, Network, Widths
from forecast.networks.parts import DRAWN, HeadName, NormaliserName, build_head, build_normaliser

EncoderName = Literal["elman", "lstm", "gru", "stacked", "dilated", "esrnn", "linear", "segrnn", "mqrnn", "seq2seq", "deepar"]
WINDOWED: frozenset[EncoderName] = frozenset({"linear", "segrnn"})
LONGEST_LEAD = 400  # rows: a longer season is no naive path and no lag


@final
@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Parts and sizes of a network.

    encoder, head: Names. lags: Length of the lag vector; None chooses it from the seasons, 1 leaves a step its own value alone.
    hidden_size: Of the embedded input and of every layer. layers: Of `stacked` alone. dropout: Of the embedded input and of the
    summary. loss_weight: See `Network`. mixer: Hidden width of the LocalMixer; 0 for none. carry: False puts the encoder's
    state to zero before every step, so that a step sees its own input alone. `lags=1` and `carry=False` are ablations: they say
    what the lag vector and the recurrence are worth. calendar: Whether the network is told where each step stands in its day,
    week, month and year, as far as the training panel passes through them repeatedly. linear_kind: Of `linear` alone. patch:
    Steps of a segment of `segrnn`; None chooses it from the season. forced_steps: Training steps after which `seq2seq` no
    longer hears true values, see `UnrolledDecoder`. normaliser: None is exponential smoothing for `esrnn` and the windowed spread
    for all others. cell, dilations: Of `dilated` and `esrnn` alone; None chooses the dilations from the seasons. tau: See
    QuantileHead. wiggle: See ExponentialSmoothing, which goes on smoothing where `carry` is False. samples: Paths of `deepar` alone.
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
    cell: DilatedCell = "lstm"
    dilations: Dilations | None = None
    tau: float = 0.5
    wiggle: float = 0.0
    samples: int = 100


def default_lags(season_lengths: tuple[int, ...]) -> int:
    """Returns the length of the lag vector: the longest season that fits, or some cycles of the only one."""
    fitting = [m for m in season_lengths if m <= LONGEST_LEAD]
    if not fitting:
        return 8
    shortest, longest = min(fitting), max(fitting)
    cycles = 7 if shortest >= 24 else (8 if 4 < shortest < 8 else 3)
    return min(max(longest if longest > shortest else 0, cycles * shortest, 8), LONGEST_LEAD)


def build_encoder(
    name: Literal["elman", "lstm", "gru", "stacked", "dilated", "esrnn", "deepar"],
    settings: NetworkSettings,
    seasons: tuple[int, ...],
) -> Encoder:
    """Returns a new encoder: `stacked` has GRU layers, `dilated` and `esrnn` are dilated stacks, `deepar` reads with an LSTM, the
    others are one layer of their cell."""
    size = settings.hidden_size
    if name == "stacked":
        return StackedRecurrent(cell="gru", inputs=size, hidden_size=size, layers=settings.layers, dropout=settings.dropout)
    if name == "dilated" or name == "esrnn":
        dilations = settings.dilations or default_dilations(seasons)
        return DilatedRecurrent(cell=settings.cell, inputs=size, hidden_size=size, dilations=dilations)
    return FusedRecurrent(cell="lstm" if name == "deepar" else name, inputs=size, hidden_size=size)


def build_parts(settings: NetworkSettings, sizes: Sizes, seasons: tuple[int, ...]) -> tuple[Encoder, Decoder]:
    """Returns a new encoder and its decoder."""
    match settings.encoder:
        case "linear":
            return linear(sizes, settings.linear_kind, settings.dropout)
        case "segrnn":
            return segrnn(sizes, settings.patch or default_patch(sizes.lags, seasons[0] if seasons else 1), settings.dropout)
        case "mqrnn":
            return mqrnn(sizes)
        case "seq2seq":
            return seq2seq(sizes, settings.forced_steps)
        case name:
            decoder = DirectDecoder(summary=2 * sizes.hidden_size, horizon=sizes.horizon, outputs=sizes.outputs, known=sizes.known,
                                    first_path=sizes.first_path)  # fmt: skip
            return build_encoder(name, settings, seasons), decoder


def build_network(
    settings: NetworkSettings,
    *,
    horizon: int,
    levels: tuple[float, ...],
    season_lengths: tuple[int, ...],
    widths: Widths,
    calendar: tuple[str, ...] = (),
) -> Network:
    """Returns a new network; before training it forecasts (mostly) the seasonal naive with its intervals.

    Args:
        settings: Parts and sizes.
        horizon, levels: H and the quantile levels.
        season_lengths: In steps; those longer than LONGEST_LEAD are left to the covariates.
        widths: Numbers of covariates, the features of the calendar among the known ones.
        calendar: Names of the cycles that these features stand for.
    """
    seasons = tuple(m for m in season_lengths if 1 < m <= LONGEST_LEAD)
    season, size = (seasons[0] if seasons else 1), settings.hidden_size
    usual = default_lags(season_lengths)
    lags = settings.lags or (window_lags(usual, horizon) if settings.encoder in WINDOWED else usual)
    # Without a lag vector the level stays that of the default: an ablation takes one thing away.
    reach = lags if lags > 1 else usual
    level_window = max([*(m for m in seasons if m <= reach), 4])
    paths = NaivePaths(horizon=horizon, season_lengths=seasons, level_window=level_window)
    normaliser = build_normaliser(
        settings.normaliser or ("exponential_smoothing" if settings.encoder == "esrnn" else "windowed_spread"),
        season_lengths=seasons, level_window=level_window, wiggle=settings.wiggle,
    )  # fmt: skip
    head = build_head(settings.head, horizon=horizon, levels=levels, season_length=season, tau=settings.tau)
    count, first = paths.count + normaliser.is_path, paths.count if normaliser.is_path else paths.first
    sizes = Sizes(lags, widths.inputs(lags) - 2 * lags, size, horizon, count, count + head.width, widths.known, first)
    encoder, decoder = build_parts(settings, sizes, seasons)
    encoder = encoder if settings.carry or not encoder.causal else Memoryless(encoder)
    mixer = None
    if settings.mixer:
        mixer = LocalMixer(paths=count, summary=encoder.width + size * encoder.causal, horizon=horizon, outputs=sizes.outputs,
                           hidden=settings.mixer)  # fmt: skip
    return Network(normaliser=normaliser, paths=paths, encoder=encoder, decoder=decoder, head=head, lags=lags, widths=widths,
                   hidden_size=size, dropout=settings.dropout, loss_weight=settings.loss_weight, mixer=mixer, calendar=calendar)  # fmt: skip


def build_model(
    settings: NetworkSettings,
    *,
    horizon: int,
    levels: tuple[float, ...],
    season_lengths: tuple[int, ...],
    widths: Widths,
    calendar: tuple[str, ...] = (),
) -> ForecastingNetwork:
    """Returns the network of a name: `deepar` looks one step ahead and is rolled out, the others are direct; see `build_network`.

    Raises:
        ModelError: a head without a distribution, of which nothing can be drawn, for `deepar`.
    """
    rolled = settings.encoder == "deepar"
    if rolled and settings.head not in DRAWN:
        raise ModelError(f"deepar draws from its head and {settings.head!r} has no distribution; take one of {sorted(DRAWN)}")
    if rolled and settings.samples < 1:
        raise ModelError(f"deepar forecasts from samples, found samples {settings.samples}; ask for 1 or more")
    direct = build_network(settings, horizon=1 if rolled else horizon, levels=levels, season_lengths=season_lengths, widths=widths,
                           calendar=calendar)  # fmt: skip
    return AutoregressiveNetwork(direct, horizon=horizon, levels=levels, samples=settings.samples) if rolled else direct
