"""Exponential smoothing of many series at once: the recursion of level and seasons, a block of steps at a time.

Inside a block that is no longer than the shortest season all seasonal indices are known before it begins, so the level is a linear
recurrence: one product with a triangular matrix. Blocks give what single steps give, wherever they begin. It must not have weights.

Source: Smyl (2020), International Journal of Forecasting 36(1), the updating formulas of level and seasons in section 3, which are
called (a), (b) and (c) here; the additive form is that of Winters (1960), Management Science 6(3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple, final

import torch
from torch import Tensor

LONGEST_BLOCK = 32  # the triangle of a block has its square in numbers
LOWEST, HIGHEST = 0.02, 50.0  # of a multiplicative index
FIRST_GAIN = 0.5  # the least weight of the first value of a phase of the longer season
_LEAST = 1e-30  # what a gain of 1 keeps, so that logarithms stay finite


@final
@dataclass(frozen=True, slots=True)
class Form:
    """How level and seasonal indices make a value: `level x index x ...` or `level + index + ...`."""

    multiplicative: bool

    @property
    def neutral(self) -> float:
        """The index that changes nothing."""
        return 1.0 if self.multiplicative else 0.0

    def join(self, a: Tensor, b: Tensor) -> Tensor:
        """Returns a with an index (or a level) b put on it."""
        return a * b if self.multiplicative else a + b

    def without(self, values: Tensor, season: Tensor) -> Tensor:
        """Returns the values without their season."""
        return values / season if self.multiplicative else values - season

    def index(self, values: Tensor, rest: Tensor) -> Tensor:
        """Returns what of the values is not the rest; a ratio stays between LOWEST and HIGHEST."""
        if not self.multiplicative:
            return values - rest
        return (values / torch.where(rest > 0, rest, 1.0)).clamp(LOWEST, HIGHEST)


class SmoothingState(NamedTuple):
    """What the recursion carries of B series, float64.

    age: steps since the first value, that one included; 0 before it. number, mean: count and mean of the values of the first season,
    data units. level: data units. Each [B]. rings: for each season the indices of the next m steps. Each [B, m].
    """

    age: Tensor
    number: Tensor
    mean: Tensor
    level: Tensor
    rings: tuple[Tensor, ...]

    @classmethod
    def unpack(cls, packed: Tensor, season_lengths: tuple[int, ...]) -> SmoothingState:
        """Returns the state out of one row of numbers per series; see `pack`."""
        parts = packed.split([1, 1, 1, 1, *season_lengths], dim=1)
        return cls(parts[0][:, 0], parts[1][:, 0], parts[2][:, 0], parts[3][:, 0], parts[4:])

    def pack(self) -> Tensor:
        """Returns one row of numbers per series. Shape [B, 4 + all m]."""
        return torch.cat([torch.stack([self.age, self.number, self.mean, self.level], dim=1), *self.rings], dim=1)

    def rewound(self, padding: Tensor) -> SmoothingState:
        """Returns the state `padding` steps earlier, where all of them were missing: level and indices are as they were. [B]."""
        rings = []
        for ring in self.rings:
            m = ring.shape[1]
            rings.append(ring.gather(1, (torch.arange(m, device=ring.device) - padding[:, None]) % m))
        return self._replace(age=torch.where(self.age > 0, self.age - padding, 0.0), rings=tuple(rings))


class Smoothed(NamedTuple):
    """level: after each step, data units [B, T]. seasons: the index of each step and of the m after the last, as known before it,
    each [B, T + m]. ready: whether the indices of the next steps are known already: a first season is complete [B, T]."""

    level: Tensor
    seasons: tuple[Tensor, ...]
    ready: Tensor


class _Opening(NamedTuple):
    """What the first season decides. age [B, T + m]: -1 before the first value; initial [B, T + m]: the indices of the second season;
    gain [B, T]: of the level, 0 where missing; number, mean [B]: afterwards."""

    age: Tensor
    initial: Tensor
    gain: Tensor
    number: Tensor
    mean: Tensor


def initial_state(form: Form, batch: int, season_lengths: tuple[int, ...], device: torch.device) -> SmoothingState:
    """Returns the state of series of which nothing was read yet."""
    zero = torch.zeros(batch, dtype=torch.float64, device=device)
    rings = tuple(torch.full((batch, m), form.neutral, dtype=torch.float64, device=device) for m in season_lengths)
    return SmoothingState(zero, zero, zero, zero, rings)


def smooth(
    form: Form, y: Tensor, coefficients: tuple[Tensor, ...], state: SmoothingState, season_lengths: tuple[int, ...]
) -> tuple[Smoothed, SmoothingState]:
    """Returns level and indices of T steps, and the state after them.

    With the index s of a season m, and u of a longer season n, written at the step that it is for:
        (a) level[t] = alpha y[t] / (s[t] u[t]) + (1 - alpha) level[t-1]
        (b) s[t + m] = gamma y[t] / (level[t] u[t]) + (1 - gamma) s[t]
        (c) u[t + n] = delta y[t] / (level[t] s[t]) + (1 - delta) u[t]
    The additive form subtracts where this one divides. A missing value keeps level and indices. In the first season after a series'
    first value the level is the mean so far and the indices are neutral; the indices of the second season are the values of the first
    against its mean. The longer season keeps neutral indices until the shorter one has its own.

    Args:
        form: Multiplicative or additive; values that the form has no use for must be missing.
        y: data units, float64, NaN where missing; the first m columns are the steps before step 0, with m the shortest season, 1
            without seasons. Shape [B, m + T].
        coefficients: alpha, gamma, delta of each step, as many as there are seasons and one more. Each [B, T].
        state: Before step 0.
        season_lengths: Shortest first.
    """
    first = season_lengths[0] if season_lengths else 1
    block, steps = min(first, LONGEST_BLOCK) if season_lengths else LONGEST_BLOCK, coefficients[0].shape[1]
    opening = _open(form, y, coefficients[0], state, first)
    values = torch.where(torch.isnan(y), 0.0, y)[:, first:]
    gains = _season_gains(coefficients[1:], opening, torch.isnan(y[:, first:]), season_lengths)
    level, rings = state.level, list(state.rings)
    levels: list[Tensor] = []
    used: list[list[Tensor]] = [[] for _ in season_lengths]
    for start in range(0, steps, block):
        now = slice(start, min(start + block, steps))
        seasons = _indices(form, opening, rings, now, first)
        together = reduce(form.join, seasons, torch.full_like(values[:, now], form.neutral))
        levels.append(_level(level, opening.gain[:, now], form.without(values[:, now], together)))
        level = levels[-1][:, -1]
        for k, season in enumerate(seasons):
            rest = reduce(form.join, (other for j, other in enumerate(seasons) if j != k), levels[-1])
            after = season + gains[k][:, now] * (form.index(values[:, now], rest) - season)  # (b), (c)
            rings[k] = torch.cat([rings[k][:, season.shape[1] :], after], dim=1)
            used[k].append(season)
    ahead = _indices(form, opening, rings, slice(steps, steps + first), first)
    tails = [*ahead[:1], *rings[1:]]
    seasons_out = tuple(torch.cat([*parts, tail], dim=1) for parts, tail in zip(used, tails, strict=True))
    smoothed = Smoothed(torch.cat(levels, dim=1), seasons_out, opening.age[:, :steps] >= first - 1)
    return smoothed, SmoothingState(opening.age[:, steps - 1] + 1, opening.number, opening.mean, level, tuple(rings))


def _open(form: Form, y: Tensor, alpha: Tensor, state: SmoothingState, first: int) -> _Opening:
    """Ages, gains of the level and indices of the second season, all from values and not from the recursion."""
    steps = alpha.shape[1]
    known = ~torch.isnan(y)
    values, seen = torch.where(known, y, 0.0), known[:, first:]
    started = (state.age > 0)[:, None] | (seen.cumsum(dim=1) > 0)
    started = torch.cat([started, started[:, -1:].expand(-1, first)], dim=1)
    age = state.age[:, None] + started.cumsum(dim=1) - 1
    early = seen & (age[:, :steps] < first)
    count = state.number[:, None] + early.cumsum(dim=1)
    total = (state.mean * state.number)[:, None] + torch.where(early, values[:, first:], 0.0).cumsum(dim=1)
    mean = total / count.clamp(min=1)
    through = torch.cat([mean, mean[:, -1:].expand(-1, first)], dim=1)
    initial = torch.where(known, form.index(values, through), form.neutral)  # column t of y is step t - first
    gain = torch.where(age[:, :steps] < first, 1 / count.clamp(min=1), alpha) * seen
    return _Opening(age, initial, gain, count[:, -1], mean[:, -1])


def _season_gains(
    gammas: tuple[Tensor, ...], opening: _Opening, missing: Tensor, season_lengths: tuple[int, ...]
) -> tuple[Tensor, ...]:
    """The weight of each step's value in its indices: 0 where missing or too early for a longer season."""
    out, age = [], opening.age[:, : missing.shape[1]]
    for k, (gamma, m) in enumerate(zip(gammas, season_lengths, strict=True)):
        gain = gamma
        if k:
            first = season_lengths[0]
            gain = torch.where(age < first, 0.0, torch.where(age < first + m, gamma.clamp(min=FIRST_GAIN), gamma))
        out.append(torch.where(missing, 0.0, gain))
    return tuple(out)


def _indices(form: Form, opening: _Opening, rings: list[Tensor], now: slice, first: int) -> list[Tensor]:
    """The indices of some steps: neutral in the first season, those of the first season in the second, then the ring's."""
    count = now.stop - now.start
    out = [ring[:, :count] for ring in rings]
    if out:
        age = opening.age[:, now]
        out[0] = torch.where(age < 2 * first, torch.where(age < first, form.neutral, opening.initial[:, now]), out[0])
    return out


def _level(before: Tensor, gain: Tensor, values: Tensor) -> Tensor:
    """level[t] = gain[t] values[t] + (1 - gain[t]) level[t-1] of n steps, solved by one triangular product: (a). Shape [B, n]."""
    kept = (1 - gain).clamp(min=_LEAST).log().cumsum(dim=1)
    n = kept.shape[1]
    later = torch.ones(n, n, dtype=torch.bool, device=kept.device).triu(1)
    weights = (kept[:, :, None] - kept[:, None, :]).masked_fill(later, -torch.inf).exp()
    return (weights @ (gain * values)[..., None])[..., 0] + kept.exp() * before[:, None]
