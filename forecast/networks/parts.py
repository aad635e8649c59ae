"""Heads and normalisers by name: the parts that fit every encoder.

It must not know settings, panels or training; encoders and their decoders are put together in `build` and `families`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from forecast.core.errors import ConfigError
from forecast.networks.heads.likelihood import LikelihoodHead
from forecast.networks.heads.negative_binomial import NegativeBinomialHead
from forecast.networks.heads.nonnegative_quantile import NonnegativeQuantileHead
from forecast.networks.heads.point import PointHead
from forecast.networks.heads.quantile import QuantileHead
from forecast.networks.heads.student_t import StudentTHead
from forecast.networks.heads.tweedie import TweedieHead
from forecast.networks.heads.zero_inflated import ZeroInflatedHead
from forecast.networks.interfaces import Head, Normaliser
from forecast.networks.normalisers.exponential_smoothing import ExponentialSmoothing
from forecast.networks.normalisers.windowed_spread import WindowedSpread, fewest_differences

HeadName = Literal[
    "quantile", "point", "nonnegative_quantile", "negative_binomial", "zero_inflated", "tweedie", "student_t", "likelihood"
]
_HEADS: Mapping[HeadName, Callable[..., Head]] = {  # those without a tau
    "point": PointHead, "nonnegative_quantile": NonnegativeQuantileHead, "negative_binomial": NegativeBinomialHead,
    "zero_inflated": ZeroInflatedHead, "tweedie": TweedieHead, "student_t": StudentTHead, "likelihood": LikelihoodHead,
}  # fmt: skip
DRAWN: frozenset[HeadName] = frozenset({"negative_binomial", "zero_inflated", "tweedie", "student_t", "likelihood"})
NormaliserName = Literal["windowed_spread", "exponential_smoothing"]


def build_normaliser(
    name: NormaliserName, *, season_lengths: tuple[int, ...], level_window: int, wiggle: float, rows: int | None = None
) -> Normaliser:
    """Returns a new normaliser of these seasons; the spread is that of ten cycles of the shortest.

    Args:
        name: Which.
        season_lengths, level_window, wiggle: See ExponentialSmoothing.
        rows: How many of the last rows the spread may be taken from; None: all that it asks for. Of a season that leaves too few
            differences the spread is that of neighbours.
    """
    season = season_lengths[0] if season_lengths else 1
    if rows is not None and rows - season < fewest_differences(season):
        season = 1
    spread_window = max(10 * season, 24)
    if rows is not None:
        spread_window = min(spread_window, rows - season)
    if name == "exponential_smoothing":
        return ExponentialSmoothing(
            season_lengths=season_lengths, level_window=level_window, spread_window=spread_window, wiggle=wiggle
        )
    return WindowedSpread(season_length=season, level_window=level_window, spread_window=spread_window)


def build_head(name: HeadName, *, horizon: int, levels: tuple[float, ...], season_length: int, tau: float) -> Head:
    """Returns a new head.

    Raises:
        ConfigError: a tau without a median that it could move.
    """
    if name == "quantile":
        return QuantileHead(levels=levels, horizon=horizon, season_length=season_length, tau=tau)
    if tau != 0.5:
        raise ConfigError(f"tau is {tau}, and the head {name!r} has none: leave it out, or take the head 'quantile'")
    return _HEADS[name](levels=levels, horizon=horizon, season_length=season_length)
