"""Trains the members of an ensemble side by side, one process and one thread each, inside a budget of time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import final

import forecast
from forecast.core.errors import ModelError
from forecast.core.forecaster import MetricSink, Progress, Recipe
from forecast.core.panel import Panel
from forecast.ensembling.member_process import Learned, read_progress, read_result, write_job, write_panel

# See DESIGN: freed blocks are kept, waiting threads sleep. Both must be set before a process starts.
MEMBER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184",
}  # fmt: skip
START_SECONDS = 8.0  # a member's process loads torch and Lightning
_POLL_SECONDS = 0.05


def train_members(
    recipes: Sequence[Recipe],
    panel: Panel,
    workers: int,
    *,
    sink: MetricSink | None = None,
    seconds: float | None = None,
    progress: Progress | None = None,
) -> list[Learned]:
    """Returns what the first members learned, in order: all of them, or as many as the time allows.

    Those that start together share the time that is left; a later one starts only where there is time for what the slowest so far
    took. So a short budget takes fewer members before it takes fewer steps.

    Args:
        recipes: Of networks, as NeuralForecaster.recipe gives them, most important first.
        panel: To learn from.
        workers: Members that train at the same time.
        sink: Where the members report, each under its own name.
        seconds: That all of this may take, about; None for as many as it takes.
        progress: Is told how far the training is.

    Raises:
        ModelError: a member failed; the message ends with what it said.
    """
    with tempfile.TemporaryDirectory(prefix="forecast-members-") as name:
        root = Path(name)
        write_panel(root, panel)
        team = _Team(root, recipes, workers, seconds, progress)
        try:
            folders = team.work()
        finally:
            team.stop()
        results = [read_result(folder) for folder in folders]
    if sink is not None:
        for recipe, learned in zip(recipes, results, strict=False):
            for metric, value, step in learned.curve:
                sink.log(f"{recipe['name']}_{metric}", value, step)
    return results


@final
class _Team:
    """The processes that are waiting, running and done."""

    def __init__(
        self, root: Path, recipes: Sequence[Recipe], workers: int, seconds: float | None, progress: Progress | None
    ) -> None:
        self.root, self.recipes, self.workers, self.seconds, self.progress = root, list(recipes), workers, seconds, progress
        self.began = time.perf_counter()
        self.started: list[Path] = []
        self.running: dict[Path, tuple[subprocess.Popen[bytes], float]] = {}
        self.slowest = self.share = 0.0

    def work(self) -> list[Path]:
        """Returns the folders of the members that were trained, in order."""
        while self.running or self._may_start():
            while len(self.running) < self.workers and self._may_start():
                self._start()
            for folder, (process, began) in list(self.running.items()):
                code = process.poll()
                if code is not None:
                    del self.running[folder]
                    _check(folder, code)
                    self.slowest = max(self.slowest, time.perf_counter() - began)
            self._tell()
            time.sleep(_POLL_SECONDS)
        return self.started

    def stop(self) -> None:
        """Ends what still runs."""
        for process, _ in self.running.values():
            process.kill()
            process.wait()

    def _left(self) -> float | None:
        return None if self.seconds is None else self.seconds - (time.perf_counter() - self.began)

    def _may_start(self) -> bool:
        left = self._left()
        if len(self.started) == len(self.recipes):
            return False
        return left is None or not self.slowest or left > 1.05 * self.slowest

    def _start(self) -> None:
        number, left = len(self.started), self._left()
        folder = self.root / f"member-{number}"
        write_job(folder, {**self.recipes[number], "budget": None if left is None else max(left - START_SECONDS, 1.0)})
        self.started.append(folder)
        self.running[folder] = (_process(folder), time.perf_counter())

    def _tell(self) -> None:
        if self.progress is None:
            return
        spent, total = time.perf_counter() - self.began, len(self.recipes)
        done = len(self.started) - len(self.running) + sum(read_progress(folder) for folder in self.running)
        left = self._left()
        if self.slowest and left is not None:  # fewer members than wished may fit
            rounds = max(int(left / (1.05 * self.slowest)), 0)
            total = min(total, len(self.started) + rounds * self.workers)
        self.share = share = max(self.share, min(done / max(total, 1), 1.0))  # a file that is being written reads as 0
        estimate = spent * (1 - share) / share if share > 0.02 else None
        self.progress.advance(share, estimate if left is None or estimate is None else max(min(estimate, left), 0.0))


def _process(folder: Path) -> subprocess.Popen[bytes]:
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
