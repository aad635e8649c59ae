"""The denominators of the scaled metrics, against a plain loop and against utilsforecast."""

from __future__ import annotations

import numpy as np
import pytest
from utilsforecast import losses

from forecast.core.errors import UsageError
from forecast.core.panel import Panel
from forecast.core.seasonal_error import seasonal_errors
from tests.unit.evaluation.worlds import panel_of, random_panel

NAN = np.nan


def by_loop(panel: Panel, series: int, cutoff: int, m: int) -> tuple[float, float]:
    y = panel.series(series)[: max(cutoff - int(panel.starts[series]) + 1, 0)]
    for lag in (m, 1):
        pairs = [y[t] - y[t - lag] for t in range(lag, len(y)) if not np.isnan(y[t]) and not np.isnan(y[t - lag])]
        if pairs:
            return float(np.mean(np.abs(pairs))), float(np.mean(np.square(pairs)))
    return NAN, NAN


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("m", [1, 2, 7, 24, 500])
def test_all_cutoffs_at_once_equal_a_loop_over_series_and_cutoffs(seed: int, m: int) -> None:
    panel = random_panel(seed)
    cutoffs = panel.ends[:, None] + np.array([-70, -31, -30, -9, -1, 0, 5])
    found = seasonal_errors(panel, cutoffs, m)
    for series, window in np.ndindex(cutoffs.shape):
        expected = by_loop(panel, series, int(cutoffs[series, window]), m)
        np.testing.assert_allclose((found.absolute[series, window], found.squared[series, window]), expected, rtol=1e-12)


def test_the_season_of_a_series_never_reaches_into_its_neighbour() -> None:
    panel = panel_of({"a": [1e9] * 10, "b": [1.0, 2.0, 3.0, 4.0, 5.0]})
    found = seasonal_errors(panel, panel.ends[:, None], 3)
    assert found.absolute[:, 0].tolist() == [0.0, 3.0]


def test_rows_after_the_cutoff_do_not_count() -> None:
    short, long = panel_of({"a": [1.0, 2.0, 4.0, 1.0]}), panel_of({"a": [1.0, 2.0, 4.0, 1.0, 1e9, -1e9]})
    cutoffs = short.ends[:, None]
    np.testing.assert_array_equal(seasonal_errors(short, cutoffs, 2), seasonal_errors(long, cutoffs, 2))


def test_a_series_shorter_than_the_season_is_measured_with_the_naive_error() -> None:
    panel = panel_of({"a": [1.0, 3.0, 6.0]})
    assert seasonal_errors(panel, panel.ends[:, None], 12).absolute[0, 0] == 2.5


def test_a_small_series_after_a_huge_one_keeps_its_digits() -> None:
    small = [0.1, 0.3, 0.2, 0.7]
    panel = panel_of({"a": list(np.resize([1e15, -1e15], 50)), "b": small})
    assert seasonal_errors(panel, panel.ends[:, None], 1).absolute[1, 0] == pytest.approx(
        np.mean(np.abs(np.diff(small))), rel=1e-14
    )


def test_without_gaps_the_scale_is_that_of_utilsforecast() -> None:
    chance = np.random.default_rng(3)
    panel = panel_of({"a": list(chance.normal(size=40)), "b": list(chance.normal(size=33))})
    errors = seasonal_errors(panel, panel.ends[:, None], 7)
    frame = panel.to_frame()
    target = frame.groupby("unique_id").tail(1).assign(model=lambda f: f["y"] + 1)
    theirs = losses.mase(target, ["model"], 7, frame)["model"]
    np.testing.assert_allclose(1 / errors.absolute[:, 0], theirs, rtol=1e-12)
    np.testing.assert_allclose(1 / np.sqrt(errors.squared[:, 0]), losses.rmsse(target, ["model"], 7, frame)["model"], rtol=1e-12)


def test_a_season_below_one_step_is_refused() -> None:
    panel = panel_of({"a": [1.0]})
    with pytest.raises(UsageError, match="season length 0"):
        seasonal_errors(panel, panel.ends[:, None], 0)
