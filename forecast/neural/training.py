"""Training runs: how many steps a panel deserves, and a network trained for them.

The end of each series chooses the number of steps; then the network is trained anew on all rows for that number.
It must not know names of models, files of bundles or MLflow.
"""

from __future__ import annotations

import copy
import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, final

import pytorch_lightning as pl
import torch
from torch import Tensor

from forecast.core.errors import ModelError
from forecast.core.forecaster import MetricSink
from forecast.core.holdout import hold_out
from forecast.core.panel import Panel
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.neural.checkpoints import Checkpoints, SaveRegularly
from forecast.neural.choosing import StepCurve, validation_batch
from forecast.neural.data import SegmentData, SegmentPlan
from forecast.neural.device import Precision, precision_here
from forecast.neural.module import ForecastingModule

PACE_STEPS = 8
MIN_STEPS = 20
BUDGET_SHARE = 0.8  # of the time is for steps, the rest for validation and what else the machine does


@final
@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train.

    max_steps: Length of the schedule and the most steps that are taken. validate_every: Steps between validations; 0 takes
    max_steps without validation. learning_rate, weight_decay, warm_up, average_decay: see ForecastingModule. clip_norm: Largest
    norm of the gradient. batch_size, segment, stride: see SegmentPlan. seed: Of everything. budget: Seconds that the training may
    take; fewer steps are taken where it is short, so that the weights then depend on the machine. None for as many as it takes.
    deterministic: Refuse kernels whose result may differ from run to run; those of the processor never do. precision: `bf16-mixed`
    multiplies matrices in bfloat16, which is faster where the machine has instructions for it and slower where not; `auto` sees.
    """

    max_steps: int = 400
    validate_every: int = 50
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    warm_up: int = 20
    average_decay: float = 0.99
    clip_norm: float = 1.0
    batch_size: int = 64
    segment: int = 192
    stride: int = 4
    seed: int = 0
    budget: float | None = None
    deterministic: bool = False
    precision: Precision = "32-true"


class Trained(NamedTuple):
    """What a training leaves beside the network.

    steps: taken on all rows. validated: the averaged weights of as many steps on the rows that were not held back, which the held-back
    rows may judge; None where nothing was held back.
    """

    steps: int
    validated: Mapping[str, Tensor] | None


def train(
    network: ForecastingNetwork,
    panel: Panel,
    settings: TrainingSettings,
    sink: MetricSink | None = None,
    checkpoints: Path | None = None,
    identity: str = "",
) -> Trained:
    """Trains the network in place on all rows of the panel and leaves it with the averaged weights.

    Args:
        network: New.
        panel: The rows to learn from.
        settings: How.
        sink: Where the validation curve is reported.
        checkpoints: Folder for checkpoints; a training of the same panel and settings that was interrupted goes on from there.
        identity: What else makes a training this one: text that differs where networks differ.

    Raises:
        ModelError: no series has two rows, or every validation loss is not finite.
    """
    if not (panel.lengths > 1).any():
        raise ModelError(f"none of the {len(panel)} series has two rows: there is nothing to learn a step from")
    if settings.budget is not None:
        settings = within_budget(network, panel, settings, settings.budget)
    kept = None
    if checkpoints is not None:
        every = settings.validate_every or settings.max_steps
        kept = Checkpoints.of(checkpoints, every, panel, f"{settings!r}|{identity}")
    start = copy.deepcopy(network.state_dict())
    curve = _choose(network, panel, settings, sink, kept) if settings.validate_every else None
    steps = settings.max_steps if curve is None else curve.best()
    network.load_state_dict(start)
    module = _phase(network, panel, replace(settings, max_steps=steps), steps, [], kept, "learn")
    network.load_state_dict(module.average)
    network.eval()
    if module.skipped_steps:
        logging.getLogger(__name__).warning("%d of %d training steps were skipped: not finite", module.skipped_steps, steps)
        if sink is not None:
            sink.log("skipped_steps", module.skipped_steps, steps)
    return Trained(steps, None if curve is None else curve.weights)


def _choose(
    network: ForecastingNetwork, panel: Panel, settings: TrainingSettings, sink: MetricSink | None, kept: Checkpoints | None
) -> StepCurve | None:
    """The validation curve of a run on what is not held back; None where the panel is too short to hold anything back."""
    holdout = hold_out(panel, network.horizon)
    rest = panel.until(holdout.ends)
    if not len(holdout.rows(panel)[0]) or not (rest.lengths > 1).any():
        return None
    batch = validation_batch(
        network, panel, holdout, steps=settings.segment, season_length=panel.frequency.season_length, seed=settings.seed
    )
    curve = StepCurve(batch, settings.validate_every, settings.max_steps, sink)
    _phase(network, rest, settings, settings.max_steps, [curve], kept, "choose")
    return curve


def _phase(
    network: ForecastingNetwork, panel: Panel, settings: TrainingSettings, steps: int, callbacks: list[pl.Callback], kept: Checkpoints | None,
    name: str,
) -> ForecastingModule:  # fmt: skip
    """One run, with checkpoints where they are wanted."""
    if kept is None:
        return run(network, panel, settings, steps, callbacks)
    return run(network, panel, settings, steps, [*callbacks, SaveRegularly(kept.file(name), kept.every)], resume=kept.found(name))


def run(
    network: ForecastingNetwork,
    panel: Panel,
    settings: TrainingSettings,
    steps: int,
    callbacks: list[pl.Callback],
    resume: Path | None = None,
) -> ForecastingModule:
    """Takes `steps` training steps, or those that are left of them after the checkpoint to resume from.

    Args:
        network: Trained in place; its averaged weights are in the module returned.
        panel: The rows to learn from.
        settings: Of the schedule, which is `max_steps` long whatever `steps` is.
        steps: Steps to take in all.
        callbacks: Lightning callbacks.
        resume: Checkpoint to go on from: the result is bitwise that of one run.
    """
    module = ForecastingModule(
        network, learning_rate=settings.learning_rate, weight_decay=settings.weight_decay, warm_up=settings.warm_up,
        total_steps=settings.max_steps, seed=settings.seed, average_decay=settings.average_decay,
    )  # fmt: skip
    first = int(torch.load(resume, weights_only=True)["global_step"]) if resume is not None else 0
    with quiet():
        trainer = pl.Trainer(
            max_steps=steps, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, gradient_clip_val=settings.clip_norm, callbacks=callbacks, deterministic=settings.deterministic,
            precision=precision_here(settings.precision),
        )  # fmt: skip
        data = SegmentData(panel, plan_of(network, panel, settings), first)
        trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    return module


def within_budget(network: ForecastingNetwork, panel: Panel, settings: TrainingSettings, seconds: float) -> TrainingSettings:
    """Returns the settings with no more steps than fit into a number of seconds twice, at the pace of a few steps of a copy."""
    began = time.perf_counter()
    run(copy.deepcopy(network), panel, settings, PACE_STEPS, [])
    spent = time.perf_counter() - began
    steps = max(MIN_STEPS, min(settings.max_steps, int(BUDGET_SHARE * (seconds - spent) / (2 * spent / PACE_STEPS))))
    return replace(settings, max_steps=steps, validate_every=min(settings.validate_every, max(steps // 4, 1)))


def plan_of(network: ForecastingNetwork, panel: Panel, settings: TrainingSettings) -> SegmentPlan:
    """Returns the plan of the training batches of a panel."""
    return SegmentPlan(network.lead, network.horizon, settings.batch_size, settings.segment, settings.stride,
                       panel.frequency.season_length, settings.seed, network.calendar)  # fmt: skip


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps Lightning's banners and its warnings about small loaders off the console while the block runs."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=Warning, module="pytorch_lightning")
        warnings.filterwarnings("ignore", category=Warning, module="lightning")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
