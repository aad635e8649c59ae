"""The one LightningModule: a network, its loss on every origin, and its optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, final

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.interfaces import Batch
from forecast.networks.state import NetworkState
from forecast.neural.averaging import WeightAverage
from forecast.neural.compiling import Loss, compiled_loss


class Schedule(NamedTuple):
    """Learning rate at the peak, steps of linear warm-up, and length of the cosine in steps."""

    peak: float
    warm_up: int
    steps: int

    def share(self, step: int) -> float:
        """Returns the share of the peak at a step."""
        ramp = min(1.0, (step + 1) / max(self.warm_up, 1))
        return ramp * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(step / max(self.steps, 1), 1.0))))


@final
class ForecastingModule(pl.LightningModule):
    """Trains a network with AdamW, linear warm-up and cosine decay; skips and counts steps whose loss or gradient is not finite.

    The random numbers of a step depend on the seed and the step alone, so that a run that is resumed continues bitwise. Where rows of a
    batch go on, the state after the batch before is handed to them without its gradient.

    Args:
        network: The network.
        schedule: Of the learning rate.
        weight_decay: Of AdamW.
        seed: Of dropout.
        averaged: The average of the weights, which is what is used in the end.
        clip_value: Largest size of a number of the gradient; 0 for no limit.
        compiled: Whether the loss is translated, see `compiling`.
    """

    def __init__(
        self, network: ForecastingNetwork, *, schedule: Schedule, weight_decay: float, seed: int, averaged: WeightAverage,
        clip_value: float = 0.0, compiled: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.schedule, self.weight_decay, self.seed = network, schedule, weight_decay, seed
        self.averaged, self.clip_value, self.compiled = averaged, clip_value, compiled
        self.skipped_steps = 0
        self.carried: NetworkState | None = None
        self._compiled_loss: Loss | None = None

    @property
    def average(self) -> dict[str, Tensor]:
        """The averaged weights."""
        return self.averaged.weights()

    def on_fit_start(self) -> None:
        """Moves what is not a weight to where the weights are."""
        self.averaged.to(self.device)
        self.carried = None if self.carried is None else self.carried.to(self.device)
        self._compiled_loss = compiled_loss(self.network, self.device) if self.compiled else None

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds the random numbers of this step."""
        torch.manual_seed(self.seed * 1_000_003 + self.global_step)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the loss of the batch."""
        if batch.continues is None and self._compiled_loss is None:
            return self.network.loss(batch)
        loss, after = (self._compiled_loss or self.network.loss_onwards)(batch, self.carried)
        if batch.continues is not None:
            self.carried = after.detached() if torch.isfinite(loss) else None  # a state that is not finite would stay so
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clears the gradients of a step in which one of them is not finite, as after a loss that is not, and counts the step."""
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        if gradients and not torch.isfinite(torch.stack([g.sum() for g in gradients])).all():
            self.skipped_steps += 1
            optimizer.zero_grad()

    def configure_gradient_clipping(
        self, optimizer: torch.optim.Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Cuts the numbers of the gradient to their largest size, then the gradient to its largest norm."""
        if self.clip_value:
            nn.utils.clip_grad_value_(self.network.parameters(), self.clip_value)
        super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:  # fmt: skip
        """Takes the step, then lets the average see the weights.

        It is done here because checkpoints are saved before the module hears of the end of a batch.
        """
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        with torch.no_grad():
            self.averaged.add(self.global_step + 1, self.network.state_dict())

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Returns AdamW with warm-up and cosine, stepped once a batch."""
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=self.schedule.peak, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule.share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the averaged weights and the carried state with the checkpoint."""
        checkpoint["average"] = self.averaged.state_dict()
        checkpoint["skipped_steps"] = self.skipped_steps
        checkpoint["carried"] = None if self.carried is None else [*self.carried.encoder, *self.carried[1:]]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes them back."""
        self.averaged.load_state_dict(checkpoint["average"])
        self.skipped_steps = checkpoint["skipped_steps"]
        if checkpoint["carried"] is not None:
            *encoder, ring, statistics = checkpoint["carried"]
            self.carried = NetworkState(tuple(encoder), ring, statistics)
