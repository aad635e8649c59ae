"""The head that takes its distribution from the data: negative binomial for counts, Student's t for everything else."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from forecast.networks.heads.negative_binomial import NegativeBinomialHead
from forecast.networks.heads.student_t import StudentTHead
from forecast.networks.interfaces import Head, HeadInput


@final
class LikelihoodHead(Head):
    """Salinas et al. (2020), section 3.1: a likelihood that matches the statistical properties of the data.

    counts: 1 once `prepare` has seen only whole numbers from 0 on; kept with the weights.

    Args:
        levels: Ascending, between 0 and 1.
        horizon, season_length: Not needed.
    """

    counts: Tensor

    def __init__(self, *, levels: tuple[float, ...], horizon: int, season_length: int) -> None:
        super().__init__()
        self.discrete = NegativeBinomialHead(levels=levels, horizon=horizon, season_length=season_length)
        self.real = StudentTHead(levels=levels, horizon=horizon, season_length=season_length)
        self.width = max(self.discrete.width, self.real.width)
        self.register_buffer("counts", torch.zeros(1))

    def prepare(self, values: Tensor) -> None:
        """Chooses the distribution; see `Head.prepare`."""
        whole = bool(((values >= 0) & (values == values.round())).all())
        self.counts.fill_(float(whole))

    def loss(self, given: HeadInput, target: Tensor) -> Tensor:
        """Returns the negative log likelihood. Shape [B, O, H]."""
        return self._chosen().loss(given, target)

    def mean(self, given: HeadInput) -> Tensor:
        """Returns the mean, data units. Shape [B, O, H]."""
        return self._chosen().mean(given)

    def quantiles(self, given: HeadInput) -> Tensor:
        """Returns the quantiles, data units. Shape [B, O, H, Q]."""
        return self._chosen().quantiles(given)

    def draw(self, given: HeadInput, probability: Tensor) -> Tensor:
        """Returns the value at a cumulative probability; see `Head.draw`."""
        return self._chosen().draw(given, probability)

    def _chosen(self) -> Head:
        return self.discrete if bool(self.counts > 0.5) else self.real  # it is averaged with the weights, up to rounding
