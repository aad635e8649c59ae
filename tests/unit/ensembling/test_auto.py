"""Laws of the default ensemble."""

from __future__ import annotations

import json

import numpy as np
import pytest

from forecast.core.errors import ConfigError, ModelError
from forecast.core.forecaster import Recipe
from forecast.ensembling.auto import AutoForecaster
from forecast.ensembling.members import train_members
from forecast.factory import build_forecaster, rebuild
from tests.unit.neural.worlds import HORIZON, LEVELS, quick, ragged_panel


@pytest.fixture(scope="module")
def fitted() -> AutoForecaster:
    """The ensemble after a few steps, its members trained in processes."""
    forecaster = AutoForecaster(horizon=HORIZON, levels=LEVELS, season_lengths=(7,), max_steps=2)
    forecaster.fit(ragged_panel())
    return forecaster


def test_its_median_is_the_weighted_mean_of_members_and_guards(fitted: AutoForecaster) -> None:
    panel = ragged_panel()
    weights = fitted.weights()["combination/weights"]
    medians = np.stack([one.predict(panel).quantiles[..., 1] for one in (*fitted.members, *fitted.statistical)])
    assert len(medians) > 1
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(fitted.predict(panel).quantiles[..., 1], np.tensordot(weights, medians, axes=1), rtol=1e-12)


def test_its_backtest_equals_predicting_at_each_cutoff(fitted: AutoForecaster) -> None:
    panel = ragged_panel()
    cutoffs = panel.ends[:, None] - np.array([12, 3])
    found = {(uid, int(cutoff)): row for frame in fitted.backtest(panel, cutoffs)
             for uid, cutoff, row in zip(frame.ids, frame.cutoffs, frame.quantiles, strict=True)}  # fmt: skip
    for column in cutoffs.T:
        chosen = panel.take(np.flatnonzero(column >= panel.starts))
        frame = fitted.predict(chosen.until(column[column >= panel.starts]))
        for uid, cutoff, row in zip(frame.ids, frame.cutoffs, frame.quantiles, strict=True):
            np.testing.assert_allclose(found.pop((uid, int(cutoff))), row, rtol=1e-5, atol=1e-4)
    assert not found


def test_its_recipe_and_weights_rebuild_it_bitwise(fitted: AutoForecaster) -> None:
    recipe = json.loads(json.dumps(dict(fitted.recipe())))
    rebuilt = rebuild(recipe, fitted.weights())
    panel = ragged_panel()
    np.testing.assert_array_equal(rebuilt.predict(panel).quantiles, fitted.predict(panel).quantiles)
    with pytest.raises(ModelError, match="belong to no member"):
        rebuilt.restore({**fitted.weights(), "member-9/x": np.zeros(1)})


def test_a_member_trained_in_a_process_has_the_weights_of_one_trained_here() -> None:
    panel, here = ragged_panel(covariates=True), quick()
    here.fit(panel)
    recipe: Recipe = {**quick().recipe(), "levels": list(LEVELS)}
    (learned,) = train_members([recipe], panel, workers=1)
    for name, value in here.weights().items():
        np.testing.assert_array_equal(learned.weights[name], value)


def test_a_member_that_fails_says_why() -> None:
    with pytest.raises(
        ModelError, match=r"member-0 of the ensemble .* none of the 1 series has two rows: there is nothing to learn"
    ):
        train_members([quick().recipe()], ragged_panel(series=1), workers=2)


class _Heard:
    """Keeps what a fit tells of its progress."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.left: list[float] = []

    def advance(self, share: float, seconds_left: float | None) -> None:
        """Keeps one message."""
        self.shares.append(share)
        self.left.extend([] if seconds_left is None else [seconds_left])


def test_members_tell_their_progress_and_a_short_budget_trains_fewer_of_them() -> None:
    heard, recipes = _Heard(), [quick(seed=seed, max_steps=4, validate_every=1).recipe() for seed in range(3)]
    learned = train_members(recipes, ragged_panel(), workers=1, seconds=1.0, progress=heard)
    assert len(learned) == 1, "the first member is trained in any case, a later one only where there is time"
    assert heard.shares == sorted(heard.shares)
    assert heard.shares[-1] == 1.0
    assert heard.left
    assert min(heard.left) >= 0


def test_what_was_measured_planned_and_weighed_is_told(fitted: AutoForecaster) -> None:
    told = fitted.choices()
    assert set(told) == {"panel measured", "ensemble planned", "ensemble weighed"}
    assert json.loads(json.dumps({name: dict(facts) for name, facts in told.items()})) == told
    assert fitted.members or fitted.statistical
    assert len(told["ensemble weighed"]["weights"]) == len(fitted.members) + len(fitted.statistical)  # type: ignore[arg-type]


def test_members_and_guards_that_do_not_exist_are_refused_by_name() -> None:
    shared: dict[str, object] = {"horizon": HORIZON, "levels": LEVELS, "season_lengths": (7,)}
    with pytest.raises(ModelError, match="no network 'grue' for a member"):
        build_forecaster("auto", **shared, arguments={"members": [{"model": "grue"}]})  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="no guard 'theta' among the baselines"):
        build_forecaster("auto", **shared, arguments={"guards": ["theta"]})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="lag"):
        build_forecaster("auto", **shared, arguments={"members": [{"model": "gru", "lag": 3}]})  # type: ignore[arg-type]
    chosen = build_forecaster("auto", **shared, arguments={"members": [{"model": "gru", "lags": 3}], "guards": []})  # type: ignore[arg-type]
    assert isinstance(chosen, AutoForecaster)
    assert [one.lags for one in chosen.settings] == [3]
