"""What options of training and of cells change: errors on the sample panel, and processor seconds of a step.

python benchmarks/training_options.py panel    weighted quantile loss of the last 28 days, a line for each option
python benchmarks/training_options.py compile  a training step plain and translated by torch.compile
python benchmarks/training_options.py cells    an LSTM layer with and without peepholes
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.networks.build import build_network
from forecast.networks.covariates import AMOUNT, Columns
from forecast.networks.encoders.fused import CellOptions, FusedRecurrent
from forecast.networks.interfaces import Batch
from forecast.networks.network import Network
from forecast.networks.settings import EncoderName, NetworkSettings
from forecast.neural.registry import NEURAL

HORIZON, LEVELS, SEEDS = 28, (0.1, 0.3, 0.5, 0.7, 0.9), 2
SMALL: Mapping[str, Any] = {
    "hidden_size": 32, "max_steps": 100, "validate_every": 0, "batch_size": 32, "segment": 96, "device": "cpu",
}  # fmt: skip
OPTIONS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("lstm", {}),
    ("lstm", {"initial_state": "learned"}),
    ("lstm", {"peepholes": True}),
    ("lstm", {"forget_bias": 0.0}),
    ("lstm", {"clip_value": 0.01}),
    ("lstm", {"input_noise": 0.01}),
    ("lstm", {"average_last": 40}),
    ("lstm", {"average_decay": 0.0}),
    ("lstm", {"truncate_after": 96}),
    ("elman", {}),
    ("elman", {"activation": "relu", "recurrent_weights": "identity"}),
    ("elman", {"recurrent_weights": "identity"}),
    ("stacked", {"layers": 8}),
    ("stacked", {"layers": 8, "residual": False, "layer_norm": False}),
    ("stacked", {"cell": "lstm"}),
)
COMPILED: tuple[EncoderName, ...] = ("elman", "lstm", "gru", "dilated")


def seconds(run: Callable[[], object], repetitions: int = 6) -> float:
    """Returns the least processor time of some runs, after one that is not counted."""
    run()
    spent = []
    for _ in range(repetitions):
        began = time.process_time()
        run()
        spent.append(time.process_time() - began)
    return min(spent)


def errors(panel: Panel, model: str, options: Mapping[str, Any]) -> tuple[float, float, float]:
    """Returns mean and deviation of the weighted quantile loss over some seeds, and processor seconds of a fit."""
    known, spent, losses = panel.until(panel.ends - HORIZON), [], []
    truth = np.stack([panel.series(i)[-HORIZON:] for i in range(len(panel))])
    seen, levels = np.isfinite(truth), np.array(LEVELS)
    for seed in range(SEEDS):
        forecaster = NEURAL[model](horizon=HORIZON, levels=LEVELS, season_lengths=(7,), seed=seed, **SMALL, **options)
        began = time.process_time()
        forecaster.fit(known)
        spent.append(time.process_time() - began)
        frame = forecaster.predict(known, panel.known_future(panel.ends - HORIZON))
        distance = truth[..., None] - frame.quantiles.reshape(len(panel), HORIZON, len(levels))
        pinball = 2 * np.maximum(levels * distance, (levels - 1) * distance)
        losses.append(float(pinball[seen].mean(axis=1).sum() / np.abs(truth[seen]).sum()))
    return float(np.mean(losses)), float(np.std(losses, ddof=1)), float(np.mean(spent))


def measure_panel() -> None:
    """Prints a line for each option, of the sample's series of more than 200 days."""
    table = pd.read_parquet("data/sample/sales.parquet")
    panel = Panel.from_frame(table, Frequency.parse("D", (7,)), Roles(known=("promo", "price", "holiday")))
    panel = panel.take(np.flatnonzero(panel.lengths > 200))
    for model, options in OPTIONS:
        loss, deviation, spent = errors(panel, model, options)
        print(f"| {model} | {dict(options) or 'as it is'} | {loss:.4f} +- {deviation:.4f} | {spent:.1f} s |", flush=True)


def _hourly(encoder: EncoderName) -> tuple[Network, Batch]:
    """A network for hours with a day and a week, and a batch of noise."""
    torch.manual_seed(0)
    network = build_network(NetworkSettings(encoder), horizon=48, levels=tuple(i / 10 for i in range(1, 10)), season_lengths=(24, 168),
                            columns=Columns((AMOUNT,) * 4)).train()  # fmt: skip
    rows, steps = 64, 192
    y = 10 + torch.randn(rows, network.lead + steps + 48, dtype=torch.float64)
    empty, origins = (torch.zeros(rows, steps, 0), torch.zeros(rows, 0)), torch.arange(0, steps, 4).expand(rows, -1)
    return network, Batch(steps, y, torch.randn(rows, steps + 48, 4), *empty, origins, None,
                          torch.ones(rows, 2, dtype=torch.float64), torch.ones(rows))  # fmt: skip


def measure_compile() -> None:
    """Prints the seconds of a step, plain and compiled, and those of the wall clock until the first compiled one is done."""
    for encoder in COMPILED:
        network, batch = _hourly(encoder)
        optimizer = torch.optim.AdamW(network.parameters())

        def step(loss: Callable[[Batch], torch.Tensor], optimizer: torch.optim.Optimizer = optimizer, batch: Batch = batch) -> None:
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()

        plain, compiled = seconds(lambda: step(network.loss)), torch.compile(network.loss, dynamic=False)  # noqa: B023
        began = time.perf_counter()
        step(compiled)
        first = time.perf_counter() - began
        print(f"| {encoder} | {plain:.2f} | {seconds(lambda: step(compiled)):.2f} | {first:.0f} |", flush=True)  # noqa: B023


def measure_cells() -> None:
    """Prints milliseconds of an LSTM layer, forward and backward, reading alone, and of one step of one series."""
    inputs, last = torch.randn(64, 192, 128), torch.zeros(64, 1, dtype=torch.long)
    for peepholes in (False, True):
        layer: nn.Module = FusedRecurrent(cell="lstm", inputs=128, hidden_size=128, options=CellOptions(peepholes=peepholes))
        learn = seconds(lambda: layer(inputs, last)[0].memory.square().mean().backward())  # noqa: B023
        with torch.inference_mode():
            read = seconds(lambda: layer(inputs, last))  # noqa: B023
            one = seconds(lambda: [layer(inputs[:1, :1], last[:1]) for _ in range(300)]) / 300  # noqa: B023
        print(f"| peepholes {peepholes} | {1e3 * learn:.0f} | {1e3 * read:.0f} | {1e3 * one:.3f} |", flush=True)


PARTS: Mapping[str, Callable[[], None]] = {"panel": measure_panel, "compile": measure_compile, "cells": measure_cells}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=sorted(PARTS))
    torch.set_num_threads(1)
    PARTS[parser.parse_args().part]()
