"""A Stepper answers what `step` answers, and only for forecasters that it was written for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from forecast.core.errors import ModelError
from forecast.core.panel import Panel
from forecast.neural.carried_state import read_step, start
from forecast.neural.fast_step import Stepper, has_fast_step, stepper_of
from forecast.neural.forecaster import NeuralForecaster
from tests.unit.neural.worlds import quick, ragged_panel


@pytest.fixture(scope="module")
def panel() -> Panel:
    panel = ragged_panel(series=8, longest=200, seed=9)
    return panel.take(np.flatnonzero(panel.lengths > 30))


def _fitted(panel: Panel, model: str = "gru", **changes: object) -> NeuralForecaster:
    forecaster = quick(model, **changes)
    forecaster.fit(panel)
    return forecaster


@pytest.mark.parametrize("calendar", [True, False])
@pytest.mark.parametrize("model", ["elman", "lstm", "gru"])
def test_sixty_fast_steps_equal_sixty_steps(panel: Panel, model: str, calendar: bool) -> None:
    forecaster = _fitted(panel, model, calendar=calendar)
    assert has_fast_step(forecaster)
    assert bool(forecaster.network.calendar) is calendar
    stepper, rng = stepper_of(forecaster), np.random.default_rng(0)
    fast = slow = start(forecaster, panel).network
    for ahead in range(1, 61):
        y = np.where(rng.random(len(panel)) < 0.1, np.nan, 30 + 5 * rng.normal(size=len(panel)))
        mean, quantiles, fast = stepper.step(fast, y, panel.ends + ahead)
        expected_mean, expected, slow = read_step(forecaster, slow, y, panel.ends + ahead)
        np.testing.assert_allclose(mean, expected_mean, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(quantiles, expected, rtol=1e-5, atol=1e-5)
    for mine, theirs in zip((*fast.encoder, fast.ring, fast.statistics), (*slow.encoder, slow.ring, slow.statistics), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5, equal_nan=True)


def test_a_fast_step_leaves_the_given_state_as_it_was(panel: Panel) -> None:
    forecaster = _fitted(panel)
    state, y = start(forecaster, panel).network, np.full(len(panel), 30.0)
    first = stepper_of(forecaster).step(state, y, panel.ends + 1)
    second = stepper_of(forecaster).step(state, y, panel.ends + 1)
    np.testing.assert_array_equal(first[1], second[1])


def test_the_calendar_is_right_far_away_from_where_it_was_asked_before(panel: Panel) -> None:
    forecaster = _fitted(panel)
    state, y = start(forecaster, panel).network, np.full(len(panel), 30.0)
    stepper = stepper_of(forecaster)
    for jump in (1, 5_000, -4_000, 1):
        _, quantiles, _ = stepper.step(state, y, panel.ends + jump)
        np.testing.assert_allclose(quantiles, read_step(forecaster, state, y, panel.ends + jump)[1], rtol=1e-5, atol=1e-5)


def test_a_stepper_is_made_once_and_again_when_the_weights_have_changed(panel: Panel) -> None:
    forecaster = _fitted(panel)
    made = stepper_of(forecaster)
    assert stepper_of(forecaster) is made
    with torch.no_grad():
        forecaster.network.get_parameter("embed.bias").add_(1.0)
    assert stepper_of(forecaster) is not made


def test_without_ordinals_the_calendar_is_asked_for(panel: Panel) -> None:
    forecaster = _fitted(panel)
    with pytest.raises(ModelError, match="give the ordinals"):
        stepper_of(forecaster).step(start(forecaster, panel).network, np.full(len(panel), 30.0))


def test_forecasters_with_covariates_or_other_parts_have_no_fast_step(panel: Panel) -> None:
    other = _fitted(panel, "stacked")
    assert not has_fast_step(other)
    with pytest.raises(ModelError, match="the encoder 'stacked'"):
        Stepper(other)
    told = _fitted(ragged_panel(covariates=True))
    assert not has_fast_step(told)
    with pytest.raises(ModelError, match="promo"):
        Stepper(told)
