"""Intervals: the library's where they are right, our own where they are not, conformal ones where there are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from statsforecast import models as library

from forecast.baselines.flat_models import WindowAverageModel
from forecast.baselines.intervals import empirical_quantiles, normal_quantiles, rolling_errors
from forecast.baselines.local_model import LocalModel, Question
from forecast.baselines.naive_models import DriftModel, MeanModel, NaiveModel, SeasonalNaiveModel
from forecast.baselines.statistical_models import ets_spread, theta_spread
from forecast.core.arrays import FloatArray

Z80 = 1.2815515655446004


def walk(rows: int, seed: int = 0) -> FloatArray:
    return np.asarray(np.cumsum(np.random.default_rng(seed).normal(size=rows)))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(NaiveModel(), library.Naive()), (SeasonalNaiveModel(), library.SeasonalNaive(4)), (DriftModel(), library.RandomWalkWithDrift()),
     (MeanModel(), library.HistoricAverage())],
    ids=lambda model: str(getattr(model, "kind", "")),
)  # fmt: skip
def test_the_naive_family_equals_statsforecast_on_complete_series(ours: LocalModel, theirs: Any) -> None:
    y = walk(42)
    expected = theirs.forecast(y=y, h=9, level=[80.0])
    got = ours.forecast(y, Question(9, (0.1, 0.5, 0.9), (4,)))
    assert got.mean == pytest.approx(expected["mean"])
    assert got.quantiles[:, 0] == pytest.approx(expected["lo-80.0"])
    assert (got.quantiles[:, 1] == got.mean).all()
    assert got.quantiles[:, 2] == pytest.approx(expected["hi-80.0"])


def test_the_seasonal_naive_widens_at_the_first_step_of_each_further_season() -> None:
    width = np.diff(SeasonalNaiveModel().forecast(walk(40), Question(9, (0.1, 0.9), (4,))).quantiles, axis=1)[:, 0]
    assert width / width[0] == pytest.approx(np.sqrt([1, 1, 1, 1, 2, 2, 2, 2, 3]))  # 1 + floor((h - 1) / m)


def test_values_missing_at_the_end_widen_the_naive_family() -> None:
    y = np.append(walk(40), np.nan)
    question = Question(4, (0.1, 0.9), (4,))
    for model in (NaiveModel(), DriftModel()):
        later = model.forecast(y, question).quantiles
        assert later[:-1] == pytest.approx(model.forecast(y[:-1], question).quantiles[1:])
    seasonal = SeasonalNaiveModel().forecast(y, question)
    assert seasonal.mean.tolist() == [y[37], y[38], y[39], y[36]]
    width = np.diff(seasonal.quantiles, axis=1)[:, 0]
    assert width / width[0] == pytest.approx(np.sqrt([1, 1, 1, 2]))  # the phase that is missing was seen two seasons before


def test_gaps_do_not_make_the_naive_interval_narrow() -> None:
    y = walk(4000)
    y[1:-1][np.random.default_rng(1).random(3998) < 0.5] = np.nan
    width = np.diff(NaiveModel().forecast(y, Question(1, (0.1, 0.9), ())).quantiles)
    assert width[0, 0] == pytest.approx(2 * Z80, rel=0.1)


def simulated_spread(model: Any, horizon: int) -> FloatArray:
    """The spread of 100,000 paths of a fitted ETS model: table 2.2 and 2.3 of Hyndman et al. (2008), written out."""
    (error, trend, season, damped), m = model["components"], int(model["m"])
    alpha, beta, gamma, phi = np.nan_to_num(model["par"][:4])
    phi = phi if damped == "D" else 1.0
    state = model["states"][-1]
    level, slope = np.full(100_000, state[0]), np.full(100_000, state[1] if trend == "A" else 0.0)
    phases = [np.full(100_000, s) for s in state[-m:][::-1]] if season != "N" else [np.full(100_000, float(season == "M"))] * m
    chance, out = np.random.default_rng(0), np.empty(horizon)
    for step in range(horizon):
        line, phase = level + phi * slope, phases[step % m]
        centre = line * phase if season == "M" else line + phase
        shock = chance.normal(size=100_000) * np.sqrt(model["sigma2"])
        y = centre * (1 + shock) if error == "M" else centre + shock
        out[step] = y.std()
        surprise = (y / phase - line) if season == "M" else y - centre
        level, slope = line + alpha * surprise, phi * slope + beta * surprise
        if season != "N":
            phases[step % m] = phase * (1 + gamma * shock) if season == "M" else phase + gamma * surprise
    return out


@pytest.mark.parametrize("components", ["ANN", "AAN", "ANA", "AAA", "MNN", "MAN", "MNA", "MAA", "MNM", "MAM"])
@pytest.mark.parametrize("damped", [False, True])
def test_ets_spreads_are_those_of_simulated_paths(components: str, damped: bool) -> None:
    if damped and components[1] == "N":
        return
    season = np.tile([0.9, 1.2, 1.0, 0.9], 20)
    y = (50 + 0.3 * np.arange(80) + walk(80)) * season
    fitted = library.AutoETS(4, model=components, damped=damped).fit(y)
    spread = ets_spread(fitted.model_, fitted.predict(10)["mean"])
    assert spread == pytest.approx(simulated_spread(fitted.model_, 10), rel=0.02)


def test_statsforecast_widens_seasonal_ets_from_the_first_step_on_and_we_do_not() -> None:
    y = np.tile([5.0, 9.0, 2.0, 7.0], 20) + walk(80) * 0.3
    fitted = library.AutoETS(4, model="ANA").fit(y)
    short, long = (fitted.predict(h, level=[80.0])["hi-80.0"][0] - fitted.predict(h)["mean"][0] for h in (1, 12))
    assert long > short * 1.0001, "the library has corrected it: our own spread may go"
    first, longer = (ets_spread(fitted.model_, fitted.predict(h)["mean"])[0] for h in (1, 12))
    assert first == pytest.approx(longer)
    assert Z80 * first == pytest.approx(short)


def test_statsforecast_counts_an_additive_season_as_noise_in_theta_and_we_do_not() -> None:
    y = 20 * np.tile([0.0, 1.0, 0.0, -1.0], 30) + np.random.default_rng(0).normal(size=120)
    fitted = library.AutoTheta(4, model="DOTM", decomposition_type="additive").fit(y)
    out = fitted.predict(4, level=[80.0])
    theirs = (out["hi-80.0"] - out["lo-80.0"]).mean()
    assert theirs > 20, "the library has corrected it: our own spread may go"
    assert 2 * Z80 * theta_spread(fitted.model_, 4).mean() == pytest.approx(2 * Z80, rel=0.25)


def test_normal_quantiles_have_the_mean_in_the_middle() -> None:
    quantiles = normal_quantiles(np.array([3.0]), np.array([2.0]), (0.1, 0.5, 0.9))
    assert quantiles[0].tolist() == pytest.approx([3 - 2 * Z80, 3, 3 + 2 * Z80])


def test_rolling_errors_come_from_forecasts_made_before_their_targets() -> None:
    seen: list[int] = []

    def last(rows: FloatArray) -> FloatArray:
        seen.append(len(rows))
        return np.full(3, rows[-1])

    errors = rolling_errors(last, np.arange(10.0), 3)
    assert seen == list(range(1, 10))
    assert errors[0].tolist() == [1, 2, 3]
    assert np.isnan(errors[-1]).tolist() == [False, True, True]


def test_rolling_errors_stop_at_the_number_wanted_for_each_step() -> None:
    errors = rolling_errors(lambda rows: np.zeros(5), np.ones(500), 5)
    assert np.isfinite(errors).sum(axis=0).tolist() == [64, 63, 62, 61, 60]


def test_the_empirical_quantile_of_k_errors_is_at_rank_level_times_k_plus_one() -> None:
    errors = np.arange(1.0, 10.0)[::-1, None]
    assert empirical_quantiles(np.zeros(1), errors, (0.1, 0.5, 0.9)).tolist() == [[1, 5, 9]]


def test_a_step_with_too_few_errors_takes_those_of_the_step_before() -> None:
    errors = np.full((9, 2), np.nan)
    errors[:, 0], errors[:4, 1] = np.arange(9), 100.0
    quantiles = empirical_quantiles(np.array([0.0, 50.0]), errors, (0.5,))
    assert quantiles.tolist() == [[4], [54]]


def test_conformal_intervals_cover_what_they_say() -> None:
    chance = np.random.default_rng(0)
    hits = []
    for _ in range(300):
        y = chance.exponential(size=124)
        interval = WindowAverageModel(10).forecast(y[:120], Question(4, (0.1, 0.9), ())).quantiles
        hits.append((y[120:] >= interval[:, 0]) & (y[120:] <= interval[:, 1]))
    assert np.mean(hits) == pytest.approx(0.8, abs=0.04)
