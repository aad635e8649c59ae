"""The scan of level and seasons equals a plain loop over steps, in one pass, in pieces and behind padding."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from forecast.networks.normalisers.smoothing_scan import FIRST_GAIN, Form, Smoothed, SmoothingState, initial_state, smooth
from tests.unit.networks.worlds import random_y

STEPS = 70
SEASONS = [(), (4,), (4, 12), (5, 9)]
FORMS = [Form(multiplicative=True), Form(multiplicative=False)]
every_form = pytest.mark.parametrize("form", FORMS, ids=["multiplicative", "additive"])
every_season = pytest.mark.parametrize("seasons", SEASONS, ids=str)


def _world(form: Form, seasons: tuple[int, ...], rows: int = 6) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Values with gaps and a late start, positive where the form needs it, and coefficients that differ from step to step."""
    y = random_y(rows, STEPS)
    y = y.abs() + 1.0 if form.multiplicative else y - 50.0
    generator = torch.Generator().manual_seed(2)
    shape = (1 + len(seasons), rows, STEPS)
    coefficients = 0.05 + 0.7 * torch.rand(shape, generator=generator, dtype=torch.float64)
    return y, tuple(coefficients)


def _scan(
    form: Form, y: Tensor, coefficients: tuple[Tensor, ...], seasons: tuple[int, ...], state: SmoothingState | None = None,
    before: Tensor | None = None,
) -> tuple[Smoothed, SmoothingState]:  # fmt: skip
    first = seasons[0] if seasons else 1
    lead = torch.full((len(y), first), torch.nan, dtype=torch.float64) if before is None else before[:, -first:]
    started = state or initial_state(form, len(y), seasons, y.device)
    return smooth(form, torch.cat([lead, y], dim=1), coefficients, started, seasons)


def _loop(form: Form, y: list[float], gains: list[list[float]], seasons: tuple[int, ...]) -> tuple[list[float], list[list[float]]]:
    """Levels and, for each season, the indices that the steps used, one step after the other, from the formulas."""
    neutral, first = form.neutral, seasons[0] if seasons else 1
    known: list[dict[int, float]] = [{} for _ in seasons]
    levels, used, opening = [], [[] for _ in seasons], dict[int, float]()  # type: ignore[var-annotated]
    level, age, mean = 0.0, -1, 0.0
    for t, value in enumerate(y):
        seen = value == value
        age += age >= 0 or seen
        if age == first:
            mean = sum(opening.values()) / len(opening)
        index = [table.get(t, neutral) for table in known]
        if seasons and age < first:
            index[0] = neutral
        elif seasons and age < 2 * first:
            index[0] = _rest(form, opening[t - first], mean) if t - first in opening else neutral
        for table, one in zip(used, index, strict=True):
            table.append(one)
        if seen:
            if age < first:
                opening[t] = value
                level = sum(opening.values()) / len(opening)
            else:
                plain = value
                for one in index:
                    plain = plain / one if form.multiplicative else plain - one
                level = gains[0][t] * plain + (1 - gains[0][t]) * level  # (a)
        levels.append(level)
        for k, m in enumerate(seasons):
            gain = gains[1 + k][t]
            if k and age < first:
                gain = 0.0
            elif k and age < first + m:
                gain = max(gain, FIRST_GAIN)
            fresh = index[k]
            if seen:
                others = level
                for j, one in enumerate(index):
                    others = others if j == k else (others * one if form.multiplicative else others + one)
                fresh = gain * _rest(form, value, others) + (1 - gain) * index[k]  # (b), (c)
            known[k][t + m] = fresh
    return levels, used


def _rest(form: Form, value: float, level: float) -> float:
    return min(max(value / level, 0.02), 50.0) if form.multiplicative else value - level


@every_form
@every_season
def test_the_scan_equals_a_plain_loop_over_the_formulas(form: Form, seasons: tuple[int, ...]) -> None:
    y, coefficients = _world(form, seasons)
    smoothed, _ = _scan(form, y, coefficients, seasons)
    for row in range(len(y)):
        levels, used = _loop(form, y[row].tolist(), [c[row].tolist() for c in coefficients], seasons)
        torch.testing.assert_close(smoothed.level[row].tolist(), levels, rtol=1e-10, atol=1e-10)
        for k in range(len(seasons)):
            torch.testing.assert_close(smoothed.seasons[k][row, :STEPS].tolist(), used[k], rtol=1e-10, atol=1e-10)


@every_form
@every_season
@pytest.mark.parametrize("size", [1, 3, 10])
def test_pieces_of_any_size_with_the_carried_state_equal_one_pass(form: Form, seasons: tuple[int, ...], size: int) -> None:
    y, coefficients = _world(form, seasons)
    whole, end = _scan(form, y, coefficients, seasons)
    before, state, levels = torch.full((len(y), 12), torch.nan, dtype=torch.float64), None, []
    for start in range(0, STEPS, size):
        now = slice(start, min(start + size, STEPS))
        piece, state = _scan(form, y[:, now], tuple(c[:, now] for c in coefficients), seasons, state, before)
        before = torch.cat([before, y[:, now]], dim=1)
        levels.append(piece.level)
    torch.testing.assert_close(torch.cat(levels, dim=1), whole.level, rtol=1e-12, atol=1e-12)
    assert state is not None
    torch.testing.assert_close(state.pack(), end.pack(), rtol=1e-12, atol=1e-12)


@every_form
@pytest.mark.parametrize("length", [0, 2, 5, 30])
def test_missing_steps_at_the_end_can_be_taken_back(form: Form, length: int) -> None:
    seasons, (y, coefficients) = (4, 12), _world(form, (4, 12))
    padded = torch.where(torch.arange(STEPS) < length, y, torch.nan)
    _, after = _scan(form, padded, coefficients, seasons)
    rewound = after.rewound(torch.full((len(y),), STEPS - length))
    cut = tuple(c[:, :length] for c in coefficients)
    expected = _scan(form, y[:, :length], cut, seasons)[1] if length else initial_state(form, len(y), seasons, y.device)
    rest, more = y[:, length:], tuple(c[:, length:] for c in coefficients)
    before = torch.cat([torch.full((len(y), 4), torch.nan, dtype=torch.float64), y[:, :length]], dim=1)
    on, off = (_scan(form, rest, more, seasons, state, before)[0] for state in (rewound, expected))
    torch.testing.assert_close(on.level, off.level, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(rewound.age, expected.age)


@every_form
def test_a_state_survives_being_packed(form: Form) -> None:
    y, coefficients = _world(form, (4, 12))
    _, state = _scan(form, y, coefficients, (4, 12))
    again = SmoothingState.unpack(state.pack(), (4, 12))
    assert all(torch.equal(a, b) for a, b in zip((*state[:4], *state.rings), (*again[:4], *again.rings), strict=True))
