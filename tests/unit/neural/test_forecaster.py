"""Laws of the neural forecaster: one pass equals predicting at each cutoff, save and load are bitwise, history is all that counts."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forecast.core.errors import ModelError
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.registry import NEURAL
from forecast.storage.bundle_weights import encode_weights
from tests.unit.neural.worlds import HORIZON, LEVELS, future_of, quick, ragged_panel


@pytest.fixture(scope="module", params=sorted(NEURAL))
def fitted(request: pytest.FixtureRequest) -> NeuralForecaster:
    """Each named network, trained a little on a panel with a known covariate."""
    forecaster = quick(request.param)
    forecaster.fit(ragged_panel(covariates=True))
    return forecaster


def _longer(covariates: bool = True) -> Panel:
    """Other series than in training, some longer than one piece of time."""
    return ragged_panel(series=9, longest=300, covariates=covariates, seed=4)


def test_one_pass_over_all_cutoffs_equals_predicting_at_each(fitted: NeuralForecaster) -> None:
    panel = _longer()
    cutoffs = panel.ends[:, None] - np.array([130, 41, 40, 13, 4, 1])
    found = {(uid, int(cutoff)): row for frame in fitted.backtest(panel, cutoffs)
             for uid, cutoff, row in zip(frame.ids, frame.cutoffs, frame.quantiles, strict=True)}  # fmt: skip
    count = 0
    for frame in super(NeuralForecaster, fitted).backtest(panel, cutoffs):
        for uid, cutoff, row in zip(frame.ids, frame.cutoffs, frame.quantiles, strict=True):
            np.testing.assert_allclose(found[uid, int(cutoff)], row, rtol=1e-5, atol=1e-4)
            count += 1
    assert count == len(found) > 20


def test_rows_after_the_cutoff_leave_the_backtest_bitwise_unchanged(fitted: NeuralForecaster) -> None:
    panel = _longer()
    cutoffs = (panel.ends - 5)[:, None]
    y = panel.y.copy()
    for end, length in zip(panel.offsets[1:], panel.lengths, strict=True):
        y[end - min(5, length) : end] = 1e9
    before, after = (np.concatenate([f.quantiles for f in fitted.backtest(p, cutoffs)]) for p in (panel, replace(panel, y=y)))
    np.testing.assert_array_equal(before, after)


def test_every_series_gets_its_row_in_the_panels_order_even_the_shortest(fitted: NeuralForecaster) -> None:
    panel = ragged_panel(covariates=True)
    frame = fitted.predict(panel, future_of(panel))
    assert list(frame.ids) == list(panel.ids)
    assert (frame.cutoffs == panel.ends).all()
    assert frame.quantiles.shape == (len(panel), HORIZON, len(LEVELS))


def test_companions_do_not_matter(fitted: NeuralForecaster) -> None:
    panel = _longer()
    whole = fitted.predict(panel, future_of(panel))
    for position in (0, 4, 8):
        alone = panel.take(np.array([position]))
        np.testing.assert_allclose(
            fitted.predict(alone, future_of(alone)).quantiles[0], whole.quantiles[position], rtol=1e-5, atol=1e-4
        )


def test_known_covariates_of_the_horizon_change_the_forecast(fitted: NeuralForecaster) -> None:
    panel = _longer()
    none, all_promo = (fitted.predict(panel, future_of(panel, value)) for value in (0.0, 1.0))
    assert not np.array_equal(none.mean, all_promo.mean)
    with pytest.raises(ModelError, match="needs the known covariates"):
        fitted.predict(panel)


def test_a_panel_without_the_covariates_of_training_is_refused(fitted: NeuralForecaster) -> None:
    with pytest.raises(ModelError, match="give the same columns"):
        fitted.predict(_longer(covariates=False))


def test_a_panel_of_another_frequency_or_with_another_covariate_in_its_place_is_refused(fitted: NeuralForecaster) -> None:
    panel = _longer()
    weekly = replace(panel, frequency=Frequency.parse("W-MON"))
    renamed = replace(panel, roles=Roles(known=("price",)))
    restored = quick(fitted.settings.encoder)
    restored.restore(fitted.weights())
    for forecaster in (fitted, restored):
        for wrong in (weekly, renamed):
            with pytest.raises(ModelError, match="was trained on"):
                forecaster.predict(wrong, future_of(wrong))


def test_restored_in_a_new_process_every_network_forecasts_the_same_bytes(tmp_path: Path) -> None:
    panel, expected = ragged_panel(covariates=True), {}
    for name in NEURAL:
        forecaster = quick(name)
        forecaster.fit(panel)
        expected[name] = forecaster.predict(panel, future_of(panel)).quantiles
        (tmp_path / f"{name}.json").write_text(json.dumps(dict(forecaster.recipe())))
        (tmp_path / f"{name}.safetensors").write_bytes(encode_weights(forecaster.weights()))
    subprocess.run([sys.executable, "-m", "tests.unit.neural.restoring", str(tmp_path)], check=True, timeout=120)
    for name, quantiles in expected.items():
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), quantiles)


def test_weights_that_do_not_fit_are_refused_by_name(fitted: NeuralForecaster) -> None:
    other = quick(fitted.settings.encoder)
    weights = dict(fitted.weights())
    with pytest.raises(ModelError, match=r"decoder\.out\.bias"):
        other.restore({name: value for name, value in weights.items() if not name.endswith("decoder.out.bias")})
    with pytest.raises(ModelError, match="which frequency and covariates"):
        other.restore({})


def test_an_unfitted_forecaster_says_so() -> None:
    with pytest.raises(ModelError, match="not fitted"):
        quick().predict(ragged_panel())
