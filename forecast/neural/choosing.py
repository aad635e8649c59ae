"""Choosing the number of training steps: the loss of the averaged weights, on rows that the network does not learn from.

It must not train.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, final

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from forecast.core.errors import ModelError
from forecast.core.forecaster import MetricSink
from forecast.core.holdout import Holdout
from forecast.core.panel import Panel
from forecast.core.seasonal_error import seasonal_errors
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.interfaces import Batch
from forecast.neural.data import to_batch
from forecast.neural.module import ForecastingModule
from forecast.windowing.segments import SegmentReader

VALIDATION_ORIGINS = 512
EARLY = 0.01  # share of the loss that half as many steps must gain: one window of validation says little (docs/log.md)


@final
class StepCurve(pl.Callback):
    """Validation loss of the averaged weights at every n-th step and at the last.

    Args:
        batch: One origin per row, whose targets are held back from the training part.
        every: n.
        last: The last step.
        sink: Where the curve is also reported.
        patience: Losses in a row without a new best one after which training stops; 0 for none (Prechelt 1998, "Early stopping - but
            when?").
    """

    def __init__(self, batch: Batch, every: int, last: int, sink: MetricSink | None, patience: int = 0) -> None:
        self.batch, self.every, self.last, self.sink, self.patience = batch, every, last, sink, patience
        self.losses: dict[int, float] = {}
        self.weights: Mapping[str, Tensor] = {}

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        """Measures where it is time to."""
        step = trainer.global_step
        due = step % self.every == 0 or step == self.last
        if due and step not in self.losses and isinstance(pl_module, ForecastingModule):
            self.losses[step] = averaged_loss(pl_module, self.batch)
            if step == self._lowest():
                self.weights = {name: value.to("cpu", copy=True) for name, value in pl_module.average.items()}
            if self.sink is not None:
                self.sink.log("validation_loss", self.losses[step], step)
            trainer.should_stop = trainer.should_stop or self._is_out_of_patience()

    def on_train_start(self, trainer: pl.Trainer, *_: object) -> None:
        """Stops at once a run that is resumed after it had stopped."""
        trainer.should_stop = trainer.should_stop or self._is_out_of_patience()

    def state_dict(self) -> dict[str, Any]:
        """Returns the curve so far and the weights at its lowest point, which go into checkpoints."""
        return {"losses": self.losses, "weights": dict(self.weights)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the curve of a checkpoint back."""
        self.losses, self.weights = dict(state_dict["losses"]), dict(state_dict["weights"])

    def best(self) -> int:
        """Returns the number of steps with the lowest loss, each halving of the schedule counted as EARLY; `weights` are those after it.

        Raises:
            ModelError: no loss is finite.
        """
        lowest = self._lowest()
        if lowest is None:
            raise ModelError(
                f"training diverged: none of the {len(self.losses)} validation losses is finite; lower the learning rate"
            )
        return lowest

    def _is_out_of_patience(self) -> bool:
        lowest = self._lowest()
        later = sum(step > (lowest or 0) for step in self.losses)
        return 0 < self.patience <= later

    def _lowest(self) -> int | None:
        finite = {step: loss for step, loss in self.losses.items() if np.isfinite(loss)}
        if not finite:
            return None
        return min(finite, key=lambda step: (finite[step] * (1 + EARLY * math.log2(self.last / step)), step))


def averaged_loss(module: ForecastingModule, batch: Batch) -> float:
    """Returns the loss of a batch under the module's averaged weights."""
    judged = copy.deepcopy(module.network)
    judged.load_state_dict(module.average)
    judged.eval()
    for part in judged.modules():
        if isinstance(part, nn.RNNBase):
            part.flatten_parameters()  # a copy on a GPU has its weights here and there, which cuDNN warns of
    with torch.no_grad():
        return float(judged.loss(batch.to(module.device)))


def validation_batch(
    network: ForecastingNetwork, panel: Panel, holdout: Holdout, *, steps: int, season_length: int, seed: int
) -> Batch:
    """Returns one row for each cutoff of a holdout, read for some steps up to it; of many cutoffs a seeded sample.

    Args:
        network: Gives lead and horizon.
        panel: The training part, with the rows that are held back.
        holdout: Has at least one cutoff.
        steps: T at most.
        season_length: Of the unit of loss.
        seed: Of the sample.
    """
    series, cutoffs = holdout.rows(panel)
    if len(series) > VALIDATION_ORIGINS:
        some = np.sort(np.random.default_rng(seed).choice(len(series), VALIDATION_ORIGINS, replace=False))
        series, cutoffs = series[some], cutoffs[some]
    last = cutoffs - panel.starts[series]  # row of the origin
    steps = int(min(steps, last.max() + 1))
    first = np.maximum(last + 1 - steps, 0)
    segments = SegmentReader.of(panel, network.calendar).read(
        series, first, lead=network.lead, steps=steps, horizon=network.horizon
    )
    error = seasonal_errors(panel, holdout.ends[:, None], season_length).absolute[:, 0]
    return to_batch(segments, steps, (last - first)[:, None], torch.from_numpy(np.nan_to_num(error)[series]))
