"""The hybrid by name: its arguments come back from its recipe, and it learns where level times season is the truth."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.networks.normalisers.exponential_smoothing import ExponentialSmoothing
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.registry import NEURAL
from tests.unit.neural.worlds import HORIZON, LEVELS, quick, ragged_panel


def test_the_dilated_stacks_have_forty_units_unless_asked() -> None:
    sizes = {name: NEURAL[name](horizon=2).recipe()["hidden_size"] for name in ("gru", "dilated", "esrnn")}
    assert sizes == {"gru": 128, "dilated": 40, "esrnn": 40}


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("esrnn", {"dilations": [[1, 2], [3]], "cell": "gru", "tau": 0.47, "wiggle": 2.0}),
        ("esrnn", {"normaliser": "windowed_spread"}),
        ("gru", {"normaliser": "exponential_smoothing"}),
    ],
)
def test_parts_that_are_asked_for_come_back_from_the_recipe(model: str, changes: dict[str, object]) -> None:
    forecaster, panel = quick(model, **changes), ragged_panel()
    forecaster.fit(panel)
    smoothed = isinstance(forecaster.network.normaliser, ExponentialSmoothing)
    assert smoothed == (changes.get("normaliser", "exponential_smoothing") == "exponential_smoothing")
    recipe = json.loads(json.dumps(forecaster.recipe()))
    assert changes.items() <= recipe.items()
    again = NEURAL[recipe.pop("kind")](**recipe)
    assert isinstance(again, NeuralForecaster)
    again.restore(forecaster.weights())
    np.testing.assert_array_equal(again.predict(panel).quantiles, forecaster.predict(panel).quantiles)


def test_on_level_times_season_the_hybrid_beats_the_stack_without_it() -> None:
    rng = np.random.default_rng(1)
    frames = []
    for number in range(24):
        t = np.arange(60)
        level = 50 * np.exp(np.cumsum(rng.normal(0.02, 0.02, size=60)))
        season = 1 + rng.uniform(-0.6, 0.6, size=7)
        frames.append(pd.DataFrame({"unique_id": f"s{number:02d}", "ds": t, "y": level * season[t % 7]}))
    panel = Panel.from_frame(pd.concat(frames), Frequency.parse("integer", (7,)))
    error = {}
    for model in ("dilated", "esrnn"):
        forecaster = quick(model, levels=LEVELS, max_steps=40, validate_every=0, seed=3)
        forecaster.fit(panel.until(panel.ends - HORIZON))
        mean = forecaster.predict(panel.until(panel.ends - HORIZON)).mean
        truth = np.stack([panel.series(i)[-HORIZON:] for i in range(len(panel))])
        error[model] = float(np.abs(mean / truth - 1).mean())
    assert error["esrnn"] < 0.8 * error["dilated"], error
