"""Options of training: each does what it says, reaches training from flat arguments, and lets a run be resumed bitwise."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from forecast.config.arguments import TASK_ARGUMENTS, check_arguments
from forecast.core.errors import ModelError
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.network import Network
from forecast.neural import choosing, training
from forecast.neural.averaging import MeanOfLast, RunningAverage
from forecast.neural.checkpoints import SaveRegularly
from forecast.neural.device import describe_device, device_here, precision_here
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.module import ForecastingModule, Schedule
from forecast.neural.registry import NEURAL
from forecast.neural.training_settings import TrainingSettings
from tests.unit.neural.worlds import quick, ragged_panel


def _untrained(forecaster: NeuralForecaster) -> ForecastingNetwork:
    one = quick(forecaster.settings.encoder)
    one.settings, one.training = forecaster.settings, replace(forecaster.training, max_steps=1, validate_every=0)
    one.fit(ragged_panel())
    return one.network


def _gradient_after(settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """The gradient that the optimizer is handed at the first step."""
    found, network = list[torch.Tensor](), _untrained(quick())

    def spy(self: torch.optim.AdamW, closure: object = None) -> object:
        loss = closure()  # type: ignore[operator]
        found.append(torch.cat([p.grad.flatten() for g in self.param_groups for p in g["params"] if p.grad is not None]))
        return loss

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", spy)
        training.run(network, ragged_panel(), settings, 1, [])
    (gradient,) = found
    return gradient


def test_the_gradient_is_cut_by_value_and_then_by_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = quick().training
    free = _gradient_after(replace(usual, clip_norm=0.0), monkeypatch)
    limit = float(free.abs().max()) / 4
    by_value = _gradient_after(replace(usual, clip_norm=0.0, clip_value=limit), monkeypatch)
    torch.testing.assert_close(by_value, free.clamp(-limit, limit))
    norm = float(by_value.norm()) / 3
    both = _gradient_after(replace(usual, clip_norm=norm, clip_value=limit), monkeypatch)
    torch.testing.assert_close(both, by_value / 3, rtol=1e-4, atol=1e-7)


def test_the_mean_of_the_last_weights_is_their_mean_and_the_running_one_is_not() -> None:
    steps = [{"w": torch.tensor([float(number)])} for number in range(6)]
    mean, running = MeanOfLast(3, steps[0]), RunningAverage(0.9, steps[0])
    assert mean.weights()["w"].item() == 0
    seen = []
    for number, weights in enumerate(steps[1:], start=1):
        mean.add(number, weights)
        running.add(number, weights)
        seen.append(mean.weights()["w"].item())
    assert seen == [1.0, 1.5, 2.0, 3.0, 4.0]
    again = MeanOfLast(3, steps[0])
    again.load_state_dict(mean.state_dict())
    again.add(6, {"w": torch.tensor([6.0])})
    assert again.weights()["w"].item() == 5.0
    expected = 0.0
    for number in range(1, 6):
        decay = min(0.9, number / (number + 9))
        expected = decay * expected + (1 - decay) * number
    assert running.weights()["w"].item() == pytest.approx(expected)


def test_a_fit_with_the_mean_of_the_last_steps_ends_with_it() -> None:
    network, seen = _untrained(quick()), []

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
            seen.append(copy.deepcopy(dict(network.state_dict())))

    module = training.run(network, ragged_panel(), quick(average_last=2).training, 5, [Watch()])
    name = "decoder.out.weight"
    torch.testing.assert_close(module.average[name], (seen[-1][name] + seen[-2][name]) / 2)
    assert not torch.equal(seen[-1][name], seen[-2][name])


def test_patience_ends_the_choice_of_steps_after_so_many_losses_without_a_new_best(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {}
    for patience in (0, 2):
        losses = iter([0.9, 0.5, 0.7, 0.6, 0.8, 0.4, 0.9, 0.9, 0.9, 0.9])
        monkeypatch.setattr(choosing, "averaged_loss", lambda module, batch, losses=losses: next(losses))
        forecaster = quick(max_steps=10, validate_every=1, patience=patience)
        forecaster.fit(ragged_panel())
        taken[patience] = (forecaster.steps_taken, len(list(losses)))
    assert taken == {0: (6, 0), 2: (2, 6)}


def test_a_choice_that_had_stopped_stays_stopped_when_it_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([0.5, 0.7, 0.8, 0.1, 0.1])
    monkeypatch.setattr(choosing, "averaged_loss", lambda module, batch: next(losses))
    for _ in range(2):
        forecaster = quick(max_steps=5, validate_every=1, patience=2, checkpoints=str(tmp_path))
        forecaster.fit(ragged_panel())
        assert forecaster.steps_taken == 1
    assert len(list(losses)) == 2


def test_noise_on_the_inputs_is_there_while_the_network_learns_and_nowhere_else() -> None:
    forecasters = {}
    for noise in (0.0, 0.1):
        forecasters[noise] = quick(input_noise=noise, dropout=0.0)
        forecasters[noise].fit(ragged_panel())
    name = "decoder.out.weight"
    assert not np.array_equal(forecasters[0.0].weights()[name], forecasters[0.1].weights()[name])
    noisy = forecasters[0.1].network
    assert isinstance(noisy, Network)
    assert noisy.input_noise == 0.1
    first, second = (forecasters[0.1].predict(ragged_panel()).quantiles for _ in range(2))
    np.testing.assert_array_equal(first, second)
    forecasters[0.0].network.load_state_dict(noisy.state_dict())
    np.testing.assert_array_equal(forecasters[0.0].predict(ragged_panel()).quantiles, first)


def test_the_learning_rate_rises_linearly_and_falls_as_a_cosine() -> None:
    schedule = Schedule(1.0, 4, 100)
    assert [round(schedule.share(step), 2) for step in (0, 1, 3)] == [0.25, 0.5, 1.0]
    assert schedule.share(50) == pytest.approx(0.01 + 0.99 / 2)
    assert schedule.share(100) == pytest.approx(0.01)


OPTIONS: list[tuple[str, dict[str, object]]] = [
    ("gru", {"clip_value": 0.01, "input_noise": 0.1}),
    ("gru", {"average_last": 2, "initial_state": "learned"}),
    ("lstm", {"peepholes": True, "forget_bias": 2.0}),
    ("elman", {"activation": "relu", "recurrent_weights": "identity"}),
    ("stacked", {"cell": "lstm", "layers": 3, "precision": "bf16-mixed"}),
    ("seq2seq", {"forced_steps": 4, "deterministic": True}),
]


@pytest.mark.parametrize(("model", "options"), OPTIONS, ids=lambda value: str(value))
def test_a_run_with_any_option_is_resumed_bitwise(model: str, options: dict[str, object], tmp_path: Path) -> None:
    forecaster = quick(model, dropout=0.3, **options)
    start, modules = _untrained(forecaster), list[ForecastingModule]()
    for steps, half, resume in ((6, False, None), (3, True, None), (6, False, tmp_path / "half.ckpt")):
        callbacks: list[pl.Callback] = [SaveRegularly(tmp_path / "half.ckpt", 3)] if half else []
        network = copy.deepcopy(start)
        modules.append(training.run(network, ragged_panel(), forecaster.training, steps, callbacks, resume=resume))
    whole, _, resumed = modules
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
        assert torch.equal(whole.average[name], resumed.average[name]), name


@pytest.mark.parametrize(("model", "options"), OPTIONS, ids=lambda value: str(value))
def test_a_network_with_any_option_is_restored_and_forecasts_the_same_bits(model: str, options: dict[str, object]) -> None:
    panel, forecaster = ragged_panel(), quick(model, **options)
    forecaster.fit(panel)
    recipe = dict(forecaster.recipe())
    again = NEURAL[str(recipe.pop("kind"))](**recipe)
    again.restore(forecaster.weights())
    np.testing.assert_array_equal(again.predict(panel).quantiles, forecaster.predict(panel).quantiles)


def test_every_option_is_a_flat_argument_of_a_configuration_and_reaches_its_settings() -> None:
    given = {
        "clip_value": 0.5, "truncate_after": 12, "patience": 3, "average_last": 5, "compile": True, "device": "cpu", "input_noise": 0.1,
        "initial_state": "learned", "recurrent_weights": "identity", "activation": "tanh", "forget_bias": 2.0, "peepholes": True,
        "residual": False, "layer_norm": False, "cell": "lstm",
    }  # fmt: skip
    checked = check_arguments(NEURAL["stacked"], given, reserved=TASK_ARGUMENTS)
    assert checked.mistakes == ()
    forecaster = quick("stacked", **checked.values)
    settings = asdict(forecaster.settings) | asdict(forecaster.training)
    assert {name: settings[name] for name in given} == given
    assert check_arguments(NEURAL["gru"], {"device": "tpu"}, reserved=TASK_ARGUMENTS).mistakes


def test_compiling_without_a_compiler_is_refused_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    if device_here("auto").type == "cuda":
        pytest.skip("on a GPU nothing is compiled by a compiler for C++")
    with pytest.raises(ModelError, match=r"none of \['g\+\+', 'clang\+\+'\] is on the PATH; install one, or set compile to false"):
        quick(compile=True).fit(ragged_panel())


def test_the_loss_that_is_learned_from_is_the_compiled_one(monkeypatch: pytest.MonkeyPatch) -> None:
    called = [0]

    def translated(function: Callable[..., object], dynamic: bool) -> Callable[..., object]:
        def counted(*arguments: object) -> object:
            called[0] += 1
            return function(*arguments)

        return counted

    monkeypatch.setattr(torch, "compile", translated)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    quick(compile=True, validate_every=0, max_steps=3).fit(ragged_panel())
    assert called == [3]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # of the compiler
@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no compiler for C++ on the PATH")
def test_a_compiled_loss_trains_to_nearly_the_same_weights() -> None:
    panel, weights = ragged_panel(), []
    for compiled in (False, True):
        small: dict[str, object] = {"head": "point", "mixer": 0, "calendar": False, "dropout": 0.0}  # quick to translate
        forecaster = quick("elman", compile=compiled, validate_every=0, max_steps=4, device="cpu", **small)
        forecaster.fit(panel)
        weights.append(forecaster.weights()["decoder.out.weight"])
    np.testing.assert_allclose(weights[1], weights[0], rtol=1e-2, atol=1e-4)


def test_a_gpu_that_is_not_there_is_refused_and_auto_takes_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match=r"device 'cuda' was asked for and torch .* finds no GPU; take 'auto' or 'cpu'"):
        quick(device="cuda").fit(ragged_panel())
    assert device_here("auto") == device_here("cpu") == torch.device("cpu")
    assert describe_device().startswith("processors")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_here("auto").type == device_here("cuda").type == "cuda"
    assert device_here("cpu").type == "cpu"


def test_the_device_is_a_matter_of_the_machine_and_not_of_the_model() -> None:
    assert "device" not in quick(device="cpu").recipe()


def test_automatic_precision_is_bfloat16_only_where_the_device_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, expected in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda there=there: {"avx512_bf16": there})
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True, there=there: there)
        for device in ("cpu", "cuda"):
            assert precision_here("auto", torch.device(device)) == expected
            assert precision_here("32-true", torch.device(device)) == "32-true"


def test_a_network_keeps_no_tensor_beside_its_weights_and_buffers() -> None:
    for model in ("gru", "esrnn", "deepar", "linear"):
        for module in _untrained(quick(model)).modules():
            loose = [
                name
                for name, value in vars(module).items()
                if isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter)
            ]
            assert not loose, f"{type(module).__name__}: {loose} would stay behind when the network moves to a GPU"
