"""Puts the named causal networks together from plain numbers.

The one table of encoders by name; it must not know panels or training.
"""

from __future__ import annotations

from typing import Literal

from forecast.networks.decoders.direct import DirectDecoder
from forecast.networks.encoders.fused import FusedRecurrent
from forecast.networks.encoders.stacked import StackedRecurrent
from forecast.networks.heads.point import PointHead
from forecast.networks.heads.quantile import QuantileHead
from forecast.networks.interfaces import Encoder, Head
from forecast.networks.naive_paths import NaivePaths
from forecast.networks.network import LossWeight, Network, Widths
from forecast.networks.normalisers.windowed_spread import WindowedSpread

EncoderName = Literal["elman", "lstm", "gru", "stacked"]
HeadName = Literal["quantile", "point"]
LONGEST_LEAD = 400  # rows: a longer season is no naive path and no lag


def default_lags(season_lengths: tuple[int, ...]) -> int:
    """Returns the length of the lag vector: the longest season that fits, or some cycles of the only one."""
    fitting = [m for m in season_lengths if m <= LONGEST_LEAD]
    if not fitting:
        return 8
    shortest, longest = min(fitting), max(fitting)
    cycles = 7 if shortest >= 24 else (8 if 4 < shortest < 8 else 3)
    return min(max(longest if longest > shortest else 0, cycles * shortest, 8), LONGEST_LEAD)


def build_encoder(name: EncoderName, *, inputs: int, hidden_size: int, layers: int, dropout: float) -> Encoder:
    """Returns a new encoder: `stacked` has GRU layers, the others are one layer of their cell."""
    if name == "stacked":
        return StackedRecurrent(cell="gru", inputs=inputs, hidden_size=hidden_size, layers=layers, dropout=dropout)
    return FusedRecurrent(cell=name, inputs=inputs, hidden_size=hidden_size)


def build_network(
    *, encoder: EncoderName, head: HeadName, horizon: int, levels: tuple[float, ...], season_lengths: tuple[int, ...], lags: int,
    hidden_size: int, layers: int, dropout: float, widths: Widths, loss_weight: LossWeight,
) -> Network:  # fmt: skip
    """Returns a new causal network; before training it forecasts (mostly) the seasonal naive with its intervals.

    Args:
        encoder, head: Names.
        horizon, levels: H and the quantile levels.
        season_lengths: In steps; those longer than LONGEST_LEAD are left to the lags and covariates.
        lags: D, length of the lag vector.
        hidden_size, layers, dropout: Of the encoder; layers counts for `stacked` alone.
        widths: Numbers of covariates.
        loss_weight: See `Network`.
    """
    seasons = tuple(m for m in season_lengths if 1 < m <= LONGEST_LEAD)
    season = seasons[0] if seasons else 1
    level_window = max([*(m for m in seasons if m <= lags), 4])
    paths = NaivePaths(horizon=horizon, season_lengths=seasons, drift_window=level_window)
    normaliser = WindowedSpread(season_length=season, level_window=level_window, spread_window=max(10 * season, 24))
    kind = PointHead if head == "point" else QuantileHead
    built: Head = kind(levels=levels, horizon=horizon, season_length=season)
    decoder = DirectDecoder(
        summary=2 * hidden_size, horizon=horizon, outputs=paths.count + built.width, known=widths.known, first_path=paths.first
    )
    cells = build_encoder(encoder, inputs=hidden_size, hidden_size=hidden_size, layers=layers, dropout=dropout)
    return Network(normaliser=normaliser, paths=paths, encoder=cells, decoder=decoder, head=built, lags=lags, widths=widths,
                   hidden_size=hidden_size, dropout=dropout, loss_weight=loss_weight)  # fmt: skip
