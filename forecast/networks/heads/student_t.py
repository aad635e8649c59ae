"""The Student t head: real values with heavy tails, trained with the likelihood."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import softplus

from forecast.networks.distributions import student_t
from forecast.networks.heads.quantile import UNIT
from forecast.networks.interfaces import Head, HeadInput


@final
class StudentTHead(Head):
    """Location = centre, scale = softplus times the past's spread, more than 2 degrees of freedom, so that there is a variance.

    Lange, Little & Taylor (1989), Journal of the American Statistical Association 84(408), equation 1.

    Args:
        levels: Ascending, between 0 and 1.
        horizon, season_length: Not needed.
    """

    levels: Tensor

    def __init__(self, *, levels: tuple[float, ...], horizon: int, season_length: int) -> None:
        super().__init__()
        self.width = 3
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float64), persistent=False)

    def loss(self, given: HeadInput, target: Tensor) -> Tensor:
        """Returns the negative log likelihood of the target in scaled units. Shape [B, O, H]."""
        scaled = (target - given.loc) / torch.where(given.scale > 0, given.scale, 1.0)
        width, inverse = _width_and_inverse(given)
        error = (scaled.to(width.dtype) - given.centre) / width
        half = 0.5 / inverse
        normaliser = torch.lgamma(half + 0.5) - torch.lgamma(half) - 0.5 * (math.pi / inverse).log() - width.log()
        return (half + 0.5) * torch.log1p(error.square() * inverse) - normaliser  # Lange et al. (1989), equation 1, one dimension

    def mean(self, given: HeadInput) -> Tensor:
        """Returns the location, data units. Shape [B, O, H]."""
        return given.centre * given.scale + given.loc

    def quantiles(self, given: HeadInput) -> Tensor:
        """Returns the quantiles, data units. Shape [B, O, H, Q]."""
        width, inverse = (x.to(given.scale.dtype)[..., None] for x in _width_and_inverse(given))
        scaled = given.centre[..., None] + width * student_t.quantile(self.levels, inverse)
        return scaled * given.scale[..., None] + given.loc[..., None]

    def draw(self, given: HeadInput, probability: Tensor) -> Tensor:
        """Returns the value at a cumulative probability; see `Head.draw`."""
        width, inverse = (x.to(given.scale.dtype) for x in _width_and_inverse(given))
        return (given.centre + width * student_t.quantile(probability, inverse)) * given.scale + given.loc


def _width_and_inverse(given: HeadInput) -> tuple[Tensor, Tensor]:
    """Scale of the distribution in scaled units, and one over its degrees of freedom, which start at 4. Each [B, O, H]."""
    raw = given.raw.to(torch.float32)  # half precision is too coarse for the gamma function
    width = softplus(raw[..., 1] + UNIT) * given.spread
    span = student_t.MOST_INVERSE - student_t.LEAST_INVERSE
    return width.clamp(min=1e-6), student_t.LEAST_INVERSE + span * (0.002 + 0.996 * torch.sigmoid(raw[..., 2]))
