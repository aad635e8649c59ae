"""The quantile head with a floor at 0 that training knows: for demand that is often exactly nothing."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from forecast.networks.heads.non_negative import refuse_negative
from forecast.networks.heads.quantile import QuantileHead
from forecast.networks.interfaces import Head, HeadInput

_LEAK = 0.05  # of the gradient that a quantile below the floor gets from targets above it


@final
class NonnegativeQuantileHead(Head):
    """Quantiles = max(0, those of `QuantileHead`), in training as in forecasts: censored quantile regression.

    Powell (1986), Journal of Econometrics 32(1), equation 1.6. Below the floor the loss is flat, so a quantile whose best value is 0
    comes to rest there as exact 0 instead of trembling around it. A positive target passes a share of its gradient through the
    floor, without which a quantile could never come back; the value of the loss is that of the floored quantiles.

    Args:
        levels: Ascending, between 0 and 1.
        horizon: H.
        season_length: m of the seasonal naive.
    """

    def __init__(self, *, levels: tuple[float, ...], horizon: int, season_length: int) -> None:
        super().__init__()
        self.plain = QuantileHead(levels=levels, horizon=horizon, season_length=season_length)
        self.width = self.plain.width

    def prepare(self, values: Tensor) -> None:
        """Refuses negative data, which it could never forecast; see `Head.prepare`."""
        refuse_negative("nonnegative_quantile", values)

    def loss(self, given: HeadInput, target: Tensor) -> Tensor:
        """Returns the weighted mean of the floored quantiles' losses, scaled units. Shape [B, O, H]."""
        scaled, floor = self.plain.scaled(given), self._floor(given)
        goal = (target / torch.where(given.scale > 0, given.scale, 1.0)).to(scaled.dtype)[..., None] + floor
        error = goal - torch.maximum(scaled, floor)
        below = torch.where(goal > floor, (floor - scaled).clamp(min=0.0), 0.0) * self.plain.taus * _LEAK
        each = torch.maximum(self.plain.taus * error, (self.plain.taus - 1) * error)  # Powell (1986), equation 1.6
        return (each + below - below.detach()) @ self.plain.weights

    def mean(self, given: HeadInput) -> Tensor:
        """Returns the mean of the distribution whose quantile function is linear between the floored levels and flat outside."""
        return self.quantiles(given) @ self.plain.masses.to(given.scale.dtype)

    def quantiles(self, given: HeadInput) -> Tensor:
        """Returns the quantiles, data units, never below 0. Shape [B, O, H, Q]."""
        return self.plain.quantiles(given).clamp(min=0.0)

    def _floor(self, given: HeadInput) -> Tensor:
        """Where 0 lies in scaled units. Shape [B, O, 1 or H, 1]."""
        return (-given.loc / torch.where(given.scale > 0, given.scale, 1.0)).to(given.centre.dtype)[..., None]
