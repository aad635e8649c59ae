"""The quantile head: a median and gaps to the other levels, trained with the quantile loss of all levels at once."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import softplus

from forecast.core.errors import ConfigError
from forecast.networks.interfaces import Head, HeadInput

DEVIATION = math.sqrt(math.pi / 2)  # standard deviation over mean absolute value of a normal error
UNIT = math.log(math.e - 1)  # softplus(UNIT) = 1
LEAST_TAU, MOST_TAU = 0.4, 0.6
MEDIAN_WEIGHT = 8.0  # the point forecast pays for the other levels in accuracy when all count the same (docs/log.md)


def naive_gaps(levels: tuple[float, ...], horizon: int, season_length: int) -> Tensor:
    """Returns the distances between neighbouring quantiles of the seasonal naive forecast, in units of the spread.

    Its error at step h is a sum of floor((h - 1) / m) + 1 seasonal differences, here normal (Hyndman & Athanasopoulos,
    Forecasting: Principles and Practice, 3rd ed., section 5.5). Levels below 0.5 first, from the outside in, then those above,
    from the inside out; the innermost gaps end at the median. Shape [H, levels other than 0.5].
    """
    z = [NormalDist().inv_cdf(level) for level in levels if level != 0.5]
    below, above = [v for v in z if v < 0], [v for v in z if v > 0]
    gaps = [b - a for a, b in pairwise([*below, 0.0])] + [b - a for a, b in pairwise([0.0, *above])]
    cycles = torch.arange(horizon) // season_length + 1
    return DEVIATION * cycles.sqrt()[:, None] * torch.tensor(gaps)


def gap_signs(levels: tuple[float, ...]) -> Tensor:
    """Returns the matrix that turns gaps into distances from the median: quantiles = median + gaps @ signs. Shape [gaps, Q]."""
    others = [level for level in levels if level != 0.5]
    rows = [[_sign(gap, level) for level in levels] for gap in others]
    return torch.tensor(rows, dtype=torch.float32).reshape(len(others), len(levels))


def _sign(gap: float, level: float) -> float:
    if gap < 0.5:
        return -1.0 if level <= gap else 0.0
    return 1.0 if level >= gap else 0.0


@final
class QuantileHead(Head):
    """Median = centre; the other levels at softplus gaps from it, which start as the seasonal naive's own.

    Quantile loss of level q: 2 max(q (y - f), (q - 1) (y - f)), so that at q = 0.5 it is the absolute error; the loss is a mean over
    the levels in which the median counts MEDIAN_WEIGHT times (Koenker & Bassett 1978, Econometrica 46(1)).

    With `tau` other than 0.5 the median is trained as the quantile of level tau, and all others at their gaps from it. It is still
    called the median: below 0.5 it takes back a network whose forecasts are too high on the whole, as the loss in units of a level
    makes them (Smyl 2020, International Journal of Forecasting 36(1), section 3, with 0.45 to 0.49). Coverage pays for it.

    Args:
        levels: Ascending, between 0 and 1.
        horizon: H.
        season_length: m of the seasonal naive.
        tau: LEAST_TAU to MOST_TAU; 0.5 unless the levels have a median.

    Raises:
        ConfigError: a tau out of range, or one without a median that it could move.
    """

    signs: Tensor
    gaps: Tensor
    taus: Tensor
    weights: Tensor
    masses: Tensor

    def __init__(self, *, levels: tuple[float, ...], horizon: int, season_length: int, tau: float = 0.5) -> None:
        super().__init__()
        _check(tau, levels)
        self.width = 1 + sum(level != 0.5 for level in levels)
        self.register_buffer("signs", gap_signs(levels), persistent=False)
        self.register_buffer("gaps", naive_gaps(levels, horizon, season_length), persistent=False)
        self.register_buffer("taus", torch.tensor([tau if level == 0.5 else level for level in levels]), persistent=False)
        weights = torch.tensor([MEDIAN_WEIGHT if level == 0.5 else 1.0 for level in levels])
        self.register_buffer("weights", 2 * weights / weights.sum(), persistent=False)
        self.register_buffer("masses", _masses(levels), persistent=False)

    def loss(self, given: HeadInput, target: Tensor) -> Tensor:
        """Returns the weighted mean of the quantile losses, scaled units. Shape [B, O, H]."""
        scaled = (target - given.loc) / torch.where(given.scale > 0, given.scale, 1.0)
        error = scaled.to(given.centre.dtype)[..., None] - self.scaled(given)
        return torch.maximum(self.taus * error, (self.taus - 1) * error) @ self.weights

    def mean(self, given: HeadInput) -> Tensor:
        """Returns the mean of the distribution whose quantile function is linear between the levels and flat outside them."""
        return self.forecast(given)[0]

    def quantiles(self, given: HeadInput) -> Tensor:
        """Returns the quantiles, data units; see `Head.quantiles`."""
        return self.forecast(given)[1]

    def forecast(self, given: HeadInput) -> tuple[Tensor, Tensor]:
        """Returns both from one reading of the gaps; see `Head.forecast`."""
        scaled = self.scaled(given)
        return (scaled @ self.masses) * given.scale + given.loc, scaled * given.scale[..., None] + given.loc[..., None]

    def scaled(self, given: HeadInput) -> Tensor:
        """Returns the quantiles in scaled units. Shape [B, O, H, Q]."""
        gaps = softplus(given.raw[..., 1:] + UNIT) * self.gaps * given.spread[..., None]
        return given.centre[..., None] + gaps @ self.signs


def _check(tau: float, levels: tuple[float, ...]) -> None:
    if not LEAST_TAU <= tau <= MOST_TAU:
        raise ConfigError(
            f"tau is {tau}: the median may be trained at {LEAST_TAU} to {MOST_TAU}, farther off it is another quantile"
        )
    if tau != 0.5 and 0.5 not in levels:
        raise ConfigError(f"tau is {tau}, and the levels {list(levels)} have no median that it could move: add the level 0.5")


def _masses(levels: tuple[float, ...]) -> Tensor:
    """Weight of each quantile in the mean: half of the probability to each neighbour, the tails to the outermost. Shape [Q]."""
    edges = [0.0, *((a + b) / 2 for a, b in pairwise(levels)), 1.0]
    return torch.tensor([b - a for a, b in pairwise(edges)])
