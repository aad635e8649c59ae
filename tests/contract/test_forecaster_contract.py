"""The laws that every forecaster keeps, whatever it is made of. A new forecaster is held to them by its name in a registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.baselines.registry import BASELINES
from forecast.core.errors import ModelError
from forecast.core.forecast_frame import FALLBACK, OK, ForecastFrame
from forecast.core.forecaster import Forecaster
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.ensembling.registry import ENSEMBLES
from forecast.factory import rebuild
from forecast.neural.registry import NEURAL

Build = Callable[..., Forecaster]

REGISTRIES: tuple[Mapping[str, Build], ...] = (BASELINES, NEURAL, ENSEMBLES)
NETWORKS = {*NEURAL, *ENSEMBLES}  # float32 inside: equal up to rounding, bit for bit only in blocks of the same size
SMALL: Mapping[str, Mapping[str, Any]] = {  # arguments that make a slow model quick
    "hist_gradient_boosting": {"trees": 15, "rows": 2000},
    "ridge": {"origins": 200},
    "auto_arima": {"history_limit": 12},
    **{name: {"hidden_size": 8, "max_steps": 4, "validate_every": 2, "batch_size": 8, "lags": 8, "layers": 2} for name in NEURAL},
    "auto": {"max_steps": 2},
}
APPROXIMATE = {"auto_arima", "auto_ets", "auto_theta", "dynamic_optimized_theta", "holt_winters", "mstl"}  # iterative optimisers
HORIZON, SEASON, LEVELS = 5, 4, (0.1, 0.5, 0.9)
BUILDS = {name: build for registry in REGISTRIES for name, build in registry.items()}


def build(name: str) -> Forecaster:
    return BUILDS[name](horizon=HORIZON, levels=LEVELS, season_lengths=(SEASON,), **SMALL.get(name, {}))


def panel_of(series: Mapping[str, Any]) -> Panel:
    frames = [
        pd.DataFrame({"unique_id": name, "ds": np.arange(len(y)), "y": np.asarray(y, dtype=float)}) for name, y in series.items()
    ]
    return Panel.from_frame(pd.concat(frames), Frequency.parse("integer", (SEASON,)))


@lru_cache
def ordinary() -> Panel:
    """Seven seasonal series of different lengths and sizes, two with gaps."""
    chance = np.random.default_rng(1)
    series: dict[str, Any] = {}
    for number in range(7):
        t = np.arange(30 + 3 * number)
        y = 10.0 ** (number % 4) * (5 + np.sin(t * 2 * np.pi / SEASON) + 0.02 * t + 0.3 * chance.normal(size=len(t)))
        y[12:15] = np.nan if number in (3, 6) else y[12:15]
        series[f"s{number}"] = y
    return panel_of(series)


@lru_cache
def nasty() -> Panel:
    """Everything that a series may be, as long as it has one observed value."""
    chance = np.random.default_rng(2)
    lumpy = np.where(chance.random(40) < 0.2, chance.integers(1, 9, 40), 0).astype(float)
    noise = chance.normal(size=40)
    return panel_of(
        {
            "one point": [3.0], "two points": [3.0, 4.0], "three points": [1.0, 5.0, 2.0], "five points": [1.0, 5.0, 2.0, 4.0, 3.0],
            "constant": [7.0] * 40, "constant below zero": [-7.1] * 40, "zeros": [0.0] * 40, "lumpy": lumpy, "one demand": np.eye(1, 40)[0],
            "crosses zero": noise, "below zero": noise - 100, "huge": 1e12 * (2 + noise), "beyond squares": 1e200 * (2 + noise),
            "tiny": 1e-12 * (2 + noise), "spike": np.where(np.arange(40) == 38, 1e9, 1.0), "jump": np.repeat([1.0, 1e6], 20),
            "last missing": [*(2 + noise[:30]), *[np.nan] * 10], "first missing": [*[np.nan] * 30, *noise[:10]],
            "mostly missing": np.where(np.arange(40) % 9 == 0, noise, np.nan), "one of many": [*[np.nan] * 39, 5.0],
        }
    )  # fmt: skip


@lru_cache
def fitted(name: str) -> Forecaster:
    """A forecaster that has seen the ordinary panel; tests must not fit it again."""
    forecaster = build(name)
    forecaster.fit(ordinary())
    return forecaster


@lru_cache
def forecast_of_ordinary(name: str) -> ForecastFrame:
    return fitted(name).predict(ordinary())


def same(a: ForecastFrame, b: ForecastFrame) -> bool:
    """Whether two frames are equal, bit for bit."""
    return all(np.array_equal(getattr(a, f), getattr(b, f)) for f in ("ids", "cutoffs", "mean", "quantiles", "status", "reason"))


def alike(name: str, a: ForecastFrame, b: ForecastFrame, tolerance: float = 1e-5) -> bool:
    """Whether two frames are equal: bit for bit, for networks up to rounding relative to the size of the forecasts."""
    if name not in NETWORKS:
        return same(a, b)
    size = np.abs(b.quantiles).max(axis=(1, 2), keepdims=True)
    close = np.abs(a.quantiles - b.quantiles) <= tolerance * size
    return bool(close.all()) and all(np.array_equal(getattr(a, f), getattr(b, f)) for f in ("ids", "cutoffs", "status", "reason"))


every_forecaster = pytest.mark.parametrize("name", sorted(BUILDS))


@every_forecaster
def test_there_is_one_forecast_per_series_in_the_panels_order(name: str) -> None:
    frame, panel = forecast_of_ordinary(name), ordinary()
    assert list(frame.ids) == list(panel.ids)
    assert list(frame.cutoffs) == list(panel.ends)
    assert (frame.mean.shape, frame.quantiles.shape) == ((7, HORIZON), (7, HORIZON, len(LEVELS)))
    assert set(frame.status) == {OK}
    assert frame.levels == LEVELS


@every_forecaster
def test_nasty_series_get_finite_ordered_forecasts_and_fallbacks_a_reason(name: str) -> None:
    frame = fitted(name).predict(nasty())  # ForecastFrame itself refuses what is not finite or crosses
    assert len(frame) == len(nasty())
    assert all(bool(why) == (status == FALLBACK) for status, why in zip(frame.status, frame.reason, strict=True))
    constant = [list(nasty().ids).index(i) for i in ("constant", "zeros")]
    exact = 0.05 if name in NETWORKS else 0.0  # a network's residual is a share of the floor of the scale, 1 % of the level
    assert (np.abs(np.diff(frame.mean[constant], axis=1)) <= exact * np.abs(frame.mean[constant, :1])).all()


@every_forecaster
def test_nothing_after_the_cutoff_moves_a_forecast(name: str) -> None:
    panel, cutoff = ordinary(), 24
    future = np.concatenate([panel.starts[i] + np.arange(n) > cutoff for i, n in enumerate(panel.lengths)])
    planted = replace(panel, y=np.where(future, 1e9, panel.y))
    honest, other = (next(iter(fitted(name).backtest(p, np.full((7, 1), cutoff)))) for p in (panel, planted))
    assert same(honest, other)


@every_forecaster
def test_the_last_observation_moves_the_forecast(name: str) -> None:
    panel = ordinary()
    higher = replace(panel, y=panel.y.copy())
    higher.y[panel.offsets[1:] - 1] *= 1.5
    moved = fitted(name).predict(higher)
    assert (np.abs(moved.mean - forecast_of_ordinary(name).mean).max(axis=1) > 0).mean() > 0.5


@every_forecaster
def test_order_and_companions_of_series_do_not_matter(name: str) -> None:
    panel, together = ordinary(), forecast_of_ordinary(name)
    for chosen in ([4], [1, 3, 6]):
        assert alike(name, fitted(name).predict(panel.take(np.array(chosen))), together.take(np.array(chosen)))


@every_forecaster
@pytest.mark.parametrize("factor", [2.0**-20, 3.0, 1e6])
def test_forecasts_scale_with_the_data(name: str, factor: float) -> None:
    panel, plain = ordinary(), forecast_of_ordinary(name)
    scaled = fitted(name).predict(replace(panel, y=factor * panel.y))
    size = np.array([np.nanmax(np.abs(panel.series(i))) for i in range(len(panel))])
    tolerance = 2e-3 if name in APPROXIMATE else (1e-5 if name in NETWORKS else 1e-9)
    assert (np.abs(scaled.mean / factor - plain.mean).max(axis=1) <= tolerance * size).all()
    assert (np.abs(scaled.quantiles / factor - plain.quantiles).max(axis=(1, 2)) <= tolerance * size).all()


@every_forecaster
def test_the_backtest_equals_predicting_at_each_cutoff(name: str) -> None:
    panel, cutoffs = ordinary(), np.stack([ordinary().ends - 9, ordinary().ends - 3], axis=1)
    frames = ForecastFrame.concatenate(list(fitted(name).backtest(panel, cutoffs)))
    for column in cutoffs.T:
        direct = fitted(name).predict(panel.until(column))
        at = np.array(
            [np.flatnonzero((frames.ids == i) & (frames.cutoffs == c))[0] for i, c in zip(panel.ids, column, strict=True)]
        )
        assert alike(name, frames.take(at), direct)


@every_forecaster
def test_a_history_cut_to_its_limit_gives_the_same_forecast(name: str) -> None:
    limit = fitted(name).history_limit
    if limit is None:
        return
    long = panel_of({"long": np.random.default_rng(3).normal(size=limit + 50)})
    assert same(fitted(name).predict(long.tail(limit)), fitted(name).predict(long))


@every_forecaster
def test_recipe_and_weights_rebuild_the_same_forecasts_bit_for_bit(name: str) -> None:
    recipe = json.loads(json.dumps(fitted(name).recipe()))
    weights = fitted(name).weights()
    assert all(array.dtype != object for array in weights.values())
    rebuilt = rebuild(recipe, {key: array.copy() for key, array in weights.items()})
    assert same(rebuilt.predict(ordinary()), forecast_of_ordinary(name))
    assert rebuilt.recipe() == fitted(name).recipe()


@every_forecaster
def test_the_same_seed_learns_the_same_weights(name: str) -> None:
    again = build(name)
    again.fit(ordinary())
    weights = fitted(name).weights()
    assert set(again.weights()) == set(weights)
    assert all(np.array_equal(array, weights[key]) for key, array in again.weights().items())


@every_forecaster
def test_weights_of_another_model_are_refused(name: str) -> None:
    with pytest.raises(ModelError):
        build(name).restore({"stranger": np.zeros(3)})


@every_forecaster
def test_a_series_without_any_observed_value_is_refused_by_name(name: str) -> None:
    with pytest.raises(ModelError, match="nothing here"):
        fitted(name).predict(panel_of({"nothing here": [np.nan] * 9, "s": np.arange(30.0)}))
