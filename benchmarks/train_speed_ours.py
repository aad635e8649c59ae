"""One measurement of this library's training; `train_speed.py` starts it in a process of its own and reads its last line.

The request is one JSON argument, the answer one line of JSON on the console. What is timed:

    train   the real thing: batches of SegmentData, Lightning, ForecastingModule
    loop    the same network, loss, clipping, AdamW and average on one batch that is already there
    kernel  torch's bare recurrent layer, forward and backward
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, final

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from torch import nn

from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.networks.build import build_network
from forecast.networks.covariates import Columns
from forecast.networks.interfaces import Batch
from forecast.networks.network import Network
from forecast.networks.settings import NetworkSettings
from forecast.networks.timeline import gather_steps
from forecast.neural.data import SegmentBatches
from forecast.neural.inference import read_panel
from forecast.neural.module import ForecastingModule
from forecast.neural.training import plan_of, run
from forecast.neural.training_settings import TrainingSettings

Ticks = list[tuple[float, float, int]]
KERNELS = {"gru": nn.GRU, "lstm": nn.LSTM}


def supervised_origins(network: Network, batch: Batch) -> int:
    """Returns how many origins of a batch the loss learns from: those with a past, a scale and at least one observed target."""
    history = batch.y[:, : network.lead + batch.steps]
    scales, _ = network.normaliser(history[:, network.lead - network.normaliser.lead :], batch.statistics)
    _, scale = network.normaliser.at(scales, batch.origins, network.horizon)
    past = network.paths(history, network.lead, batch.origins).available[..., 0]
    targets = batch.y[:, network.lead + 1 :].unfold(1, network.horizon, 1)[:, : batch.steps]
    observed = ~torch.isnan(gather_steps(targets, batch.origins))
    return int((observed & past[..., None] & (scale > 0)).any(dim=-1).sum())


@final
class Clock(pl.Callback):
    """Reads the clocks after every step; where asked, keeps copies of the averaged weights with the clock stopped.

    Args:
        every: Steps between copies; 0 keeps none.
        limit: Processor seconds of training after which it ends.
    """

    def __init__(self, every: int, limit: float) -> None:
        self.every, self.limit = every, limit
        self.ticks: list[tuple[float, float]] = []
        self.copies: list[tuple[int, float, float, dict[str, torch.Tensor]]] = []
        self._wall = self._cpu = 0.0

    def on_train_batch_start(self, *_: object) -> None:
        """Starts the clock with the first batch."""
        if not self.ticks:
            self._wall, self._cpu = time.perf_counter(), time.process_time()
            self.ticks.append((0.0, 0.0))

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        """Reads the clocks; ends the training where its time is over."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        self.ticks.append((wall, cpu))
        if self.every and trainer.global_step % self.every == 0 and isinstance(pl_module, ForecastingModule):
            weights = {name: value.clone() for name, value in pl_module.average.items()}
            self.copies.append((trainer.global_step, wall, cpu, weights))
            self._wall, self._cpu = time.perf_counter() - wall, time.process_time() - cpu
        if cpu > self.limit:
            trainer.should_stop = True


def new_network(request: dict[str, Any]) -> Network:
    """Returns the untrained network of a request; for panels without covariates."""
    torch.manual_seed(request["seed"])
    settings = NetworkSettings(encoder=request["cell"], hidden_size=request["hidden_size"], lags=request["context"])
    return build_network(settings, horizon=request["horizon"], levels=tuple(request["levels"]),
                         season_lengths=tuple(request["seasons"]), columns=Columns())  # fmt: skip


def training_settings(request: dict[str, Any]) -> TrainingSettings:
    """Returns the library's own settings, with the seed of the request and as many steps as it has."""
    return TrainingSettings(seed=request["seed"], max_steps=request["steps"], validate_every=0)


