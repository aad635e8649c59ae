"""Puts the named causal networks together from plain numbers.

The one table of encoders by name; it must not know panels or training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from forecast.networks.decoders.direct import DirectDecoder
from forecast.networks.encoders.fused import FusedRecurrent
from forecast.networks.encoders.memoryless import Memoryless
from forecast.networks.encoders.stacked import StackedRecurrent
from forecast.networks.heads.point import PointHead
from forecast.networks.heads.quantile import QuantileHead
from forecast.networks.interfaces import Encoder, Head
from forecast.networks.local_mixer import LocalMixer
from forecast.networks.naive_paths import NaivePaths
from forecast.networks.network import LossWeight, Network, Widths
from forecast.networks.normalisers.windowed_spread import WindowedSpread

EncoderName = Literal["elman", "lstm", "gru", "stacked"]
HeadName = Literal["quantile", "point"]
LONGEST_LEAD = 400  # rows: a longer season is no naive path and no lag


@final
@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Parts and sizes of a network.

    encoder, head: Names. lags: Length of the lag vector; None chooses it from the seasons, 1 leaves a step its own value alone.
    hidden_size: Of the embedded input and of every layer. layers: Of `stacked` alone. dropout: Of the embedded input and of the
    summary. loss_weight: See `Network`. mixer: Hidden width of the LocalMixer; 0 for none. carry: False puts the encoder's state to
    zero before every step, so that a step sees its own input alone. `lags=1` and `carry=False` are ablations: they say what the lag
    vector and the recurrence are worth.
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
    # Without a lag vector the level stays that of the default: an ablation takes one thing away.
    reach = lags if lags > 1 else default_lags(season_lengths)
    level_window = max([*(m for m in seasons if m <= reach), 4])
    paths = NaivePaths(horizon=horizon, season_lengths=seasons, level_window=level_window)
    normaliser = WindowedSpread(season_length=season, level_window=level_window, spread_window=max(10 * season, 24))
    kind = PointHead if settings.head == "point" else QuantileHead
    head: Head = kind(levels=levels, horizon=horizon, season_length=season)
    decoder = DirectDecoder(
        summary=2 * size, horizon=horizon, outputs=paths.count + head.width, known=widths.known, first_path=paths.first
    )
    encoder = build_encoder(settings.encoder, inputs=size, hidden_size=size, layers=settings.layers, dropout=settings.dropout)
    encoder = encoder if settings.carry else Memoryless(encoder)
    mixer = None
    if settings.mixer:
        mixer = LocalMixer(
            paths=paths.count, summary=2 * size, horizon=horizon, outputs=paths.count + head.width, hidden=settings.mixer
        )
    return Network(normaliser=normaliser, paths=paths, encoder=encoder, decoder=decoder, head=head, lags=lags, widths=widths,
                   hidden_size=size, dropout=settings.dropout, loss_weight=settings.loss_weight, mixer=mixer)  # fmt: skip
