"""How the named families are configured, and that their forms learn."""

from __future__ import annotations

import inspect
from typing import get_args

import numpy as np
import pytest

from forecast.config.arguments import TASK_ARGUMENTS, check_arguments
from forecast.networks.settings import EncoderName
from forecast.neural.presets import Preset, preset_of
from forecast.neural.registry import NEURAL, recurrent
from tests.contract.test_learning import median_after, panel_of, sines, trained
from tests.unit.neural.worlds import HORIZON, quick, ragged_panel

OVERRULED = [field for field in Preset.__dataclass_fields__ if field != "forced_share"]
every_family = pytest.mark.parametrize("name", sorted(NEURAL))


@pytest.mark.parametrize("settings", [{"linear_kind": "dlinear"}, {"head": "point"}])
def test_the_linear_model_learns_in_every_form(settings: dict[str, object]) -> None:
    forecaster, strangers = trained("linear", sines(24, seed=0), **settings), sines(12, seed=1)
    truth, last = strangers[:, -HORIZON:], strangers[:, -HORIZON - 1 : -HORIZON]
    forecast = median_after(forecaster, strangers)
    assert np.abs(forecast - truth).mean() < 0.25 * np.abs(last - truth).mean()


@every_family
def test_it_trains_in_mixed_precision(name: str) -> None:
    forecaster = quick(name, precision="bf16-mixed", **({"forced_steps": 4} if name == "seq2seq" else {}))
    forecaster.fit(ragged_panel())
    assert np.isfinite(forecaster.predict(ragged_panel()).quantiles).all()


def test_scheduled_sampling_is_part_of_the_recipe_and_changes_what_is_learned() -> None:
    weights = []
    for forced_steps in (0, 4):
        forecaster = quick("seq2seq", forced_steps=forced_steps, validate_every=0)
        forecaster.fit(ragged_panel())
        assert forecaster.recipe()["forced_steps"] == forced_steps
        weights.append(forecaster.weights()["decoder.kernel.weight_hh_l0"])
    assert not np.array_equal(weights[0], weights[1])


def test_a_model_has_its_presets_settings_and_an_argument_overrules_them() -> None:
    for name in get_args(EncoderName):
        preset = preset_of(name, None)
        recipe = NEURAL[name](horizon=HORIZON).recipe()
        assert all(recipe[field] == getattr(preset, field) for field in OVERRULED)
        assert recipe["forced_steps"] == 400 * preset.forced_share
        changed = NEURAL[name](horizon=HORIZON, stride=3, dropout=0.25).recipe()
        assert (changed["stride"], changed["dropout"]) == (3, 0.25)
    assert NEURAL["gru"](horizon=HORIZON).recipe()["stride"] == Preset().stride


def test_every_setting_of_a_preset_may_be_left_to_it_in_a_configuration() -> None:
    arguments = inspect.signature(recurrent).parameters
    assert all(arguments[field].default is None for field in (*OVERRULED, "forced_steps"))
    given = {"linear_kind": "dlinear", "stride": 2, "weight_decay": 0.5}
    assert check_arguments(NEURAL["linear"], given, reserved=TASK_ARGUMENTS).values == given
    assert check_arguments(NEURAL["linear"], {"linear_kind": "elinear"}, reserved=TASK_ARGUMENTS).mistakes


def test_a_long_look_back_of_a_long_horizon_stays_small() -> None:
    forecaster = quick("linear", horizon=96, lags=None, max_steps=1, validate_every=0)
    forecaster.fit(panel_of(sines(4, seed=0).repeat(4, axis=1)))
    network = forecaster.network
    assert network.lags == 192
    assert sum(p.numel() for p in network.parameters()) < 1.1 * 96 * 192
