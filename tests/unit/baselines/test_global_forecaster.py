"""The two regressions over all series: what they learn, what they store, what they refuse."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from sklearn.ensemble import HistGradientBoostingRegressor

from forecast.baselines.global_forecaster import drawn_origins
from forecast.baselines.registry import BASELINES
from forecast.baselines.ridge import RidgeLearner
from forecast.baselines.trees import tree_arrays, tree_sum
from forecast.core.errors import DataError, ModelError
from forecast.core.forecast_frame import FALLBACK, OK
from forecast.core.forecaster import Forecaster
from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles
from forecast.windowing.lag_table import lag_table

GLOBAL = pytest.mark.parametrize("name", ["ridge", "hist_gradient_boosting"])


def panel_of(rows: int = 40, series: int = 5, covariate: bool = False, noise: str = "normal") -> Panel:
    chance = np.random.default_rng(0)
    draw = chance.normal if noise == "normal" else chance.exponential
    y = 10 + np.tile(np.sin(np.arange(rows) * np.pi / 2), series) + draw(size=rows * series)
    frame = pd.DataFrame({"unique_id": np.repeat([f"s{i:03}" for i in range(series)], rows), "y": y,
                          "ds": np.tile(np.arange(rows), series), "promotion": chance.normal(size=rows * series)})  # fmt: skip
    return Panel.from_frame(frame, Frequency.parse("integer"), Roles(known=("promotion",)) if covariate else Roles())


def build(name: str, **arguments: int) -> Forecaster:
    size = {"trees": 12, "rows": 1500} if name == "hist_gradient_boosting" else {"origins": 300}
    return BASELINES[name](horizon=3, levels=(0.1, 0.5, 0.9), season_lengths=(4,), **size | arguments)


def test_walking_the_arrays_equals_scikit_learn() -> None:
    chance = np.random.default_rng(0)
    features = chance.normal(size=(3000, 6))
    features[chance.random(features.shape) < 0.1] = np.nan
    target = np.nan_to_num(features[:, 0]) * np.isnan(features[:, 1]) + np.sin(3 * np.nan_to_num(features[:, 2]))
    model = HistGradientBoostingRegressor(max_iter=40, random_state=0).fit(features, target)
    assert np.array_equal(tree_sum(tree_arrays(model), features), model.predict(features))
    beyond = 100 * chance.normal(size=(200, 6))
    assert np.array_equal(tree_sum(tree_arrays(model), beyond), model.predict(beyond))


@GLOBAL
def test_a_value_after_the_training_part_cannot_move_the_weights(name: str) -> None:
    panel, cutoff = panel_of(), 33
    after = np.tile(np.arange(40) > cutoff, 5)
    weights = []
    for y in (panel.y, np.where(after, 1e9, panel.y)):
        forecaster = build(name)
        forecaster.fit(replace(panel, y=y).until(cutoff))
        weights.append(forecaster.weights())
    assert all(np.array_equal(array, weights[1][key]) for key, array in weights[0].items())


@GLOBAL
def test_another_seed_draws_other_origins(name: str) -> None:
    size = {"rows": 100} if name == "hist_gradient_boosting" else {"origins": 20}
    first, second = build(name, seed=0, **size), build(name, seed=1, **size)
    for forecaster in (first, second):
        forecaster.fit(panel_of())
    assert not np.array_equal(first.predict(panel_of()).mean, second.predict(panel_of()).mean)


@GLOBAL
def test_weights_carry_over_to_a_new_process_bit_for_bit(name: str, tmp_path: Path) -> None:
    forecaster = build(name)
    forecaster.fit(panel_of())
    save_file(dict(forecaster.weights()), tmp_path / "weights.safetensors")
    recipe = {key: value for key, value in forecaster.recipe().items() if key != "kind"}
    script = f"""
from safetensors.numpy import load_file
from forecast.baselines.registry import BASELINES
from tests.unit.baselines.test_global_forecaster import panel_of
forecaster = BASELINES[{name!r}](**{recipe!r})
forecaster.restore(load_file({str(tmp_path / "weights.safetensors")!r}))
print(forecaster.predict(panel_of()).quantiles.tobytes().hex())
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert printed == forecaster.predict(panel_of()).quantiles.tobytes().hex()


@GLOBAL
@pytest.mark.parametrize("noise", ["normal", "exponential"])
def test_conformal_intervals_cover_what_they_say(name: str, noise: str) -> None:
    panel = panel_of(rows=60, series=80, noise=noise)
    forecaster = build(name, **({"rows": 6000} if name == "hist_gradient_boosting" else {"origins": 2000}))
    forecaster.fit(panel.until(56))
    quantiles = forecaster.predict(panel.until(56)).quantiles
    truth = panel.y.reshape(80, 60)[:, 57:]
    for level, bound in zip((0.1, 0.5, 0.9), quantiles.transpose(2, 0, 1), strict=True):
        assert np.mean(truth <= bound) == pytest.approx(level, abs=0.09)


@GLOBAL
def test_before_fit_there_is_nothing_to_predict_with_and_nothing_to_save(name: str) -> None:
    with pytest.raises(ModelError, match="not fitted"):
        build(name).predict(panel_of())
    with pytest.raises(ModelError, match="not fitted"):
        build(name).weights()


@GLOBAL
def test_one_row_per_series_is_nothing_to_learn_from(name: str) -> None:
    with pytest.raises(ModelError, match="no series has two rows"):
        build(name).fit(panel_of(rows=1))


@GLOBAL
def test_the_shortest_panel_that_can_be_learned_from_gives_forecasts(name: str) -> None:
    forecaster = build(name)
    forecaster.fit(panel_of(rows=2))
    assert set(forecaster.predict(panel_of(rows=2)).status) == {OK}


