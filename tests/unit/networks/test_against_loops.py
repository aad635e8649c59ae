"""Vectorised normaliser, naive paths and windows equal plain NumPy loops written from their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from forecast.networks.naive_paths import NaivePaths
from forecast.networks.normalisers.windowed_spread import FLOOR, WindowedSpread
from forecast.networks.timeline import fill_forward, gather_steps, window_sum
from tests.unit.networks.worlds import random_y

Floats = NDArray[np.float64]


@pytest.mark.parametrize("season", [1, 4])
@pytest.mark.parametrize("rows", [1, 3, 256])
def test_loc_and_spread_equal_a_plain_loop(season: int, rows: int) -> None:
    normaliser = WindowedSpread(season_length=season, level_window=5, spread_window=9)
    steps, y = 30, random_y(rows, 30)
    lead = torch.full((rows, normaliser.lead), torch.nan, dtype=torch.float64)
    scales, after = normaliser(torch.cat([lead, y], dim=1), torch.zeros(rows, 2, dtype=torch.float64))
    for row in range(min(rows, 3)):
        series = y[row].numpy()
        for t in range(steps):
            loc, spread = _loop(series[: t + 1], season)
            assert scales.loc[row, t].item() == pytest.approx(loc)
            assert scales.spread[row, t].item() == pytest.approx(spread)
        assert after[row, 0] == np.isfinite(series).sum()


def _loop(seen: Floats, season: int) -> tuple[float, float]:
    """loc and spread after the values seen, from their definitions."""
    level = [v for v in seen[-5:] if np.isfinite(v)]
    observed = seen[np.isfinite(seen)]
    loc = float(np.mean(level)) if level else (float(observed[-1]) if len(observed) else 0.0)

    def differences(lag: int) -> list[float]:
        pairs = [(seen[t], seen[t - lag]) for t in range(max(len(seen) - 9, lag), len(seen))]
        return [abs(a - b) for a, b in pairs if np.isfinite(a) and np.isfinite(b)]

    chosen = differences(season)
    if season > 1 and len(chosen) < max(3, season // 2):
        chosen = differences(1)
    mean = float(np.mean(chosen)) if chosen else 0.0
    return loc, max(mean, FLOOR * float(np.mean(np.abs(observed)))) if len(observed) else 0.0


@pytest.mark.parametrize("width", [5, 3])
def test_naive_paths_equal_a_plain_loop(width: int) -> None:
    paths = NaivePaths(horizon=6, season_lengths=(4,), level_window=5, drift_window=width)
    y, steps = random_y(3, 30), 30
    lead = torch.full((3, paths.lead), torch.nan, dtype=torch.float64)
    origins = torch.arange(steps).expand(3, -1)
    values, available = paths(torch.cat([lead, y], dim=1), paths.lead, origins)
    for row in range(3):
        for t in range(steps):
            seen = y[row, : t + 1].numpy()
            observed = seen[np.isfinite(seen)]
            assert available[row, t, 0] == (len(observed) > 0)
            if not len(observed):
                continue
            np.testing.assert_allclose(values[row, t, 0], observed[-1])
            for step in range(6):
                cycles = [
                    _last_known(seen, t + 1 + step - 4 * back, t - paths.lead) for back in range(step // 4 + 1, step // 4 + 5)
                ]
                for path, value in enumerate(cycles, start=1):
                    np.testing.assert_allclose(values[row, t, path, step], observed[-1] if value is None else value)
                known_cycles = [value for value in cycles if value is not None]
                np.testing.assert_allclose(values[row, t, 5, step], np.mean(known_cycles) if known_cycles else observed[-1])
            before, now = seen[max(t + 1 - 2 * width, 0) : max(t + 1 - width, 0)], seen[max(t + 1 - width, 0) :]
            drifts = np.isfinite(before).any() and np.isfinite(now).any()
            assert available[row, t, 6] == drifts
            if drifts:
                slope = (np.nanmean(now) - np.nanmean(before)) / width
                np.testing.assert_allclose(values[row, t, 6], observed[-1] + slope * np.arange(1, 7))
            level = seen[max(t - 4, 0) :]
            assert available[row, t, 7] == np.isfinite(level).any()
            if available[row, t, 7]:
                np.testing.assert_allclose(values[row, t, 7], np.nanmean(level))


def _last_known(seen: Floats, t: int, oldest: int) -> float | None:
    """The value at t or, where missing, the last one of its phase before it, but none before `oldest`."""
    while t >= max(oldest, 0):
        if t < len(seen) and np.isfinite(seen[t]):
            return float(seen[t])
        t -= 4
    return None


def test_window_sums_recover_from_a_spike() -> None:
    x = torch.ones(1, 20, dtype=torch.float64)
    x[0, 5] = 1e20
    assert window_sum(x, 3)[0, -1] == 3.0


def test_gathering_at_all_steps_and_at_some_gives_what_indexing_gives() -> None:
    x, origins = torch.randn(2, 5, 3), torch.tensor([[0, 4], [2, 2]])
    expected = torch.stack([x[row, steps] for row, steps in enumerate(origins)])
    assert torch.equal(gather_steps(x, origins), expected)
    assert torch.equal(gather_steps(x[..., 0], torch.arange(5).expand(2, -1)), x[..., 0])


def test_filling_forward_by_phase_skips_missing_values_of_the_same_phase() -> None:
    values = torch.tensor([[1.0, 2.0, 0.0, 4.0, 0.0, 0.0, 7.0]])
    seen = torch.tensor([[True, True, False, True, False, False, True]])
    filled, column = fill_forward(values, seen, 3)
    found = column >= 0
    assert filled.tolist() == [[1.0, 2.0, 0.0, 4.0, 2.0, 0.0, 7.0]]
    assert found.tolist() == [[True, True, False, True, True, False, True]]
