"""The table of attention weights: one row for each observed step, weights that sum to 1, those of the forecast that is made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import ModelError
from forecast.core.panel import Panel
from forecast.neural.attention import COLUMNS, attention_weights
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.inference import PIECE_STEPS
from tests.unit.neural.worlds import HORIZON, future_of, quick, ragged_panel

LAGS = 14


def _fitted(model: str, **changes: object) -> NeuralForecaster:
    forecaster = quick(model, **changes)
    forecaster.fit(ragged_panel(covariates=True))
    return forecaster


@pytest.fixture(scope="module")
def fitted() -> NeuralForecaster:
    return _fitted("seq2seq_attention")


def _table(forecaster: NeuralForecaster, panel: Panel) -> pd.DataFrame:
    return attention_weights(forecaster, panel, future_of(panel))


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("seq2seq_attention", {}),
        ("seq2seq_attention", {"attention": "dot", "cell": "gru"}),
        ("bidirectional", {"decoder": "attention"}),
        ("transformer", {"decoder": "attention"}),
    ],
)
def test_the_weights_of_each_step_sum_to_1_over_the_observed_steps_of_the_window(model: str, changes: dict[str, object]) -> None:
    panel = ragged_panel(covariates=True, longest=PIECE_STEPS + 60, seed=4)
    table = _table(_fitted(model, **changes), panel)
    assert tuple(table.columns) == COLUMNS
    totals = table.groupby(["unique_id", "step"])["weight"].sum()
    assert list(totals.index) == [(str(name), step) for name in panel.ids for step in range(1, HORIZON + 1)]
    np.testing.assert_allclose(totals, 1.0, atol=1e-6)
    assert (table["weight"] >= 0).all()
    assert table.groupby(["unique_id", "step"])["weight"].std().max() > 0, "they are no constant"


def test_the_rows_are_the_observed_steps_at_their_own_time(fitted: NeuralForecaster) -> None:
    panel = ragged_panel(covariates=True)
    table, observed = _table(fitted, panel), panel.to_frame().dropna(subset="y")
    day = pd.Timedelta(days=1)
    assert (table["cutoff"] + table["step"] * day == table["ds"]).all()
    assert (table["cutoff"] - table["lag"] * day == table["attended_ds"]).all()
    for name, end in zip(panel.ids, panel.frequency.stamps(panel.ends), strict=True):
        own = table[(table["unique_id"] == name) & (table["step"] == 1)]
        inside = observed[(observed["unique_id"] == name) & (observed["ds"] > end - LAGS * day)]
        assert list(own["attended_ds"]) == list(inside["ds"])
        assert (own["cutoff"] == end).all()


def test_a_series_is_weighed_on_its_own_values_alone(fitted: NeuralForecaster) -> None:
    panel = ragged_panel(covariates=True)
    together, alone = _table(fitted, panel), _table(fitted, panel.take(np.array([4])))
    own = together[together["unique_id"] == panel.ids[4]]
    np.testing.assert_allclose(own["weight"], alone["weight"], atol=1e-5)


def test_a_series_whose_window_is_empty_has_no_rows(fitted: NeuralForecaster) -> None:
    panel = ragged_panel(covariates=True)
    y = panel.y.copy()
    y[panel.offsets[4] - LAGS : panel.offsets[4]] = np.nan  # the end of series 3
    table = _table(fitted, replace(panel, y=y))
    assert set(panel.ids) - set(table["unique_id"]) == {panel.ids[3]}


def test_looking_at_the_weights_leaves_the_forecast_as_it_was(fitted: NeuralForecaster) -> None:
    panel = ragged_panel(covariates=True)
    before = fitted.predict(panel, future_of(panel))
    _table(fitted, panel)
    np.testing.assert_array_equal(fitted.predict(panel, future_of(panel)).quantiles, before.quantiles)


@pytest.mark.parametrize("model", ["gru", "seq2seq", "transformer", "deepar"])
def test_a_model_without_attention_says_so(model: str) -> None:
    with pytest.raises(ModelError, match=f"{model} has no attention to show.*take `seq2seq_attention`"):
        _table(_fitted(model), ragged_panel(covariates=True))


def test_a_model_that_was_not_fitted_says_so() -> None:
    with pytest.raises(ModelError, match="not fitted"):
        attention_weights(quick("seq2seq_attention"), ragged_panel())


def test_the_kind_of_attention_is_part_of_the_recipe_and_changes_the_model() -> None:
    additive, dot = quick("seq2seq_attention", attention="additive"), quick("seq2seq_attention", attention="dot")
    assert (additive.recipe()["attention"], dot.recipe()["attention"]) == ("additive", "dot")
    for forecaster in (additive, dot):
        forecaster.fit(ragged_panel())
    assert additive.weights().keys() != dot.weights().keys()
