"""Puts the named causal networks together from plain numbers.

The one table of encoders by name; it must not know panels or training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, final

from forecast.core.errors import ModelError
from forecast.networks.autoregressive import AutoregressiveNetwork
from forecast.networks.decoders.direct import DirectDecoder
from forecast.networks.encoders.fused import FusedRecurrent
from forecast.networks.encoders.stacked import StackedRecurrent
from forecast.networks.heads.likelihood import LikelihoodHead
from forecast.networks.heads.negative_binomial import NegativeBinomialHead
from forecast.networks.heads.nonnegative_quantile import NonnegativeQuantileHead
from forecast.networks.heads.point import PointHead
from forecast.networks.heads.quantile import QuantileHead
from forecast.networks.heads.student_t import StudentTHead
from forecast.networks.heads.tweedie import TweedieHead
from forecast.networks.heads.zero_inflated import ZeroInflatedHead
from forecast.networks.interfaces import Encoder, ForecastingNetwork, Head
from forecast.networks.naive_paths import NaivePaths
from forecast.networks.network import LossWeight, Network, Widths
from forecast.networks.normalisers.windowed_spread import WindowedSpread

EncoderName = Literal["elman", "lstm", "gru", "stacked", "deepar"]
HeadName = Literal[
    "quantile", "point", "nonnegative_quantile", "negative_binomial", "zero_inflated", "tweedie", "student_t", "likelihood"
]
_HEADS: Mapping[HeadName, Callable[..., Head]] = {
    "quantile": QuantileHead, "point": PointHead, "nonnegative_quantile": NonnegativeQuantileHead,
    "negative_binomial": NegativeBinomialHead, "zero_inflated": ZeroInflatedHead, "tweedie": TweedieHead,
    "student_t": StudentTHead, "likelihood": LikelihoodHead,
}  # fmt: skip
_DRAWN: frozenset[HeadName] = frozenset({"negative_binomial", "zero_inflated", "tweedie", "student_t", "likelihood"})
LONGEST_LEAD = 400  # rows: a longer season is no naive path and no lag


@final
@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Parts and sizes of a network.

    encoder, head: Names. lags: Length of the lag vector; None chooses it from the seasons. hidden_size: Of the embedded input and
    of every layer. layers: Of `stacked` alone. dropout: Of the embedded input and of the summary. loss_weight: See `Network`.
    samples: Paths of `deepar` alone.
    """

    encoder: EncoderName = "gru"
    head: HeadName = "quantile"
    lags: int | None = None
    hidden_size: int = 128
    layers: int = 3
    dropout: float = 0.1
    loss_weight: LossWeight = "both"
    samples: int = 100


def default_lags(season_lengths: tuple[int, ...]) -> int:
    """Returns the length of the lag vector: the longest season that fits, or some cycles of the only one."""
    fitting = [m for m in season_lengths if m <= LONGEST_LEAD]
    if not fitting:
        return 8
    shortest, longest = min(fitting), max(fitting)
    cycles = 7 if shortest >= 24 else (8 if 4 < shortest < 8 else 3)
    return min(max(longest if longest > shortest else 0, cycles * shortest, 8), LONGEST_LEAD)


def build_encoder(name: EncoderName, *, inputs: int, hidden_size: int, layers: int, dropout: float) -> Encoder:
    """Returns a new encoder: `stacked` has GRU layers, `deepar` reads with an LSTM, the others are one layer of their cell."""
    if name == "stacked":
        return StackedRecurrent(cell="gru", inputs=inputs, hidden_size=hidden_size, layers=layers, dropout=dropout)
    return FusedRecurrent(cell="lstm" if name == "deepar" else name, inputs=inputs, hidden_size=hidden_size)


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
    normaliser = WindowedSpread(season_length=season, level_window=level_window, spread_window=max(10 * season, 24))
    head = _HEADS[settings.head](levels=levels, horizon=horizon, season_length=season)
    decoder = DirectDecoder(
        summary=2 * size, horizon=horizon, outputs=paths.count + head.width, known=widths.known, first_path=paths.first
    )
    encoder = build_encoder(settings.encoder, inputs=size, hidden_size=size, layers=settings.layers, dropout=settings.dropout)
    return Network(normaliser=normaliser, paths=paths, encoder=encoder, decoder=decoder, head=head, lags=lags, widths=widths,
                   hidden_size=size, dropout=settings.dropout, loss_weight=settings.loss_weight)  # fmt: skip


def build_model(
    settings: NetworkSettings, *, horizon: int, levels: tuple[float, ...], season_lengths: tuple[int, ...], widths: Widths
) -> ForecastingNetwork:
    """Returns the network of a name: `deepar` looks one step ahead and is rolled out, the others are direct; see `build_network`.

    Raises:
        ModelError: a head without a distribution, of which nothing can be drawn, for `deepar`.
    """
    if settings.encoder != "deepar":
        return build_network(settings, horizon=horizon, levels=levels, season_lengths=season_lengths, widths=widths)
    if settings.head not in _DRAWN:
        raise ModelError(f"deepar draws from its head and {settings.head!r} has no distribution; take one of {sorted(_DRAWN)}")
    if settings.samples < 1:
        raise ModelError(f"deepar forecasts from samples, found samples {settings.samples}; ask for 1 or more")
    one_step = build_network(settings, horizon=1, levels=levels, season_lengths=season_lengths, widths=widths)
    return AutoregressiveNetwork(one_step, horizon=horizon, levels=levels, samples=settings.samples)
