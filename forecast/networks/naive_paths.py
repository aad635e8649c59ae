"""The naive forecasts that every network mixes and corrects: a forecast never starts from nothing.

It must not have weights.
"""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor

from forecast.networks.timeline import fill_forward, window_sum


class Paths(NamedTuple):
    """Naive forecasts in data units [B, O, R, H], and which of them there is anything to make from [B, O, R]."""

    values: Tensor
    available: Tensor


@final
class NaivePaths:
    """Last observed value; last observed value of each phase of each season; last value plus drift.

    The drift is the difference of two neighbouring windows' levels over their distance, per step.

    Args:
        horizon: H.
        season_lengths: Seasons, in steps; each needs `season` rows of lead.
        drift_window: Distance of the two levels; 0 for no drift path.
    """

    def __init__(self, *, horizon: int, season_lengths: tuple[int, ...], drift_window: int) -> None:
        self.horizon, self.season_lengths, self.drift_window = horizon, season_lengths, drift_window
        self.count = 1 + len(season_lengths) + int(drift_window > 0)
        self.lead = max([*season_lengths, 2 * drift_window, 1]) - 1
        self.first = 1 if season_lengths else 0  # the path that an untrained network follows

    def __call__(self, y: Tensor, lead: int, origins: Tensor) -> Paths:
        """Returns the paths of each origin.

        Args:
            y: data units, NaN where missing. Shape [B, lead + T].
            lead: Rows before step 0.
            origins: Shape [B, O].
        """
        seen = ~torch.isnan(y)
        values = torch.where(seen, y, 0.0)
        last, available = self._season(values, seen, 1, lead, origins)
        paths, there = [last], [available]
        for season in self.season_lengths:
            path, found = self._season(values, seen, season, lead, origins)
            paths.append(torch.where(found, path, last))
            there.append(found.any(dim=-1, keepdim=True).expand_as(found))
        if self.drift_window:
            slope, known = self._slope(values, seen, lead, origins)
            paths.append(last + slope[..., None] * torch.arange(1, self.horizon + 1, device=y.device))
            there.append((available[..., 0] & known)[..., None].expand_as(last))
        return Paths(torch.stack(paths, dim=2), torch.stack([t[..., 0] for t in there], dim=2))

    def _season(self, values: Tensor, seen: Tensor, season: int, lead: int, origins: Tensor) -> tuple[Tensor, Tensor]:
        """Value of each step's phase, one season back or more, [B, O, H], and whether one was observed, [B, O, H]."""
        filled, found = fill_forward(values, seen, season)
        phase = torch.arange(self.horizon, device=values.device) % season
        index = (origins + lead - season + 1)[..., None] + phase  # [B, O, H]
        flat = index.flatten(1)
        return filled.gather(1, flat).view_as(index), found.gather(1, flat).view_as(index)

    def _slope(self, values: Tensor, seen: Tensor, lead: int, origins: Tensor) -> tuple[Tensor, Tensor]:
        """Change of the level per step [B, O], and whether both levels have an observation [B, O]."""
        width = self.drift_window
        total, count = window_sum(values, width), window_sum(seen.to(values.dtype), width)
        level = total / count.clamp(min=1)  # column c is the window that ends at column c + width - 1 of y
        now = origins + lead - width + 1
        both = (count.gather(1, now) > 0) & (count.gather(1, now - width) > 0)
        return (level.gather(1, now) - level.gather(1, now - width)) / width, both
