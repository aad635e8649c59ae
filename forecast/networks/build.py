"""Puts the named causal networks together from plain numbers.

The one table of encoders by name; it must not know panels or training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from forecast.core.errors import ConfigError
from forecast.networks.decoders.direct import DirectDecoder
from forecast.networks.encoders.dilated import DilatedCell, DilatedRecurrent, Dilations, default_dilations
from forecast.networks.encoders.fused import FusedRecurrent
from forecast.networks.encoders.stacked import StackedRecurrent
from forecast.networks.heads.point import PointHead
from forecast.networks.heads.quantile import QuantileHead
from forecast.networks.interfaces import Encoder, Head, Normaliser
from forecast.networks.naive_paths import NaivePaths
from forecast.networks.network import LossWeight, Network, Widths
from forecast.networks.normalisers.exponential_smoothing import ExponentialSmoothing
from forecast.networks.normalisers.windowed_spread import WindowedSpread

EncoderName = Literal["elman", "lstm", "gru", "stacked", "dilated", "esrnn"]
HeadName = Literal["quantile", "point"]
NormaliserName = Literal["windowed_spread", "exponential_smoothing"]
LONGEST_LEAD = 400  # rows: a longer season is no naive path and no lag


@final
@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Parts and sizes of a network.

    encoder, head: Names. lags: Length of the lag vector; None chooses it from the seasons. hidden_size: Of the embedded input and
    of every layer. layers: Of `stacked` alone. dropout: Of the embedded input and of the summary. loss_weight: See `Network`.
    normaliser: None is exponential smoothing for `esrnn` and the windowed spread for all others. cell, dilations: Of `dilated` and
    `esrnn` alone; None chooses the dilations from the seasons. tau: See QuantileHead. wiggle: See ExponentialSmoothing.
    """

    encoder: EncoderName = "gru"
    head: HeadName = "quantile"
    lags: int | None = None
    hidden_size: int = 128
    layers: int = 3
    dropout: float = 0.1
    loss_weight: LossWeight = "both"
    normaliser: NormaliserName | None = None
    cell: DilatedCell = "lstm"
    dilations: Dilations | None = None
    tau: float = 0.5
    wiggle: float = 0.0


def usual_size(encoder: EncoderName) -> int:
    """Returns the hidden size of an encoder for which none is asked: the dilated stacks have four layers, and those of the M4 winner
    were 40 wide."""
    return 40 if encoder in ("dilated", "esrnn") else 128


def default_lags(season_lengths: tuple[int, ...]) -> int:
    """Returns the length of the lag vector: the longest season that fits, or some cycles of the only one."""
    fitting = [m for m in season_lengths if m <= LONGEST_LEAD]
    if not fitting:
        return 8
    shortest, longest = min(fitting), max(fitting)
    cycles = 7 if shortest >= 24 else (8 if 4 < shortest < 8 else 3)
    return min(max(longest if longest > shortest else 0, cycles * shortest, 8), LONGEST_LEAD)


def build_encoder(settings: NetworkSettings, season_lengths: tuple[int, ...]) -> Encoder:
    """Returns a new encoder: `stacked` has GRU layers, `dilated` and `esrnn` are dilated stacks, the others one layer of their cell."""
    size = settings.hidden_size
    if settings.encoder == "stacked":
        return StackedRecurrent(cell="gru", inputs=size, hidden_size=size, layers=settings.layers, dropout=settings.dropout)
    if settings.encoder == "dilated" or settings.encoder == "esrnn":
        dilations = settings.dilations or default_dilations(season_lengths)
        return DilatedRecurrent(cell=settings.cell, inputs=size, hidden_size=size, dilations=dilations)
    return FusedRecurrent(cell=settings.encoder, inputs=size, hidden_size=size)


def build_normaliser(settings: NetworkSettings, season_lengths: tuple[int, ...], level_window: int) -> Normaliser:
    """Returns a new normaliser of these seasons: the one asked for, or the encoder's usual one."""
    season = season_lengths[0] if season_lengths else 1
    spread_window = max(10 * season, 24)
    if (settings.normaliser or ("exponential_smoothing" if settings.encoder == "esrnn" else "")) == "exponential_smoothing":
        return ExponentialSmoothing(
            season_lengths=season_lengths, level_window=level_window, spread_window=spread_window, wiggle=settings.wiggle
        )
    return WindowedSpread(season_length=season, level_window=level_window, spread_window=spread_window)


def build_head(settings: NetworkSettings, *, horizon: int, levels: tuple[float, ...], season_length: int) -> Head:
    """Returns a new head.

    Raises:
        ConfigError: a tau without a median that it could move.
    """
    if settings.head == "quantile":
        return QuantileHead(levels=levels, horizon=horizon, season_length=season_length, tau=settings.tau)
    if settings.tau != 0.5:
        raise ConfigError(
            f"tau is {settings.tau}, and the head {settings.head!r} has none: leave it out, or take the head 'quantile'"
        )
    return PointHead(levels=levels, horizon=horizon, season_length=season_length)


def build_network(
    settings: NetworkSettings, *, horizon: int, levels: tuple[float, ...], season_lengths: tuple[int, ...], widths: Widths
) -> Network:
    """Returns a new causal network; before training it forecasts (mostly) the seasonal naive with its intervals.

    Args:
        settings: Parts and sizes.
        horizon, levels: H and the quantile levels.
        season_lengths: In steps; those longer than LONGEST_LEAD are left to the covariates.
        widths: Numbers of covariates.
    """
    seasons = tuple(m for m in season_lengths if 1 < m <= LONGEST_LEAD)
    season, size = (seasons[0] if seasons else 1), settings.hidden_size
    lags = settings.lags or default_lags(season_lengths)
    level_window = max([*(m for m in seasons if m <= lags), 4])
    paths = NaivePaths(horizon=horizon, season_lengths=seasons, level_window=level_window)
    normaliser = build_normaliser(settings, seasons, level_window)
    count, first = paths.count + normaliser.is_path, paths.count if normaliser.is_path else paths.first
    head = build_head(settings, horizon=horizon, levels=levels, season_length=season)
    decoder = DirectDecoder(summary=2 * size, horizon=horizon, outputs=count + head.width, known=widths.known, first_path=first)
    encoder = build_encoder(settings, seasons)
    return Network(normaliser=normaliser, paths=paths, encoder=encoder, decoder=decoder, head=head, lags=lags, widths=widths,
                   hidden_size=size, dropout=settings.dropout, loss_weight=settings.loss_weight)  # fmt: skip
