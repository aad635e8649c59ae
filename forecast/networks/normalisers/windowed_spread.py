"""The causal loc-scale normaliser: level of the last season, spread of the seasonal differences of a long window.

It reads a fixed number of rows before each step and nothing else but a floor, so a carried state equals a re-read history.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from forecast.networks.interfaces import Normaliser, Scales
from forecast.networks.timeline import gather_steps, window_sum

FLOOR = 0.01  # of the mean absolute value seen so far: the smallest scale


def fewest_differences(season: int) -> int:
    """Returns how many seasonal differences a spread needs; with fewer it is that of neighbours."""
    return max(3, season // 2)


@final
class WindowedSpread(Normaliser):
    """loc = mean of the last `level_window` observed values, scale = spread = mean |y[t] - y[t - m]| over `spread_window` steps.

    A series with fewer than max(3, m // 2) seasonal differences takes those of lag 1. The scale is at least FLOOR times the
    expanding mean of |y|, so that constant series stay finite and units do not matter: f(a y + b) scales and shifts with the data
    but for that floor.

    Args:
        season_length: m, in steps; 1 for none.
        level_window: Steps of the level.
        spread_window: Steps of the spread.
    """

    def __init__(self, *, season_length: int, level_window: int, spread_window: int) -> None:
        super().__init__()
        self.season_length, self.level_window, self.spread_window = season_length, level_window, spread_window
        self.lead = max(level_window - 1, spread_window + season_length - 1)

    def forward(self, y: Tensor, statistics: Tensor) -> tuple[Scales, Tensor]:
        """Returns loc, scale and spread of each step; see `Normaliser.forward`."""
        seen = ~torch.isnan(y)
        values = torch.where(seen, y, 0.0)
        absolute, after = self._expanding(values[:, self.lead :].abs(), seen[:, self.lead :], statistics)
        steps = y.shape[1] - self.lead
        total, count = (window_sum(x, self.level_window)[:, -steps:] for x in (values, seen.to(y.dtype)))
        mean, _ = self._differences(values, seen, self.season_length, steps)
        spread = torch.maximum(mean, FLOOR * absolute)
        loc = torch.where(count > 0, total / count.clamp(min=1), self._last(values, seen, steps))
        return Scales(loc, spread, spread), after

    def at(self, scales: Scales, origins: Tensor, horizon: int) -> tuple[Tensor, Tensor]:
        """Returns the origin's own loc and scale for all steps, [B, O, 1]."""
        return gather_steps(scales.loc, origins)[..., None], gather_steps(scales.scale, origins)[..., None]

    def _differences(self, values: Tensor, seen: Tensor, lag: int, steps: int) -> tuple[Tensor, Tensor]:
        """Mean absolute difference at a lag over the window, and how many there were; lag 1 stands in where they are few."""
        both = seen[:, lag:] & seen[:, :-lag]
        difference = torch.where(both, (values[:, lag:] - values[:, :-lag]).abs(), 0.0)
        total, count = (window_sum(x, self.spread_window)[:, -steps:] for x in (difference, both.to(values.dtype)))
        mean = total / count.clamp(min=1)
        if lag == 1:
            return mean, count
        short, _ = self._differences(values, seen, 1, steps)
        return torch.where(count >= fewest_differences(lag), mean, short), count

    def _last(self, values: Tensor, seen: Tensor, steps: int) -> Tensor:
        """The last observed value that the lead still holds; 0 where there is none."""
        place = torch.where(seen, torch.arange(values.shape[1], device=values.device), 0).cummax(dim=1).values
        held = place[:, -steps:] >= torch.arange(steps, device=values.device)  # not from before the lead of the step
        return torch.where(held, values.gather(1, place)[:, -steps:], 0.0)

    def _expanding(self, absolute: Tensor, seen: Tensor, statistics: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of |y| over all observed values so far [B, T], and the statistics after the last step [B, 2]."""
        before_count, before_mean = statistics[:, :1], statistics[:, 1:]
        count = before_count + seen.cumsum(dim=1)
        mean = (before_mean * before_count + torch.where(seen, absolute, 0.0).cumsum(dim=1)) / count.clamp(min=1)
        return mean, torch.stack([count[:, -1], mean[:, -1]], dim=1)