@GLOBAL
def test_another_frequency_or_other_covariates_are_refused(name: str) -> None:
    forecaster = build(name)
    forecaster.fit(panel_of())
    with pytest.raises(ModelError, match="was fitted on"):
        forecaster.predict(panel_of(covariate=True))
    with pytest.raises(ModelError, match="was fitted on"):
        forecaster.predict(replace(panel_of(), frequency=Frequency.parse("D")))


@GLOBAL
def test_known_covariates_must_be_given_for_the_whole_horizon(name: str) -> None:
    panel = panel_of(covariate=True)
    forecaster = build(name)
    forecaster.fit(panel)
    with pytest.raises(ModelError, match="needs the known covariates"):
        forecaster.predict(panel)
    short = KnownFuture.from_frame(
        pd.DataFrame({"unique_id": panel.ids, "ds": 40, "promotion": 0.0}), panel.frequency, ("promotion",)
    )
    with pytest.raises(DataError, match="missing inside the horizon"):
        forecaster.predict(panel, short)


@GLOBAL
def test_a_history_that_cannot_be_compared_with_itself_falls_back_with_a_reason(name: str) -> None:
    forecaster = build(name)
    forecaster.fit(panel_of())
    y = np.append(np.full(39, np.nan), 5.0)
    lonely = forecaster.predict(replace(panel_of(series=1), y=y))
    assert (lonely.status[0], lonely.mean.tolist()) == (FALLBACK, [[5, 5, 5]])
    assert "no two observed values to compare" in lonely.reason[0]


def test_restoring_weights_of_another_horizon_is_refused() -> None:
    forecaster = build("ridge")
    forecaster.fit(panel_of())
    other = BASELINES["ridge"](horizon=4, levels=(0.1, 0.5, 0.9), season_lengths=(4,))
    with pytest.raises(ModelError, match="error quantiles of shape"):
        other.restore(forecaster.weights())


def test_origins_are_drawn_evenly_from_all_series_without_repeats() -> None:
    lengths = np.array([100, 3, 50, 1, 400])
    series, rows = drawn_origins(lengths, 7, 100, np.random.default_rng(0))
    assert len(set(zip(series.tolist(), rows.tolist(), strict=True))) == len(series)
    assert (rows < lengths[series] - 1).all()
    assert (rows[lengths[series] > 20] >= 7).all()
    counts = np.bincount(series, minlength=5)
    assert 90 <= counts.sum() <= 100
    assert counts.tolist() == [counts[0], 1, counts[0], 0, counts[0]]


def test_more_series_than_origins_give_one_origin_each_to_some() -> None:
    series, _ = drawn_origins(np.full(500, 30), 7, 60, np.random.default_rng(0))
    assert len(series) == len(set(series.tolist())) == 60


def test_the_registry_imports_without_the_libraries_behind_it() -> None:
    script = "import sys, forecast.baselines.registry; print([m for m in ('statsforecast', 'sklearn', 'statsmodels') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_errors_for_the_quantiles_come_from_rows_that_the_model_has_not_seen() -> None:
    panel = panel_of(rows=70, series=3)
    forecaster = BASELINES["ridge"](horizon=3, levels=(0.1, 0.9), season_lengths=(24,), penalty=1e-9)
    forecaster.fit(panel)  # fewer origins than features: inside the training part the error is zero
    width = np.diff(forecaster.predict(panel).quantiles, axis=2)
    assert width.min() > 2 * 1.28


def test_not_one_bit_of_a_ridge_prediction_depends_on_how_many_series_come_along() -> None:
    panel, learner, chance = panel_of(rows=60, series=300), RidgeLearner(0.01, 900), np.random.default_rng(0)
    plan = learner.plan(2, (24,))
    learner.fit(lag_table(panel, *drawn_origins(panel.lengths, 24, 900, chance), plan), chance)
    together = learner.predict(lag_table(panel, np.arange(300), panel.lengths - 1, plan))
    for chosen in (np.array([17]), np.arange(5), np.arange(250, 297)):
        assert np.array_equal(learner.predict(lag_table(panel, chosen, panel.lengths[chosen] - 1, plan)), together[chosen])


@pytest.mark.parametrize("model", ["ridge", "hist_gradient_boosting"])
def test_a_name_known_ahead_is_learned_and_an_unknown_one_is_no_error(model: str) -> None:
    rng, days = np.random.default_rng(0), pd.date_range("2026-01-01", periods=200)
    events = np.where(rng.random((6, 200)) < 0.2, "fair", "none")
    frames = [
        pd.DataFrame({"unique_id": f"s{n}", "ds": days, "y": 100 + 30.0 * (own == "fair") + rng.normal(size=200), "event": own})
        for n, own in enumerate(events)
    ]
    rows, roles = pd.concat(frames), Roles(known=("event",), categorical=("event",))
    history = Panel.from_frame(rows[rows["ds"] <= days[-8]], Frequency.parse("D", (7,)), roles)
    later = rows[rows["ds"] > days[-8]]
    future = KnownFuture.from_frame(
        later.assign(event=later["event"].replace("none", "quiet")), history.frequency, ("event",), ("event",)
    )
    forecaster = BASELINES[model](horizon=7, levels=(0.1, 0.5, 0.9), season_lengths=(7,))
    forecaster.fit(history)
    mean = forecaster.predict(history, future).mean.ravel()
    fair = (later["event"] == "fair").to_numpy()
    assert mean[fair].mean() > mean[~fair].mean() + 10
    again = BASELINES[model](horizon=7, levels=(0.1, 0.5, 0.9), season_lengths=(7,))
    again.restore(forecaster.weights())
    np.testing.assert_array_equal(again.predict(history, future).mean.ravel(), mean)
