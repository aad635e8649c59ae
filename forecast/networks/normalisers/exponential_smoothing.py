"""The normaliser of the hybrid of exponential smoothing and recurrent networks: a level and one or two seasons for each series.

It smooths and scales; the recursion itself is in `smoothing_scan`. Its coefficients are learned once for all series and adapted to
each by what the series has shown so far, so that a new series needs no parameter of its own.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import final

import torch
from torch import Tensor, nn

from forecast.networks.interfaces import Normaliser, Scales
from forecast.networks.normalisers.smoothing_scan import Form, Smoothed, SmoothingState, initial_state, smooth
from forecast.networks.normalisers.windowed_spread import WindowedSpread
from forecast.networks.timeline import gather_steps, window_sum

MULTIPLICATIVE, ADDITIVE = Form(multiplicative=True), Form(multiplicative=False)
FORMS = (MULTIPLICATIVE, ADDITIVE)
ALPHA, GAMMA = 0.3, 0.2  # the coefficients of an untrained network
SMALLEST, LARGEST = 0.01, 0.99
FEATURES, HIDDEN = 4, 8


@final
class ExponentialSmoothing(Normaliser):
    """Level and seasonal indices by exponential smoothing: loc and scale of a target step know its season.

    Source: Smyl (2020), International Journal of Forecasting 36(1), section 3. A step that has seen nothing but positive values in
    its last lead + 1 rows is multiplicative, any other additive; both recursions always run, and the multiplicative one takes values
    that are not positive as missing:

        multiplicative: loc = level x index, scale = spread x index; a window is divided by its indices
        additive:       loc = level + index, scale = spread;         a window has its indices subtracted

    The level is that of the last step read, never of a target step; the indices of a window are those known at its end. The recursion
    itself leaves open how much of a value is level and how much is index; outside of it the indices of a season have mean 1, or 0
    (Archibald & Koehler 2003, International Journal of Forecasting 19(1)). Other than
    in the paper, which takes the logarithm of values over the level, one scaled unit is the usual error of the seasonal naive (see
    WindowedSpread), so that a series with a high level and little noise keeps its digits; level x index itself is one more forecast
    that the network mixes with the naive ones. Only the first two seasons count.

    The coefficients are SMALLEST + (LARGEST - SMALLEST) sigmoid(f) with f a small network of four causal features without units: how
    much of the differences remains over a season, the spread beside the level, how often the direction of change is kept, and the
    number of values so far.

    Start. A segment that begins inside a series is smoothed from the first row of its lead on, as if the series began there: level and
    indices are those of the whole history where the series begins inside the lead; elsewhere the difference in level shrinks by 1 -
    alpha with every value, that in an index by 1 - gamma with every season. The coefficients may be as small as SMALLEST: there is no
    step after which the start is forgotten for sure, and a carried state is exact where a re-read history must reach back to the
    same first row.

    Args:
        season_lengths: In steps, shortest first; none for a level alone.
        level_window, spread_window: See WindowedSpread.
        wiggle: Weight of the penalty on a level that wiggles; 0 for none.
    """

    is_path = True

    def __init__(self, *, season_lengths: tuple[int, ...], level_window: int, spread_window: int, wiggle: float = 0.0) -> None:
        super().__init__()
        self.seasons, self.wiggle = season_lengths[:2], wiggle
        self.first = self.seasons[0] if self.seasons else 1
        self.spread = WindowedSpread(season_length=self.first, level_window=level_window, spread_window=spread_window)
        self.short = WindowedSpread(season_length=1, level_window=level_window, spread_window=spread_window)
        self.window = spread_window
        self.lead = max(self.spread.lead, spread_window + 2, 3 * self.first, 2 * max(self.seasons, default=1))
        self.width = 2 + len(FORMS) * (4 + sum(self.seasons))
        self.coefficients = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 1 + len(self.seasons)))
        last = self.coefficients[-1]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        start = [ALPHA] + [GAMMA] * len(self.seasons)
        last.bias.data = torch.tensor([math.log((c - SMALLEST) / (LARGEST - c)) for c in start])

    def initial_statistics(self, batch: int) -> Tensor:
        """Returns count and mean of |y|, both 0, and the states of both recursions. Shape [B, width]."""
        device = self.coefficients[0].weight.device
        states = [initial_state(form, batch, self.seasons, device).pack() for form in FORMS]  # type: ignore[arg-type]
        return torch.cat([torch.zeros_like(states[0][:, :2]), *states], dim=1)

    def warm(self, before: Tensor, counts: Tensor) -> Tensor:
        """Returns the statistics after the lead, read as if the series began with it; see `Normaliser.warm`."""
        inside = (~torch.isnan(before)).sum(dim=1)
        earlier = torch.stack([counts[:, 0] - inside, counts[:, 1]], dim=1)
        start = torch.cat([earlier, self.initial_statistics(len(before)).to(before.device)[:, 2:]], dim=1)
        _, after = self(torch.cat([torch.full_like(before, torch.nan), before], dim=1), start)
        return torch.cat([counts, after[:, 2:]], dim=1)

    def rewound(self, statistics: Tensor, padding: Tensor) -> Tensor:
        """Returns the statistics before the padding; see `Normaliser.rewound`."""
        counts, *states = self._split(statistics)
        return torch.cat([counts, *(SmoothingState.unpack(s, self.seasons).rewound(padding).pack() for s in states)], dim=1)

    def forward(self, y: Tensor, statistics: Tensor) -> tuple[Scales, Tensor]:
        """Returns level, scale and spread of each step; see `Normaliser.forward`.

        `own` holds whether a step is multiplicative; for each form whether it has indices, and then their mean, [B, T]; for each form
        and season the indices of the m steps after each step [B, T, m].
        """
        counts, *states = self._split(statistics)
        scales, after = self.spread(y[:, self.lead - self.spread.lead :], counts)
        steps = y.shape[1] - self.lead
        coefficients = self.gains(y, scales, counts)
        positive = torch.where(y > 0, y, torch.nan)
        found, ends = [], [after]
        for form, state, values in zip(FORMS, states, (positive, y), strict=True):
            before = SmoothingState.unpack(state, self.seasons)
            smoothed, last = smooth(form, values[:, self.lead - self.first :], coefficients, before, self.seasons)
            found.append(smoothed)
            ends.append(last.pack())
        relative = _only_positive(y, steps) & (found[0].level > 0)
        means = [_mean_index(form, smoothed, self.seasons) for form, smoothed in zip(FORMS, found, strict=True)]
        levels = [form.join(smoothed.level, mean) for form, smoothed, mean in zip(FORMS, found, means, strict=True)]
        level = torch.where(relative, levels[0], levels[1])
        own = (relative, *(smoothed.ready for smoothed in found), *means, *self._ahead(found))
        return Scales(level, scales.scale, scales.spread, own), torch.cat(ends, dim=1)

    def at(self, scales: Scales, origins: Tensor, horizon: int) -> tuple[Tensor, Tensor]:
        """Returns loc and scale of each target step, [B, O, H]; without a season [B, O, 1]."""
        loc, scale, spread, *own = (gather_steps(x, origins) for x in (scales.loc, scales.scale, scales.spread, *scales.own))
        at_origins = Scales(loc, scale, spread, tuple(own))
        ratio, shift = self._season(at_origins, torch.arange(1, horizon + 1, device=origins.device))
        relative, level, unit = own[0][..., None], loc[..., None], scale[..., None]
        return torch.where(relative, level * ratio, level + shift), torch.where(relative, unit * ratio, unit)

    def scaled(self, windows: Tensor, scales: Scales) -> Tensor:
        """Returns the deseasonalised values around the level in units of the spread, 0 where missing; see `Normaliser.scaled`."""
        ratio, shift = self._season(scales, torch.arange(1 - windows.shape[-1], 1, device=windows.device))
        seen = ~torch.isnan(windows)
        values = torch.where(seen, windows, 0.0)
        plain = torch.where(scales.own[0][..., None], values / ratio, values - shift)
        scale = torch.where(scales.scale > 0, scales.scale, 1.0)[..., None]
        return torch.where(seen, (plain - scales.loc[..., None]) / scale, 0.0)

    def penalty(self, scales: Scales) -> Tensor:
        """Returns `wiggle` times the mean squared change of the level's rate of change (Smyl 2020, section 3).

        The rate is log(level[t+1] / level[t]) of multiplicative steps; of others the difference over the size of level and spread.
        """
        if self.wiggle == 0 or scales.loc.shape[1] < 3:
            return scales.loc.new_zeros(())
        level, relative = scales.loc, scales.own[0][:, 1:] & scales.own[0][:, :-1]
        size = level.abs() + scales.spread
        safe = torch.where(relative, level[:, 1:] / torch.where(relative, level[:, :-1], 1.0), 1.0)
        difference = (level[:, 1:] - level[:, :-1]) / torch.where(size > 0, size, 1.0)[:, :-1]
        rate = torch.where(relative, safe.log(), difference)
        known = (scales.scale > 0)[:, :-2]
        change = torch.where(known, rate.diff(dim=1), 0.0)
        return self.wiggle * change.square().sum() / known.sum().clamp(min=1)

    def gains(self, y: Tensor, scales: Scales, counts: Tensor) -> tuple[Tensor, ...]:
        """Returns the smoothing coefficients of each step: of the level, then of each season. Each [B, T].

        Args:
            y: data units, NaN where missing. Shape [B, lead + T].
            scales: Level and seasonal spread of the T steps.
            counts: Count and mean of |y| before step 0. Shape [B, 2].
        """
        short, _ = self.short(y[:, self.lead - self.short.lead :], counts)
        count = counts[:, :1] + (~torch.isnan(y[:, self.lead :])).cumsum(dim=1)
        features = torch.stack(
            [
                _share(scales.spread, short.spread),
                _share(scales.spread, scales.loc.abs()),
                _persistence(y, self.window, scales.loc.shape[1]),
                1 / (1 + count / (4 * self.first)),
            ],
            dim=-1,
        ).to(torch.float32)
        share: Tensor = torch.sigmoid(self.coefficients(features).to(y.dtype))
        return tuple((SMALLEST + (LARGEST - SMALLEST) * share).unbind(dim=-1))

    def _split(self, statistics: Tensor) -> tuple[Tensor, ...]:
        """Count and mean of |y|, and the packed state of each recursion."""
        parts: tuple[Tensor, ...] = statistics.split([2] + [4 + sum(self.seasons)] * len(FORMS), dim=1)
        return parts

    def _ahead(self, found: list[Smoothed]) -> list[Tensor]:
        """The indices of the m steps after each step, for each form and season: views [B, T, m]."""
        return [index.unfold(1, m, 1)[:, 1:] for smoothed in found for m, index in zip(self.seasons, smoothed.seasons, strict=True)]

    def _season(self, scales: Scales, offsets: Tensor) -> tuple[Tensor, Tensor]:
        """Joint indices of the steps at some offsets from each step, multiplicative and additive; neutral where not known yet.

        Each [B, T, offsets]; without a season [B, T, 1].
        """
        out = []
        count = len(self.seasons)
        for number, form in enumerate(FORMS):
            views = scales.own[1 + 2 * len(FORMS) + number * count :][:count]
            ready, mean = scales.own[1 + number][..., None], scales.own[1 + len(FORMS) + number][..., None]
            picked = [view.index_select(-1, (offsets - 1) % m) for view, m in zip(views, self.seasons, strict=True)]
            joined = reduce(form.join, picked) if picked else torch.full_like(scales.loc, form.neutral)[..., None]
            out.append(torch.where(ready, form.without(joined, mean), form.neutral))
        return out[0], out[1]


def _share(a: Tensor, b: Tensor) -> Tensor:
    """a / (a + b) of sizes, one half where both are 0."""
    total = a + b
    return torch.where(total > 0, a / torch.where(total > 0, total, 1.0), 0.5)


def _mean_index(form: Form, smoothed: Smoothed, season_lengths: tuple[int, ...]) -> Tensor:
    """What the indices of the next seasons are on average, which belongs to the level; neutral while there are none. Shape [B, T]."""
    means = (window_sum(index, m)[:, 1:] / m for m, index in zip(season_lengths, smoothed.seasons, strict=True))
    neutral = torch.full_like(smoothed.level, form.neutral)
    return torch.where(smoothed.ready, reduce(form.join, means, neutral), neutral)


def _persistence(y: Tensor, width: int, steps: int) -> Tensor:
    """Mean product of the signs of neighbouring changes over a window: 1 in a trend, -1 in a zigzag. Shape [B, T]."""
    direction = y.diff(dim=1).sign()
    product = direction[:, 1:] * direction[:, :-1]
    seen = ~torch.isnan(product)
    total, count = (window_sum(x, width)[:, -steps:] for x in (torch.where(seen, product, 0.0), seen.to(y.dtype)))
    return total / count.clamp(min=1)


def _only_positive(y: Tensor, steps: int) -> Tensor:
    """Whether no value of the last n - T + 1 rows is 0 or below. y [B, n]. Shape [B, T]."""
    others = nn.functional.pad((y <= 0).cumsum(dim=1), (1, 0))  # whole numbers: differences are exact
    return others[:, -steps:] == others[:, :steps]
