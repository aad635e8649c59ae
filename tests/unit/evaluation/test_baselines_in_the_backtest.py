"""What the backtest promises, held against the real baselines: no look into the future, and intervals that grow when they should."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.baselines.registry import BASELINES
from forecast.evaluation.backtest import evaluate, refuse_look_ahead
from forecast.evaluation.task import Task
from tests.unit.evaluation.worlds import LEVELS, panel_of, random_panel


@pytest.mark.parametrize("name", ["naive", "seasonal_naive", "drift", "window_average", "mean"])
def test_a_baseline_never_sees_the_value_after_its_cutoff(name: str) -> None:
    panel, task = random_panel(8, count=4, shortest=30), Task(3, windows=2, season_lengths=(7,), levels=LEVELS)
    model = BASELINES[name](horizon=3, levels=LEVELS, season_lengths=(7,))
    evaluate(model, panel, task)
    refuse_look_ahead(model, panel, task)


def test_the_interval_of_the_seasonal_naive_widens_after_a_whole_season_and_not_at_its_last_step() -> None:
    noise = np.random.default_rng(0).normal(size=60)
    panel = panel_of({"a": (10 + np.arange(60) % 4 + noise).tolist()})
    model = BASELINES["seasonal_naive"](horizon=9, levels=LEVELS, season_lengths=(4,))
    model.fit(panel)
    width = np.ptp(model.predict(panel).quantiles[0], axis=1)
    seasons = (np.arange(1, 10) - 1) // 4  # floor((h - 1) / m), not floor(h / m)
    np.testing.assert_allclose(width / width[0], np.sqrt(seasons + 1), rtol=1e-6)