def train(request: dict[str, Any], panel: Panel) -> dict[str, Any]:
    """Trains as NeuralForecaster.fit does and returns the ticks; writes the median forecasts of the copies where there are some."""
    network, settings = new_network(request), training_settings(request)
    clock = Clock(request["copy_every"], request["limit"])
    run(network, panel, settings, settings.max_steps, [clock])
    counts = counted(network, panel, settings, len(clock.ticks) - 1)
    if clock.copies:
        median = tuple(request["levels"]).index(0.5)
        np.save(request["forecasts"], np.stack([medians(network, panel, copy[3], median) for copy in clock.copies]))
    ticks = [(wall, cpu, count) for (wall, cpu), count in zip(clock.ticks, counts, strict=True)]
    weights = sum(p.numel() for p in network.parameters())
    return {"ticks": ticks, "copies": [copy[:3] for copy in clock.copies], "weights": weights}


def counted(network: Network, panel: Panel, settings: TrainingSettings, steps: int) -> list[int]:
    """Returns the supervised origins before each step, counted in the batches that the training has seen: they are made again."""
    batches = SegmentBatches(panel, plan_of(network, panel, settings))
    each = [supervised_origins(network, batches.batch(number)) for number in range(steps)]
    return [0, *np.cumsum(each).tolist()]


def medians(network: Network, panel: Panel, weights: dict[str, torch.Tensor], level: int) -> np.ndarray[Any, Any]:
    """Returns the median forecasts after the end of every series. Shape [N, H]."""
    network.load_state_dict(weights)
    network.eval()
    blocks = [block for some, _ in read_panel(network, panel, panel.lengths[:, None] - 1) for block in some]
    order = np.argsort(np.concatenate([block.series for block in blocks]))
    return np.concatenate([block.quantiles[..., level] for block in blocks])[order]


def loop(request: dict[str, Any], panel: Panel) -> dict[str, Any]:
    """Returns the ticks of training steps on one batch, without data, Lightning or schedule."""
    network, settings = new_network(request).train(), training_settings(request)
    batch = SegmentBatches(panel, plan_of(network, panel, settings)).batch(0)
    parameters: list[torch.Tensor] = list(network.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=True)
    average = [p.detach().clone() for p in parameters]

    def step() -> None:
        network.loss(batch).backward()
        nn.utils.clip_grad_norm_(parameters, settings.clip_norm, foreach=True)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            torch._foreach_lerp_(average, parameters, 1 - settings.average_decay)

    return {"ticks": ticked(step, request["steps"], supervised_origins(network, batch))}


def kernel(request: dict[str, Any], panel: Panel) -> dict[str, Any]:
    """Returns the ticks of torch's recurrent layer alone on inputs as large as those of the network."""
    plan = plan_of(new_network(request), panel, training_settings(request))
    size = request["hidden_size"]
    layer = KERNELS[request["cell"]](size, size, batch_first=True)
    inputs = torch.randn(plan.batch_size, plan.steps, size, requires_grad=True)
    gradient = torch.randn(plan.batch_size, plan.steps, size)

    def step() -> None:
        layer.zero_grad()
        layer(inputs)[0].backward(gradient)

    return {"ticks": ticked(step, request["steps"], plan.batch_size * len(range(0, plan.steps, plan.stride)))}


def ticked(step: Callable[[], None], steps: int, origins: int) -> Ticks:
    """Returns the clocks and the number of origins after each step."""
    wall, cpu, ticks = time.perf_counter(), time.process_time(), [(0.0, 0.0, 0)]
    for number in range(1, steps + 1):
        step()
        ticks.append((time.perf_counter() - wall, time.process_time() - cpu, number * origins))
    return ticks


MEASURES: dict[str, Callable[[dict[str, Any], Panel], dict[str, Any]]] = {"train": train, "loop": loop, "kernel": kernel}


def main() -> int:
    """Measures once and prints the ticks."""
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    frequency = Frequency.parse(request["frequency"], tuple(request["seasons"]))
    panel = Panel.from_frame(pd.read_parquet(request["table"]), frequency)
    print(json.dumps(MEASURES[request["measure"]](request, panel)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
