"""The Tweedie head: exact zeros and a continuous amount otherwise, as sums of random orders are."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor
from torch.nn.functional import softplus

from forecast.networks.distributions import compound_poisson
from forecast.networks.heads.non_negative import refuse_negative, scaled_mean
from forecast.networks.heads.quantile import UNIT
from forecast.networks.interfaces import Head, HeadInput

_LEAST_RATE = 1e-9


@final
class TweedieHead(Head):
    """Compound Poisson-gamma distribution with variance phi mean^1.5, trained with its exact likelihood.

    A power between 1 and 2 makes the jumps gamma with shape (2 - p) / (p - 1). At p = 1.5 that is 1, jumps are exponential, and
    density and quantiles need no series (Jorgensen 1997, section 4.2.4; Dunn & Smyth 2005, Statistics and Computing 15, section
    2); so the power is fixed there, and the dispersion is learned instead of left to a quasi-likelihood. P(0) =
    exp(-rate) with rate = 2 sqrt(mean) / phi. All of it happens in scaled units, so that forecasts scale with the data.

    Args:
        levels: Ascending, between 0 and 1.
        horizon, season_length: Not needed.
    """

    levels: Tensor

    def __init__(self, *, levels: tuple[float, ...], horizon: int, season_length: int) -> None:
        super().__init__()
        self.width = 2
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float64), persistent=False)

    def prepare(self, values: Tensor) -> None:
        """Refuses negative data; see `Head.prepare`."""
        refuse_negative("tweedie", values)

    def loss(self, given: HeadInput, target: Tensor) -> Tensor:
        """Returns the negative log likelihood of the target in scaled units. Shape [B, O, H]."""
        mean, rate = _mean_and_rate(given)
        jump = mean / rate
        scaled = target.clamp(min=0.0) / torch.where(given.scale > 0, given.scale, 1.0)
        amount = torch.where(scaled > 0, scaled, 1.0) / jump
        nll = torch.where(scaled > 0, jump.log() - compound_poisson.log_density(amount, rate), rate)
        return nll.to(given.centre.dtype)

    def mean(self, given: HeadInput) -> Tensor:
        """Returns the mean, data units. Shape [B, O, H]."""
        return scaled_mean(given) * given.scale

    def quantiles(self, given: HeadInput) -> Tensor:
        """Returns the quantiles, data units, exactly 0 up to the probability of no jump. Shape [B, O, H, Q]."""
        mean, rate = _mean_and_rate(given)
        jumps = compound_poisson.quantile(rate, self.levels)
        return jumps * (mean / rate * given.scale)[..., None]

    def draw(self, given: HeadInput, probability: Tensor) -> Tensor:
        """Returns the amount at a cumulative probability; see `Head.draw`."""
        mean, rate = _mean_and_rate(given)
        return compound_poisson.quantile(rate, probability[..., None])[..., 0] * (mean / rate * given.scale)


def _mean_and_rate(given: HeadInput) -> tuple[Tensor, Tensor]:
    """Mean in scaled units, and expected number of jumps, float64 [B, O, H]. The variance starts as the seasonal naive's."""
    mean, spread = scaled_mean(given), given.spread.to(given.scale.dtype).clamp(min=1e-6)
    phi = softplus(given.raw[..., 1].to(mean.dtype) + UNIT) * spread.square() / (mean + spread) ** 1.5
    return mean.clamp(min=1e-12), (2 * mean.sqrt() / phi).clamp(min=_LEAST_RATE)
