"""The negative binomial head: whole numbers from 0 on, with more variance than Poisson's."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor
from torch.nn.functional import softplus

from forecast.networks.distributions import negative_binomial
from forecast.networks.heads.non_negative import refuse_fractions, refuse_negative, scaled_mean
from forecast.networks.heads.quantile import UNIT
from forecast.networks.interfaces import Head, HeadInput


def mean_and_dispersion(given: HeadInput) -> tuple[Tensor, Tensor]:
    """Returns mean (data units) and dispersion of each target, float64; what the network says multiplies the past's own dispersion.

    The dispersion starts at (spread / (mean + spread))^2, the squared coefficient of variation of the seasonal naive, kept below 1.
    """
    mean, spread = scaled_mean(given), given.spread.to(given.scale.dtype)
    dispersion = softplus(given.raw[..., 1].to(mean.dtype) + UNIT) * (spread / (mean + spread)).square()
    return mean * given.scale, dispersion


@final
class NegativeBinomialHead(Head):
    """Mean = softplus of the shifted centre times scale; trained with the likelihood (Salinas et al. 2020, section 3.1).

    It works in data units, where a count of 1 is 1 whatever the scale: exempt from the law that forecasts scale with the data.
    Quantiles are whole numbers and may be exactly 0. Data that are negative or no whole numbers are refused at `fit`: the
    distribution could never have given them.

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
        """Refuses data that are no counts; see `Head.prepare`."""
        refuse_negative("negative_binomial", values)
        refuse_fractions("negative_binomial", values)

    def loss(self, given: HeadInput, target: Tensor) -> Tensor:
        """Returns the negative log likelihood. Shape [B, O, H]."""
        mean, dispersion = mean_and_dispersion(given)
        nll = -negative_binomial.log_probability(target.clamp(min=0.0), mean, dispersion)  # what is not counted may be negative
        return nll.to(given.centre.dtype)

    def mean(self, given: HeadInput) -> Tensor:
        """Returns the mean, data units. Shape [B, O, H]."""
        return scaled_mean(given) * given.scale

    def quantiles(self, given: HeadInput) -> Tensor:
        """Returns the smallest counts whose cumulative probability reaches the levels. Shape [B, O, H, Q]."""
        mean, dispersion = mean_and_dispersion(given)
        return negative_binomial.quantile(mean[..., None], dispersion[..., None], self.levels)

    def draw(self, given: HeadInput, probability: Tensor) -> Tensor:
        """Returns the count at a cumulative probability; see `Head.draw`."""
        return negative_binomial.quantile(*mean_and_dispersion(given), probability)
