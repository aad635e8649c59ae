"""Trains one member of an ensemble in a process of its own: one thread, memory that is kept.

    python -m forecast.ensembling.member_process FOLDER

FOLDER holds what `write_job` wrote; the process adds the weights and the forecasts of the rows that were held back. Two processes of
one thread each are faster than one of two threads, and glibc can be told to keep freed blocks only before a process starts.
It must not choose members.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
from safetensors.numpy import load_file, save_file

from forecast.core.arrays import FloatArray
from forecast.core.errors import ForecastError
from forecast.core.event_calendar import EventCalendar
from forecast.core.forecaster import Recipe, Weights
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles

_NUMBERS = ("offsets", "starts", "y", "known", "past", "static")
_PANEL, _FACTS, _RECIPE, _WEIGHTS, _SAID, _HELD = (
    "panel.npz", "panel.json", "recipe.json", "weights.safetensors", "said.json", "held_out.npz")  # fmt: skip
_PROGRESS = "progress"


class HeldOut(NamedTuple):
    """Forecasts of the rows that a fit held back, in the order of `Holdout.rows`: mean [R, H], quantiles [R, H, Q], data units."""

    mean: FloatArray
    quantiles: FloatArray


class Learned(NamedTuple):
    """What a member's training left: its weights, its forecasts of the held-back rows (None where nothing was held back), its curve
    as (name, value, step), the number of steps and the seconds that it took."""

    weights: Weights
    held_out: HeldOut | None
    curve: list[tuple[str, float, int]]
    steps: int
    seconds: float


def write_panel(folder: Path, panel: Panel) -> None:
    """Writes a panel for the members to read."""
    facts = {
        "alias": panel.frequency.alias,
        "season_lengths": panel.frequency.season_lengths,
        "ids": list(panel.ids),
        **asdict(panel.roles),
        "categories": panel.categories,
        "calendar": panel.calendar.to_json(),
    }
    (folder / _FACTS).write_text(json.dumps(facts))
    np.savez(folder / _PANEL, **{name: getattr(panel, name) for name in _NUMBERS})


def read_panel_file(folder: Path) -> Panel:
    """Returns the panel that `write_panel` wrote."""
    facts = json.loads((folder / _FACTS).read_text())
    frequency = Frequency.parse(facts["alias"], tuple(facts["season_lengths"]))
    roles = Roles(tuple(facts["known"]), tuple(facts["past"]), tuple(facts["static"]), tuple(facts["categorical"]))
    with np.load(folder / _PANEL, allow_pickle=False) as arrays:
        numbers = {name: arrays[name] for name in _NUMBERS}
    categories = tuple(tuple(names) for names in facts["categories"])
    calendar = EventCalendar.from_json(facts["calendar"])
    return Panel(frequency, np.array(facts["ids"], dtype=object), roles=roles, categories=categories, calendar=calendar, **numbers)


def write_job(folder: Path, recipe: Recipe) -> None:
    """Writes what to train; the panel lies in the folder's parent."""
    folder.mkdir()
    (folder / _RECIPE).write_text(json.dumps(dict(recipe)))


def read_result(folder: Path) -> Learned:
    """Returns what a member left."""
    said = json.loads((folder / _SAID).read_text())
    held = None
    if (folder / _HELD).exists():
        with np.load(folder / _HELD, allow_pickle=False) as arrays:
            held = HeldOut(arrays["mean"], arrays["quantiles"])
    curve = [(str(n), float(v), int(s)) for n, v, s in said["curve"]]
    return Learned(load_file(folder / _WEIGHTS), held, curve, int(said["steps"]), float(said["seconds"]))


def read_progress(folder: Path) -> float:
    """Returns which share of its steps a running member has taken, as far as it has told."""
    try:
        return float((folder / _PROGRESS).read_text() or 0.0)
    except FileNotFoundError:
        return 0.0


@final
class _Curve:
    """Keeps what training reports, and tells how far it is."""

    def __init__(self, folder: Path, total: int) -> None:
        self.folder, self.total = folder, total
        self.points: list[tuple[str, float, int]] = []

    def log(self, name: str, value: float, step: int) -> None:
        """Keeps one number."""
        self.points.append((name, value, step))
        if name == "validation_loss":  # the run that chooses the number of steps is about half of the work
            (self.folder / _PROGRESS).write_text(f"{0.5 * step / max(self.total, 1):.4f}")


def main(folder: Path) -> None:
    """Trains the member of a folder."""
    import torch

    from forecast.neural.registry import NEURAL

    torch.set_num_threads(1)
    began = time.perf_counter()
    recipe = json.loads((folder / _RECIPE).read_text())
    curve = _Curve(folder, int(recipe["max_steps"]))
    member = NEURAL[recipe.pop("kind")](**recipe, sink=curve)
    held = member.fit_and_validate(read_panel_file(folder.parent))
    save_file({name: np.array(value, order="C") for name, value in member.weights().items()}, folder / _WEIGHTS)
    if held is not None:
        np.savez(folder / _HELD, mean=held.mean, quantiles=held.quantiles)
    said = {"curve": curve.points, "steps": member.steps_taken, "seconds": time.perf_counter() - began}
    (folder / _SAID).write_text(json.dumps(said))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except ForecastError as error:  # the parent shows what the member says: the message, not where it was raised
        sys.exit(str(error))
