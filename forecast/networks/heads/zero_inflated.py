"""The zero-inflated negative binomial head: counts with days on which nothing could be sold."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from forecast.networks.distributions import negative_binomial
from forecast.networks.heads.negative_binomial import mean_and_dispersion
from forecast.networks.heads.non_negative import refuse_fractions, refuse_negative, scaled_mean
from forecast.networks.interfaces import Head, HeadInput

_START = -2.0  # logit of the extra zeros before training: 12 %


@final
class ZeroInflatedHead(Head):
    """With probability w nothing, otherwise negative binomial with mean m / (1 - w), so that m is the mean of both together.

    Lambert (1992), Technometrics 34(1), equation 1, with a negative binomial in the place of Poisson's. m is the softplus of the
    shifted centre times scale. Refuses what `NegativeBinomialHead` refuses and is exempt from the same law.

    Args:
        levels: Ascending, between 0 and 1.
        horizon, season_length: Not needed.
    """

    levels: Tensor

    def __init__(self, *, levels: tuple[float, ...], horizon: int, season_length: int) -> None:
        super().__init__()
        self.width = 3
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float64), persistent=False)

    def prepare(self, values: Tensor) -> None:
        """Refuses data that are no counts; see `Head.prepare`."""
        refuse_negative("zero_inflated", values)
        refuse_fractions("zero_inflated", values)

    def loss(self, given: HeadInput, target: Tensor) -> Tensor:
        """Returns the negative log likelihood. Shape [B, O, H]."""
        mean, dispersion, logit = self._ordinary(given)
        ordinary = logsigmoid(-logit) + negative_binomial.log_probability(target.clamp(min=0.0), mean, dispersion)
        # Lambert (1992), equation 1: a zero is extra or ordinary
        log_probability = torch.where(target > 0, ordinary, torch.logaddexp(logsigmoid(logit), ordinary))
        return -log_probability.to(given.centre.dtype)

    def mean(self, given: HeadInput) -> Tensor:
        """Returns the mean, extra zeros included, data units. Shape [B, O, H]."""
        return scaled_mean(given) * given.scale

    def quantiles(self, given: HeadInput) -> Tensor:
        """Returns the smallest counts whose cumulative probability reaches the levels. Shape [B, O, H, Q]."""
        mean, dispersion, logit = (x[..., None] for x in self._ordinary(given))
        return negative_binomial.quantile(mean, dispersion, _among_ordinary(self.levels, logit))

    def draw(self, given: HeadInput, probability: Tensor) -> Tensor:
        """Returns the count at a cumulative probability; see `Head.draw`."""
        mean, dispersion, logit = self._ordinary(given)
        return negative_binomial.quantile(mean, dispersion, _among_ordinary(probability, logit))

    def _ordinary(self, given: HeadInput) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and dispersion of the ordinary counts, logit of the extra zeros, float64 [B, O, H]."""
        mean, dispersion = mean_and_dispersion(given)
        logit = given.raw[..., 2].to(mean.dtype) + _START
        return mean * (1 + logit.exp()), dispersion, logit


def _among_ordinary(probability: Tensor, logit: Tensor) -> Tensor:
    """The probability of the ordinary counts that makes up one of all; at or below 0 where the extra zeros reach it."""
    extra = torch.sigmoid(logit)
    return (probability - extra) / (1 - extra)
