"""Laws of the carried state: fed piece by piece, forecasts equal those from the whole history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forecast.core.errors import DataError, ModelError
from forecast.core.panel import Panel
from forecast.neural.carried_state import start, step, update
from forecast.neural.forecaster import NeuralForecaster
from tests.unit.neural.worlds import CARRYING, future_of, quick, ragged_panel


@pytest.fixture(scope="module", params=CARRYING)
def fitted(request: pytest.FixtureRequest) -> NeuralForecaster:
    """Each named network, trained a little on a panel with a known covariate."""
    forecaster = quick(request.param)
    forecaster.fit(ragged_panel(covariates=True))
    return forecaster


def _parts(panel: Panel, *cuts: int) -> list[Panel]:
    """The panel cut into pieces that end the given numbers of rows before each series' end, and the rest."""
    ends = [panel.ends - cut for cut in (*cuts, 0)]
    pieces, before = [panel.until(ends[0])], ends[0]
    for end in ends[1:]:
        whole = panel.until(end)
        first = before + 1 - whole.starts
        keep = whole.ends - before
        offsets = np.concatenate([[0], np.cumsum(keep)])
        rows = np.concatenate([np.arange(o + f, o + f + k) for o, f, k in zip(whole.offsets[:-1], first, keep, strict=True)])
        pieces.append(
            replace(whole, offsets=offsets, starts=before + 1, y=whole.y[rows], known=whole.known[rows], past=whole.past[rows])
        )
        before = end
    return pieces


def _long() -> Panel:
    panel = ragged_panel(series=8, longest=300, covariates=True, seed=9)
    return panel.take(np.flatnonzero(panel.lengths > 30))


def test_updates_from_a_carried_state_equal_reading_the_whole_history(fitted: NeuralForecaster) -> None:
    panel = _long()
    cold = fitted.predict(panel, future_of(panel))
    history, *news = _parts(panel, 9, 3, 1)
    state = start(fitted, history)
    for rows in news:
        frame, state = update(fitted, state, rows, future_of(rows))
    np.testing.assert_array_equal(frame.cutoffs, cold.cutoffs)
    np.testing.assert_allclose(frame.quantiles, cold.quantiles, rtol=1e-5, atol=1e-4)


def test_steps_between_the_state_and_the_rows_count_as_missing(fitted: NeuralForecaster) -> None:
    panel = _long()
    y = panel.y.copy()
    for end in panel.offsets[1:]:
        y[end - 5 : end - 2] = np.nan
    gapped = replace(panel, y=y, known=np.where(np.isnan(y)[:, None], np.nan, panel.known))
    history, _, rows = _parts(gapped, 5, 2)
    frame, _ = update(fitted, start(fitted, history), rows, future_of(rows))
    np.testing.assert_allclose(frame.quantiles, fitted.predict(gapped, future_of(gapped)).quantiles, rtol=1e-5, atol=1e-4)


def test_an_update_leaves_the_given_state_as_it_was(fitted: NeuralForecaster) -> None:
    history, rows = _parts(_long(), 4)
    state = start(fitted, history)
    first, _ = update(fitted, state, rows, future_of(rows))
    second, _ = update(fitted, state, rows, future_of(rows))
    np.testing.assert_array_equal(first.quantiles, second.quantiles)


def test_rows_before_the_states_end_and_other_series_are_refused(fitted: NeuralForecaster) -> None:
    history, rows = _parts(_long(), 4)
    state = start(fitted, history)
    with pytest.raises(DataError, match="before the state's end"):
        update(fitted, state, history, future_of(history))
    with pytest.raises(DataError, match="start a state for new series"):
        update(fitted, state, rows.take(np.array([0, 1])), future_of(rows))


def test_a_step_takes_one_observation_of_each_series() -> None:
    forecaster, panel = quick(), ragged_panel(series=8, longest=200, seed=9)
    panel = panel.take(np.flatnonzero(panel.lengths > 30))
    forecaster.fit(panel)
    history, rows = _parts(panel, 1)
    mean, quantiles, _ = step(forecaster, start(forecaster, history).network, rows.y, rows.ends)
    with pytest.raises(ModelError, match="give the ordinals"):
        step(forecaster, start(forecaster, history).network, rows.y)
    cold = forecaster.predict(panel)
    np.testing.assert_allclose(mean, cold.mean, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(quantiles, cold.quantiles, rtol=1e-5, atol=1e-4)
