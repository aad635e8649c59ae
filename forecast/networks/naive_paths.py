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
    season has CYCLES values of a phase, or as many as `rows` hold; missing ones are filled as the seasonal naive fills them.

    Args:
        horizon: H.
        season_lengths: Seasons, in steps, shortest first; each needs `season` rows.
        level_window: Steps of the level.
        drift_window: Steps of each of the two levels of the drift; None for those of the level.
        rows: The last rows that the cycles of a season are taken from, the origin's among them.
    """

    def __init__(
        self, *, horizon: int, season_lengths: tuple[int, ...], level_window: int, drift_window: int | None = None,
        rows: int = LONGEST_PATH,
    ) -> None:  # fmt: skip
        self.horizon, self.season_lengths, self.level_window = horizon, season_lengths, level_window
        self.drift_window = drift_window or level_window
        self.cycles = [min(max(rows // m, 1), CYCLES) for m in season_lengths]
        self.count = 3 + sum(cycles + int(cycles > 1) for cycles in self.cycles)
        longest = (c * m for c, m in zip(self.cycles, season_lengths, strict=True))
        self.lead = max([*longest, level_window, 2 * self.drift_window]) - 1
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

        What counts as observed is among the `self.lead` rows before the origin; a value from before the `lead` rows, which a carried
        state does not hold, is 0. filled: See `fill_forward`.
        """
        values, column = filled
        phase = torch.arange(self.horizon, device=values.device) % season
        index = (origins + lead - back * season + 1)[..., None] + phase  # [B, O, H]
        flat = index.flatten(1)
        column = column.gather(1, flat).view_as(index)
        held = torch.where(column >= origins[..., None], values.gather(1, flat).view_as(index), 0.0)
        return held, column >= (origins + lead - self.lead)[..., None]

    def _level_and_slope(self, values: Tensor, seen: Tensor, lead: int, origins: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Level (NaN without an observation), its change per step, and whether both levels have an observation, each [B, O]."""
        end = origins + lead + 1
        (level, found), (recent, here) = (
            _window_mean(values, seen, end, width) for width in (self.level_window, self.drift_window)
        )
        earlier, before = _window_mean(values, seen, end - self.drift_window, self.drift_window)
        return torch.where(found, level, torch.nan), (recent - earlier) / self.drift_window, here & before


def _window_mean(values: Tensor, seen: Tensor, end: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The mean of the observed values of the `width` columns before each `end`, and whether there are any, each [B, O]."""
    total, count = (window_sum(x, width).gather(1, end - width) for x in (values, seen.to(values.dtype)))
    return total / count.clamp(min=1), count > 0


def _mean(paths: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The mean of the paths where there is one, and whether there is any."""
    total = torch.stack([torch.where(found, path, 0.0) for path, found in paths]).sum(dim=0)
    count = torch.stack([found.to(total.dtype) for _, found in paths]).sum(dim=0)
    return total / count.clamp(min=1), count > 0
