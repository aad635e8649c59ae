"""The point head: absolute error alone; its quantiles are the seasonal naive's around the point."""

from __future__ import annotations

from typing import final

from torch import Tensor

from forecast.networks.heads.quantile import gap_signs, naive_gaps
from forecast.networks.interfaces import Head, HeadInput


@final
class PointHead(Head):
    """The centre is the forecast, trained with the absolute error; intervals are as wide as the seasonal naive's.

    Args:
        levels: Ascending, between 0 and 1.
        horizon: H.
        season_length: m of the seasonal naive.
    """

    distances: Tensor

    def __init__(self, *, levels: tuple[float, ...], horizon: int, season_length: int) -> None:
        super().__init__()
        self.width = 1
        self.register_buffer("distances", naive_gaps(levels, horizon, season_length) @ gap_signs(levels), persistent=False)

    def loss(self, given: HeadInput, target: Tensor) -> Tensor:
        """Returns |y - f| in scaled units. Shape [B, O, H]."""
        scaled = (target - given.loc) / given.scale.where(given.scale > 0, 1.0)
        return (scaled.to(given.centre.dtype) - given.centre).abs()

    def mean(self, given: HeadInput) -> Tensor:
        """Returns the centre, data units. Shape [B, O, H]."""
        return given.centre * given.scale + given.loc

    def quantiles(self, given: HeadInput) -> Tensor:
        """Returns the centre and the seasonal naive's distances from it, data units. Shape [B, O, H, Q]."""
        scaled = given.centre[..., None] + self.distances * given.spread[..., None]
        return scaled * given.scale[..., None] + given.loc[..., None]
