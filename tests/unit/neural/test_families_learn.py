"""The named families learn what can be learned: a sine they never saw, and how fast an AR(1) forgets; and how they are configured."""

from __future__ import annotations

import inspect
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from forecast.config.arguments import TASK_ARGUMENTS, check_arguments
from forecast.core.arrays import FloatArray
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.networks.settings import EncoderName
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.presets import Preset, preset_of
from forecast.neural.registry import NEURAL, recurrent
from tests.unit.neural.worlds import HORIZON, LEVELS, quick, ragged_panel

FAMILIES = ("linear", "mqrnn", "segrnn", "seq2seq", "bidirectional", "seq2seq_attention", "transformer")
STEPS = {"seq2seq_attention": 240}  # it has to learn where to look before it can learn what to make of it
OVERRULED = [field for field in Preset.__dataclass_fields__ if field != "forced_share"]
every_family = pytest.mark.parametrize("name", FAMILIES)


def _panel(values: FloatArray) -> Panel:
    frames = [pd.DataFrame({"unique_id": f"s{n:02d}", "ds": np.arange(len(y)), "y": y}) for n, y in enumerate(values)]
    return Panel.from_frame(pd.concat(frames), Frequency.parse("integer"))


def _trained(name: str, values: FloatArray, **changes: object) -> NeuralForecaster:
    """A small network that knows of no season, trained on all columns but the last H."""
    forecaster = quick(
        name, season_lengths=(), hidden_size=24, max_steps=STEPS.get(name, 80), validate_every=0, batch_size=16, segment=48, stride=6,
        learning_rate=1e-2, dropout=0.0, **changes,
    )  # fmt: skip
    forecaster.fit(_panel(values[:, :-HORIZON]))
    return forecaster


def _sines(count: int, seed: int) -> FloatArray:
    """Sines of period 9 with their own phases, sizes and levels. Shape [count, 80]."""
    rng = np.random.default_rng(seed)
    phase, size, level = rng.uniform(0, 9, (count, 1)), rng.uniform(1, 5, (count, 1)), rng.uniform(5, 50, (count, 1))
    wave: FloatArray = level + size * np.sin(2 * np.pi * (np.arange(80) + phase) / 9)
    return wave


@every_family
def test_it_learns_to_continue_sines_that_it_has_never_seen(name: str) -> None:
    forecaster, strangers = _trained(name, _sines(24, seed=0)), _sines(12, seed=1)
    truth, last = strangers[:, -HORIZON:], strangers[:, -HORIZON - 1 : -HORIZON]
    forecast = forecaster.predict(_panel(strangers[:, :-HORIZON])).quantiles[:, :, LEVELS.index(0.5)]
    assert np.abs(forecast - truth).mean() < 0.25 * np.abs(last - truth).mean()


@every_family
def test_it_learns_how_fast_an_autoregression_forgets(name: str) -> None:
    rng = np.random.default_rng(2)
    noise, y = rng.normal(size=(64, 160)), np.zeros((64, 160))
    for t in range(1, 160):
        y[:, t] = 0.6 * y[:, t - 1] + noise[:, t]
    history, weights = y[:, 20:-HORIZON], 0.6 ** np.arange(1, HORIZON + 1)
    forecast = _trained(name, y[:, 20:]).predict(_panel(history)).quantiles[:, :, LEVELS.index(0.5)]
    best, naive = weights * history[:, -1:], history[:, -1:]
    assert np.abs(forecast - best).mean() < 0.5 * np.abs(naive - best).mean()


@pytest.mark.parametrize("settings", [{"linear_kind": "dlinear"}, {"head": "point"}])
def test_the_linear_model_learns_in_every_form(settings: dict[str, object]) -> None:
    forecaster, strangers = _trained("linear", _sines(24, seed=0), **settings), _sines(12, seed=1)
    truth, last = strangers[:, -HORIZON:], strangers[:, -HORIZON - 1 : -HORIZON]
    forecast = forecaster.predict(_panel(strangers[:, :-HORIZON])).quantiles[:, :, LEVELS.index(0.5)]
    assert np.abs(forecast - truth).mean() < 0.25 * np.abs(last - truth).mean()


@every_family
def test_it_trains_in_mixed_precision(name: str) -> None:
    forecaster = quick(name, precision="bf16-mixed", **({"forced_steps": 4} if name.startswith("seq2seq") else {}))
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
    forecaster.fit(_panel(_sines(4, seed=0).repeat(4, axis=1)))
    network = forecaster.network
    assert network.lags == 192
    assert sum(p.numel() for p in network.parameters()) < 1.1 * 96 * 192
