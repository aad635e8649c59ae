"""The long-horizon protocol: which windows count, and their errors against a plain loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.every_window import score_windows, window_cutoffs
from forecast.core.errors import ModelError, UsageError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from tests.unit.evaluation.worlds import Repeat

FIRST, ROWS, HORIZON, SCALE_ROWS = 40, 20, 6, 30


def _panel() -> Panel:
    chance = np.random.default_rng(4)
    frames = [
        pd.DataFrame(
            {"unique_id": name, "ds": np.arange(start, start + FIRST + ROWS), "y": size * chance.normal(3, 1, FIRST + ROWS)}
        )
        for name, start, size in (("a", 0, 1.0), ("b", 5, 100.0), ("c", 0, 0.01))
    ]
    return Panel.from_frame(pd.concat(frames), Frequency.parse("integer"))


def _frames(panel: Panel) -> list[ForecastFrame]:
    frames = Repeat(HORIZON, shift=0.5).backtest(panel, window_cutoffs(panel, FIRST, ROWS, HORIZON))
    lopsided = (0.4, 0.6, 5.0)  # the mean is not the median
    return [replace(f, quantiles=f.mean[:, :, None] + np.array(lopsided)) for f in frames]


def test_every_window_whose_targets_lie_in_the_stretch_counts_and_no_other() -> None:
    panel = _panel()
    cutoffs = window_cutoffs(panel, FIRST, ROWS, HORIZON)
    assert cutoffs.shape == (3, ROWS - HORIZON + 1)
    assert (cutoffs[:, 0] + 1 == panel.starts + FIRST).all()  # step 1 of the first window is the stretch's first row
    assert (cutoffs[:, -1] + HORIZON == panel.ends).all()  # step H of the last one is its last
    assert (np.diff(cutoffs, axis=1) == 1).all()
    whole_year = Panel.from_frame(pd.DataFrame({"unique_id": "a", "ds": np.arange(14400), "y": 0.0}), Frequency.parse("integer"))
    assert [window_cutoffs(whole_year, 11520, 2880, h).shape[1] for h in (96, 192, 336, 720)] == [2785, 2689, 2545, 2161]


def test_a_stretch_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="the horizon is 21"):
        window_cutoffs(_panel(), FIRST, ROWS, ROWS + 1)
    with pytest.raises(UsageError, match="the shortest series has 60 rows"):
        window_cutoffs(_panel(), FIRST + 1, ROWS, HORIZON)


def test_errors_are_those_of_a_loop_over_standardised_values() -> None:
    panel = _panel()
    found = score_windows(_frames(panel), panel, window_cutoffs(panel, FIRST, ROWS, HORIZON), HORIZON, SCALE_ROWS)
    squares, sizes, squares_of_median = [], [], []
    for position in range(3):
        y = panel.series(position)
        loc, scale = np.mean(y[:SCALE_ROWS]), np.sqrt(np.mean((y[:SCALE_ROWS] - np.mean(y[:SCALE_ROWS])) ** 2))
        for begin in range(FIRST, FIRST + ROWS - HORIZON + 1):
            for step in range(HORIZON):
                truth, forecast = (y[begin + step] - loc) / scale, (y[begin - 1] + 0.5 - loc) / scale
                squares.append((forecast - truth) ** 2)
                sizes.append(abs(forecast - truth))
                squares_of_median.append((forecast + 0.6 / scale - truth) ** 2)
    assert found.windows == ROWS - HORIZON + 1
    assert (found.mse, found.mae, found.mse_median) == pytest.approx(tuple(np.mean(x) for x in (squares, sizes, squares_of_median)))


def test_the_grouping_of_blocks_does_not_matter() -> None:
    panel, cutoffs = _panel(), window_cutoffs(_panel(), FIRST, ROWS, HORIZON)
    blocks = _frames(panel)
    joined = ForecastFrame.concatenate(blocks).take(np.random.default_rng(0).permutation(cutoffs.size))
    apart, together = (score_windows(given, panel, cutoffs, HORIZON, SCALE_ROWS) for given in (blocks, [joined]))
    assert apart.mse == pytest.approx(together.mse)


def test_a_window_that_is_missing_twice_there_or_not_asked_for_is_refused() -> None:
    panel, cutoffs = _panel(), window_cutoffs(_panel(), FIRST, ROWS, HORIZON)
    blocks = _frames(panel)
    with pytest.raises(ModelError, match="3 of 45 forecasts are missing"):
        score_windows(blocks[1:], panel, cutoffs, HORIZON, SCALE_ROWS)
    with pytest.raises(ModelError, match="3 came more than once"):
        score_windows([*blocks, blocks[0]], panel, cutoffs, HORIZON, SCALE_ROWS)
    with pytest.raises(ModelError, match="not asked for"):
        score_windows(blocks, panel, cutoffs[:, 1:], HORIZON, SCALE_ROWS)
