"""The naive forecasts that every network mixes and corrects: a forecast never starts from nothing.

It must not have weights.
"""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor

from forecast.networks.timeline import fill_forward, window_sum

CYCLES = 4  # values of a phase that become paths and are averaged, at most
LONGEST_PATH = 672  # rows: a long season has fewer


class Paths(NamedTuple):
    """Naive forecasts in data units [B, O, R, H], and which of them there is anything to make from [B, O, R]."""

    values: Tensor
    available: Tensor


def mixed(raw: Tensor, naive: Tensor, blocked: Tensor) -> Tensor:
    """Returns the centre of the forecast: the weighted naive paths plus the residual.

    Args:
        raw: R weights before softmax, then the residual, then what is not read here. Shape [..., R + P].
        naive: The paths. Shape [..., R].
        blocked: Paths that get no weight. Shape [..., R].
    """
    count = naive.shape[-1]
    weights = torch.softmax(raw[..., :count].masked_fill(blocked, -torch.inf), dim=-1)
    return (weights * naive).sum(dim=-1) + raw[..., count]


@final
class NaivePaths:
    """Last observed value; the last values of each phase of each season, one path for each, and their mean; last value plus drift;
    level.

    The level is the mean of the last window, the drift the difference of two neighbouring windows' levels over their distance. A
    season has CYCLES values of a phase, or as many as LONGEST_PATH rows hold; missing ones are filled as the seasonal naive fills them.

    Args:
        horizon: H.
        season_lengths: Seasons, in steps, shortest first; each needs `season` rows of lead.
        level_window: Steps of the level.
    """

    def __init__(self, *, horizon: int, season_lengths: tuple[int, ...], level_window: int) -> None:
        self.horizon, self.season_lengths, self.level_window = horizon, season_lengths, level_window
        self.cycles = [min(max(LONGEST_PATH // m, 1), CYCLES) for m in season_lengths]
        self.count = 3 + sum(cycles + int(cycles > 1) for cycles in self.cycles)
        self.lead = max([*(c * m for c, m in zip(self.cycles, season_lengths, strict=True)), 2 * level_window, 1]) - 1
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
        steps = torch.arange(1, self.horizon + 1, device=y.device)
        last, available = self._season(fill_forward(values, seen, 1), 1, lead, origins)
        paths, there = [last], [available[..., 0]]
        for season, cycles in zip(self.season_lengths, self.cycles, strict=True):
            filled = fill_forward(values, seen, season)
            own = [self._season(filled, season, lead, origins, back) for back in range(1, cycles + 1)]
            own += [_mean(own)] if cycles > 1 else []
            for path, found in own:
                paths.append(torch.where(found, path, last))
                there.append(found.any(dim=-1))
        level, slope, both = self._level_and_slope(values, seen, lead, origins)
        any_level = ~torch.isnan(level)
        paths.append(last + slope[..., None] * steps)
        paths.append(torch.where(any_level, level, last[..., 0])[..., None].expand_as(last))
        there += [available[..., 0] & both, available[..., 0] & any_level]
        return Paths(torch.stack(paths, dim=2), torch.stack(there, dim=2))

    def _season(
        self, filled: tuple[Tensor, Tensor], season: int, lead: int, origins: Tensor, back: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Value of each step's phase, `back` seasons back or more, [B, O, H], and whether one was observed, [B, O, H].

        Only the last `lead` rows up to the origin count, which is what a carried state holds. filled: See `fill_forward`.
        """
        values, column = filled
        phase = torch.arange(self.horizon, device=values.device) % season
        index = (origins + lead - back * season + 1)[..., None] + phase  # [B, O, H]
        flat = index.flatten(1)
        found = column.gather(1, flat).view_as(index) >= (origins + lead - self.lead)[..., None]
        return values.gather(1, flat).view_as(index), found

    def _level_and_slope(self, values: Tensor, seen: Tensor, lead: int, origins: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Level (NaN without an observation), its change per step, and whether both levels have an observation, each [B, O]."""
        width = self.level_window
        total, count = window_sum(values, width), window_sum(seen.to(values.dtype), width)
        level = total / count.clamp(min=1)  # column c is the window that ends at column c + width - 1 of y
        now = origins + lead - width + 1
        here, before = count.gather(1, now) > 0, count.gather(1, now - width) > 0
        slope = (level.gather(1, now) - level.gather(1, now - width)) / width
        return torch.where(here, level.gather(1, now), torch.nan), slope, here & before


def _mean(paths: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The mean of the paths where there is one, and whether there is any."""
    total = torch.stack([torch.where(found, path, 0.0) for path, found in paths]).sum(dim=0)
    count = torch.stack([found.to(total.dtype) for _, found in paths]).sum(dim=0)
    return total / count.clamp(min=1), count > 0
