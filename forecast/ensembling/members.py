"""Trains the members of an ensemble side by side, one process and one thread each."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import forecast
from forecast.core.errors import ModelError
from forecast.core.forecaster import MetricSink, Recipe, Weights
from forecast.core.panel import Panel
from forecast.ensembling.member_process import read_result, write_job, write_panel

# See DESIGN: freed blocks are kept, waiting threads sleep. Both must be set before a process starts.
MEMBER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184",
}  # fmt: skip
_POLL_SECONDS = 0.05


def train_members(recipes: Sequence[Recipe], panel: Panel, workers: int, sink: MetricSink | None = None) -> list[Weights]:
    """Returns the trained weights of each recipe's network, in order.

    Args:
        recipes: Of networks, as NeuralForecaster.recipe gives them.
        panel: To learn from.
        workers: Members that train at the same time.
        sink: Where the members report, each under its own name.

    Raises:
        ModelError: a member failed; the message ends with what it said.
    """
    with tempfile.TemporaryDirectory(prefix="forecast-members-") as name:
        root = Path(name)
        write_panel(root, panel)
        folders = [root / f"member-{number}" for number in range(len(recipes))]
        for folder, recipe in zip(folders, recipes, strict=True):
            write_job(folder, recipe)
        _run(folders, workers)
        results = [read_result(folder) for folder in folders]
    if sink is not None:
        for recipe, (_, curve) in zip(recipes, results, strict=True):
            for metric, value, step in curve:
                sink.log(f"{recipe['name']}_{metric}", value, step)
    return [weights for weights, _ in results]


def _run(folders: Sequence[Path], workers: int) -> None:
    waiting, running = list(folders), dict[Path, subprocess.Popen[bytes]]()
    try:
        while waiting or running:
            free, waiting = waiting[: workers - len(running)], waiting[workers - len(running) :]
            running |= {folder: _start(folder) for folder in free}
            ended = {folder: code for folder, process in running.items() if (code := process.poll()) is not None}
            for folder, code in ended.items():
                _check(folder, code)
            running = {folder: process for folder, process in running.items() if folder not in ended}
            time.sleep(_POLL_SECONDS)
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def _start(folder: Path) -> subprocess.Popen[bytes]:
    root = str(Path(forecast.__file__).resolve().parent.parent)  # the child runs the same code, wherever it was found
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "forecast.ensembling.member_process", str(folder)], stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, env={**os.environ, **MEMBER_ENVIRONMENT, "PYTHONPATH": path},
        )  # fmt: skip


def _check(folder: Path, code: int) -> None:
    if code:
        said = (folder / "log").read_text(errors="replace").strip()[-1000:]
        raise ModelError(f"{folder.name} of the ensemble could not be trained (exit code {code}): {said or 'it said nothing'}")
