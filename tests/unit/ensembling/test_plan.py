"""What the default makes of what it measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.ensembling.plan import (
    LOCAL_LENGTH,
    LOCAL_ROWS,
    measured_facts,
    origin_stride,
    plan_for,
    planned_facts,
    prior_of,
    training_steps,
)
from forecast.ensembling.profile import PanelProfile, measure


def _measured(y: np.ndarray, series: int = 5) -> PanelProfile:
    stamps = pd.date_range("2024-01-01", periods=len(y), freq="D")
    frames = [pd.DataFrame({"unique_id": f"s{i}", "ds": stamps, "y": y}) for i in range(series)]
    return measure(Panel.from_frame(pd.concat(frames), Frequency.parse("D", (7,))), 7)


T = np.arange(140)
NOISE = np.random.default_rng(0).normal(size=140)


def test_a_season_and_a_trend_are_strong_where_there_is_one_and_weak_in_noise() -> None:
    season, trend, noise = (_measured(100 + y) for y in (10 * np.sin(2 * np.pi * T / 7), 2.0 * T + NOISE, NOISE))
    assert season.season_strength > 0.95
    assert trend.trend_strength > 0.95
    assert noise.season_strength < 0.3
    assert noise.trend_strength < 0.5


def test_zeros_counts_and_gaps_are_counted() -> None:
    counts = np.where(T % 3 == 0, 2.0, 0.0)
    counts[5] = np.nan
    profile = _measured(counts)
    assert profile.intermittent
    assert profile.counts
    assert profile.missing == pytest.approx(1 / 140)
    assert not _measured(counts - 1).intermittent
    assert not _measured(counts / 3).counts


def test_a_profile_survives_series_of_one_value_and_constant_ones() -> None:
    profile = _measured(np.ones(1))
    assert (profile.season_strength, profile.trend_strength, profile.noise_ratio) == (0.0, 0.0, 0.0)


def test_noise_has_no_memory_and_walks_and_seasons_have_one() -> None:
    assert _measured(100 + NOISE).memoryless
    assert not _measured(100 + np.cumsum(NOISE)).memoryless
    assert not _measured(100 + 10 * np.sin(2 * np.pi * T / 7) + NOISE).memoryless
    assert not _measured(np.ones(1)).memoryless, "what is too short to tell is not taken for noise"
    guards = ("naive", "mean")
    assert prior_of(_measured(100 + NOISE), 2, guards)[3] > 0.4 > prior_of(_measured(100 + np.cumsum(NOISE)), 2, guards)[3]


def test_a_constant_series_has_no_season() -> None:
    assert _measured(np.full(140, 3.0)).season_strength == 0.0


PROFILE = _measured(100 + NOISE)


def test_members_differ_from_each_other() -> None:
    members = plan_for(PROFILE, 14, (7,)).members
    assert len(set(members)) == len(members) > 3
    assert len({one.lags for one in members}) > 1
    assert len({one.model for one in members}) > 1
    assert len({one.loss_weight for one in members}) > 1


def test_counts_with_many_zeros_get_count_heads_and_others_quantiles() -> None:
    counts = replace(PROFILE, zeros=0.5, nonnegative=True, counts=True)
    assert {one.head for one in plan_for(counts, 14, (7,)).members} == {"zero_inflated", "negative_binomial"}
    assert {one.head for one in plan_for(replace(counts, counts=False), 14, (7,)).members} == {"nonnegative_quantile"}
    assert {one.head for one in plan_for(PROFILE, 14, (7,)).members} == {"quantile"}


def test_long_horizons_get_linear_windows_and_rare_origins() -> None:
    assert "linear" in {one.model for one in plan_for(PROFILE, 96, (24,)).members}
    assert "linear" not in {one.model for one in plan_for(PROFILE, 48, (24,)).members}
    assert origin_stride(720) > origin_stride(96) > origin_stride(14) == 4


def test_steps_follow_the_size_of_the_panel_within_bounds() -> None:
    small, large = replace(PROFILE, rows=1000), replace(PROFILE, rows=10_000_000)
    assert (training_steps(small), training_steps(large)) == (200, 400)


def test_a_guard_that_costs_time_per_series_is_left_out_of_large_panels() -> None:
    assert "dynamic_optimized_theta" in plan_for(PROFILE, 14, (7,)).guards
    assert "dynamic_optimized_theta" not in plan_for(replace(PROFILE, rows=LOCAL_ROWS + 1), 14, (7,)).guards
    assert "dynamic_optimized_theta" not in plan_for(replace(PROFILE, median_length=LOCAL_LENGTH + 1.0), 14, (7,)).guards


def test_prior_weights_sum_to_one_and_what_is_logged_is_plain() -> None:
    plan = plan_for(PROFILE, 14, (7,))
    assert prior_of(PROFILE, 3, plan.guards).sum() == pytest.approx(1)
    logged = {**measured_facts(PROFILE), **planned_facts(plan)}
    assert all(isinstance(value, str | int | float | bool | list) for value in logged.values())


@pytest.mark.parametrize("memoryless", [True, False])
@pytest.mark.parametrize("length", [30.0, 5000.0])
def test_every_candidate_of_every_kind_of_panel_begins_with_some_weight(length: float, memoryless: bool) -> None:
    """Short series without memory: what Theta and the mean began with was more than all there is."""
    noise, walk = _measured(100 + NOISE), _measured(100 + np.cumsum(NOISE))
    assert (noise.memoryless, walk.memoryless) == (True, False)
    profile = replace(noise if memoryless else walk, median_length=length)
    prior = prior_of(profile, 3, ["naive", "mean", "seasonal_naive", "dynamic_optimized_theta"])
    assert (prior > 0).all()
    assert prior.sum() == pytest.approx(1)
