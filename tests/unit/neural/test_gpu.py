"""A GPU gives the forecasts of the processors and trains as well. Where there is none, these tests say so and prove nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from forecast.core.panel import Panel
from forecast.neural import carried_state, training
from forecast.neural.checkpoints import SaveRegularly
from forecast.neural.device import describe_device
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.registry import NEURAL
from tests.unit.neural.worlds import quick, ragged_panel

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason=f"torch {torch.__version__} finds no GPU here; nothing is proven of one"
)
MODELS = sorted(NEURAL)


def _on(device: str, forecaster: NeuralForecaster) -> NeuralForecaster:
    """A copy of a fitted forecaster on a device."""
    recipe = dict(forecaster.recipe())
    copied = NEURAL[str(recipe.pop("kind"))](**recipe, device=device)
    copied.restore(forecaster.weights())
    return copied


def _both(model: str, panel: Panel) -> tuple[NeuralForecaster, NeuralForecaster]:
    fitted = quick(model, device="cpu")
    fitted.fit(panel)
    return _on("cpu", fitted), _on("cuda", fitted)


@pytest.mark.parametrize("model", MODELS)
def test_a_gpu_forecasts_what_the_processors_forecast(model: str) -> None:
    panel = ragged_panel()
    here, there = _both(model, panel)
    assert next(there.network.parameters()).is_cuda
    mine, theirs = (forecaster.predict(panel) for forecaster in (there, here))
    np.testing.assert_allclose(mine.mean, theirs.mean, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(mine.quantiles, theirs.quantiles, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("model", ["elman", "lstm", "gru", "dilated", "esrnn"])
def test_a_state_that_was_read_on_the_processors_goes_on_on_a_gpu(model: str) -> None:
    panel = ragged_panel()
    panel = panel.take(np.flatnonzero(panel.lengths > 10))
    forecasters = _both(model, panel)
    frames = []
    for forecaster in forecasters:
        state = carried_state.start(forecasters[0], panel.until(panel.ends - 3))
        assert not state.network.ring.is_cuda
        frame, after = carried_state.update(forecaster, state, panel.tail(3))
        assert not after.network.ring.is_cuda
        frames.append(frame.mean)
    np.testing.assert_allclose(frames[0], frames[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("model", "options"),
    [(model, {}) for model in MODELS]
    + [
        ("gru", {"precision": "auto"}),
        ("lstm", {"truncate_after": 12, "peepholes": True}),
        ("stacked", {"average_last": 2, "initial_state": "learned", "clip_value": 0.1}),
    ],
)
def test_a_network_trains_on_a_gpu_and_forecasts_on_the_processors(model: str, options: dict[str, object]) -> None:
    panel, forecaster = ragged_panel(), quick(model, device="cuda", **options)
    forecaster.fit(panel)
    assert next(forecaster.network.parameters()).is_cuda
    there, here = forecaster.predict(panel), _on("cpu", forecaster).predict(panel)
    np.testing.assert_allclose(there.mean, here.mean, rtol=1e-3, atol=1e-3)


def test_training_on_a_gpu_ends_near_training_on_the_processors() -> None:
    panel = ragged_panel()
    frames = []
    for device in ("cpu", "cuda"):
        forecaster = quick(device=device, dropout=0.0)
        forecaster.fit(panel)
        frames.append(forecaster.predict(panel).mean)
    np.testing.assert_allclose(frames[0], frames[1], rtol=0.02, atol=0.1)


def test_a_run_on_a_gpu_is_resumed_on_it(tmp_path: Path) -> None:
    panel, settings = ragged_panel(), quick(device="cuda", truncate_after=12).training
    fitted = quick(device="cpu")
    fitted.fit(panel)
    network = fitted.network
    training.run(network, panel, settings, 3, [SaveRegularly(tmp_path / "half.ckpt", 3)])
    module = training.run(network, panel, settings, 6, [], resume=tmp_path / "half.ckpt")
    assert module.global_step == 6
    assert not next(network.parameters()).is_cuda, "a run leaves the network where it was"


def test_the_device_is_named() -> None:
    assert torch.cuda.get_device_name(0) in describe_device()
