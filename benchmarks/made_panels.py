"""Generated panels: three with nothing to learn, on which a model must not lose to a simple one, and three with something to find.

Every panel is the same bytes for the same seed. The truth is generated with the history: both come from one draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import pandas as pd

from benchmarks.panel_cases import Case, task_of
from forecast.core.arrays import FloatArray
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel

Draw: TypeAlias = Callable[[np.random.Generator, int, int], FloatArray]


def random_walk(chance: np.random.Generator, number: int, steps: int) -> FloatArray:
    """Returns a walk with normal steps: the last value is the best forecast there is."""
    size = 10 ** chance.uniform(0, 4)
    return np.asarray(size * (chance.uniform(5, 50) + chance.normal(size=steps).cumsum()))


def white_noise(chance: np.random.Generator, number: int, steps: int) -> FloatArray:
    """Returns a level with independent noise of 2 to 50 % of it: the mean of the history is the best forecast."""
    level = 10 ** chance.uniform(0, 4)
    return np.asarray(level * (1 + chance.uniform(0.02, 0.5) * chance.normal(size=steps)))


def short(chance: np.random.Generator, number: int, steps: int) -> FloatArray:
    """Returns noise around a level, noise around a line, or a walk, in turn: too few points to tell which."""
    level, noise = 10 ** chance.uniform(1, 4), chance.normal(size=steps)
    if number % 3 == 0:
        return np.asarray(level * (1 + 0.1 * noise))
    if number % 3 == 1:
        return np.asarray(level * (1 + chance.uniform(-0.05, 0.15) * np.arange(steps) + 0.05 * noise))
    return np.asarray(level * (1 + 0.1 * noise.cumsum()))


def season_and_trend(chance: np.random.Generator, number: int, steps: int) -> FloatArray:
    """Returns a weekly pattern on a bent trend with noise."""
    t, pattern = np.arange(steps), chance.normal(size=7)
    trend = chance.uniform(-0.5, 1.5) * t / steps + 0.3 * np.sin(2 * np.pi * t / steps * chance.uniform(0.3, 1.5))
    return np.asarray(10 ** chance.uniform(1, 4) * (3 + trend + 0.4 * pattern[t % 7] + 0.15 * chance.normal(size=steps)))


def growing_season(chance: np.random.Generator, number: int, steps: int) -> FloatArray:
    """Returns a monthly pattern that grows with its level, times noise."""
    t, pattern = np.arange(steps), np.exp(0.25 * chance.normal(size=12))
    level = np.exp(chance.normal(0.004, 0.004) * t + 0.02 * chance.normal(size=steps).cumsum())
    return np.asarray(10 ** chance.uniform(1, 4) * level * pattern[t % 12] * np.exp(0.05 * chance.normal(size=steps)))


def intermittent(chance: np.random.Generator, number: int, steps: int) -> FloatArray:
    """Returns counts, mostly zero, that come a little more often at the week's end; the first is one, so that a scale exists."""
    often = chance.uniform(0.05, 0.4) * np.where(np.arange(steps) % 7 >= 5, 1.6, 0.8)
    counts = np.where(chance.random(steps) < often, 1 + chance.poisson(chance.uniform(0.2, 4), steps), 0).astype(np.float64)
    counts[0] = 1.0
    return counts


@final
@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a panel. rows: fewest and most rows of a history. judges: baselines that it is measured against."""

    draw: Draw
    series: int
    rows: tuple[int, int]
    horizon: int
    seasons: tuple[int, ...]
    judges: tuple[str, ...]


_PLAIN = ("naive", "mean", "dynamic_optimized_theta")
NOTHING_TO_LEARN: Mapping[str, Recipe] = {
    "random_walks": Recipe(random_walk, 200, (100, 300), 30, (), _PLAIN),
    "white_noise": Recipe(white_noise, 200, (100, 300), 30, (), _PLAIN),
    "short_series": Recipe(short, 200, (3, 10), 4, (), _PLAIN),
}
STRUCTURED: Mapping[str, Recipe] = {
    "season_and_trend": Recipe(season_and_trend, 100, (150, 400), 14, (7,), ("seasonal_naive", "auto_ets", *_PLAIN)),
    "growing_season": Recipe(growing_season, 100, (48, 180), 12, (12,), ("seasonal_naive", "auto_ets", *_PLAIN)),
    "intermittent": Recipe(intermittent, 100, (150, 400), 28, (7,), ("seasonal_naive", "croston_sba", *_PLAIN)),
}
MADE: Mapping[str, Recipe] = {**NOTHING_TO_LEARN, **STRUCTURED}


def made_case(name: str, seed: int = 0) -> Case:
    """Returns a generated panel by name.

    Args:
        name: In `MADE`.
        seed: Series i is drawn from (seed, position of the name, i) alone.
    """
    recipe, place = MADE[name], list(MADE).index(name)
    frames = []
    for number in range(recipe.series):
        chance = np.random.default_rng([seed, place, number])
        steps = int(chance.integers(recipe.rows[0], recipe.rows[1] + 1)) + recipe.horizon
        y = recipe.draw(chance, number, steps)
        frames.append(pd.DataFrame({"unique_id": f"{name}-{number:03d}", "ds": np.arange(steps), "y": y}))
    panel = Panel.from_frame(pd.concat(frames, ignore_index=True), Frequency.parse("integer", recipe.seasons))
    return Case(name, panel, task_of(recipe.horizon, recipe.seasons[0] if recipe.seasons else 1))
