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
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from forecast.core.errors import ModelError
from forecast.core.forecaster import MetricSink
from forecast.core.holdout import hold_out
from forecast.core.panel import Panel
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.neural.averaging import MeanOfLast, RunningAverage
from forecast.neural.checkpoints import Checkpoints, SaveRegularly
from forecast.neural.choosing import StepCurve, validation_batch
from forecast.neural.data import SegmentBatches, SegmentData, SegmentPlan
from forecast.neural.device import device_here, precision_here
from forecast.neural.module import ForecastingModule, Schedule
from forecast.neural.training_settings import TrainingSettings
from forecast.neural.walks import WalkBatches

PACE_STEPS = 8
MIN_STEPS = 20
BUDGET_SHARE = 0.8  # of the time is for steps, the rest for validation and what else the machine does


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
    curve = StepCurve(batch, settings.validate_every, settings.max_steps, sink, settings.patience)
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
    device, start = device_here(settings.device), network.state_dict()
    averaged = MeanOfLast(settings.average_last, start) if settings.average_last else RunningAverage(settings.average_decay, start)
    module = ForecastingModule(
        network, schedule=Schedule(settings.learning_rate, settings.warm_up, settings.max_steps), weight_decay=settings.weight_decay,
        seed=settings.seed, averaged=averaged, clip_value=settings.clip_value, compiled=settings.compile,
    )  # fmt: skip
    first = int(torch.load(resume, weights_only=True, map_location="cpu")["global_step"]) if resume is not None else 0
    stream = WalkBatches if settings.truncate_after else SegmentBatches
    with quiet():
        trainer = pl.Trainer(
            max_steps=steps, accelerator="gpu" if device.type == "cuda" else "cpu", devices=1, logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=settings.clip_norm,
            callbacks=callbacks, deterministic=settings.deterministic, precision=precision_here(settings.precision, device),
        )  # fmt: skip
        data = SegmentData(stream(panel, plan_of(network, panel, settings), first))
        trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    network.cpu()
    averaged.to(torch.device("cpu"))
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
    steps = settings.truncate_after or settings.segment
    return SegmentPlan(network.lead, network.horizon, settings.batch_size, steps, settings.stride,
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
