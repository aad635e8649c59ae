"""The one LightningModule: a network, its loss on every origin, and its optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, final

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.interfaces import Batch


@final
class ForecastingModule(pl.LightningModule):
    """Trains a network with AdamW, linear warm-up and cosine decay; skips and counts steps whose loss or gradient is not finite.

    The random numbers of a step depend on the seed and the step alone, so that a run that is resumed continues bitwise.

    Args:
        network: The network.
        learning_rate: At the peak.
        weight_decay: Of AdamW.
        warm_up: Steps of linear warm-up.
        total_steps: Length of the cosine.
        seed: Of dropout.
        average_decay: Of the running average of the weights, which is what is used in the end; 0 for none.
    """

    def __init__(
        self, network: ForecastingNetwork, *, learning_rate: float, weight_decay: float, warm_up: int, total_steps: int, seed: int,
        average_decay: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.network = network
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.warm_up, self.total_steps, self.seed = warm_up, total_steps, seed
        self.average_decay = average_decay
        self.average = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.skipped_steps = 0

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds the random numbers of this step."""
        torch.manual_seed(self.seed * 1_000_003 + self.global_step)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the loss of the batch."""
        return self.network.loss(batch)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clears the gradients of a step in which one of them is not finite, as after a loss that is not, and counts the step."""
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        if gradients and not torch.isfinite(torch.stack([g.sum() for g in gradients])).all():
            self.skipped_steps += 1
            optimizer.zero_grad()

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:  # fmt: skip
        """Takes the step, then moves the average towards the weights; early on it forgets faster, not to remember the start.

        It is done here because checkpoints are saved before the module hears of the end of a batch.
        """
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        step = self.global_step + 1
        decay = min(self.average_decay, step / (step + 9))
        with torch.no_grad():
            weights = self.network.state_dict()
            torch._foreach_lerp_([self.average[name] for name in weights], list(weights.values()), 1 - decay)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Returns AdamW with warm-up and cosine, stepped once a batch."""
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the averaged weights with the checkpoint."""
        checkpoint["average"] = self.average
        checkpoint["skipped_steps"] = self.skipped_steps

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the averaged weights back."""
        self.average = checkpoint["average"]
        self.skipped_steps = checkpoint["skipped_steps"]

    def _rate(self, step: int) -> float:
        """Share of the peak learning rate at a step."""
        ramp = min(1.0, (step + 1) / max(self.warm_up, 1))
        return ramp * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(step / max(self.total_steps, 1), 1.0))))
