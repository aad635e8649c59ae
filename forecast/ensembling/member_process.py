"""Trains one member of an ensemble in a process of its own: one thread, memory that is kept.

    python -m forecast.ensembling.member_process FOLDER

FOLDER holds what `write_job` wrote; the process adds the weights. Two processes of one thread each are faster than one of two threads,
and glibc can be told to keep freed blocks only before a process starts. It must not choose members.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from forecast.core.errors import ForecastError
from forecast.core.forecaster import Recipe, Weights
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles

_NUMBERS = ("offsets", "starts", "y", "known", "past", "static")
_PANEL, _FACTS, _RECIPE, _WEIGHTS, _CURVE = "panel.npz", "panel.json", "recipe.json", "weights.safetensors", "curve.json"


def write_panel(folder: Path, panel: Panel) -> None:
    """Writes a panel for the members to read."""
    facts = {
        "alias": panel.frequency.alias,
        "season_lengths": panel.frequency.season_lengths,
        "ids": list(panel.ids),
        **asdict(panel.roles),
    }
    (folder / _FACTS).write_text(json.dumps(facts))
    np.savez(folder / _PANEL, **{name: getattr(panel, name) for name in _NUMBERS})


def read_panel_file(folder: Path) -> Panel:
    """Returns the panel that `write_panel` wrote."""
    facts = json.loads((folder / _FACTS).read_text())
    frequency = Frequency.parse(facts["alias"], tuple(facts["season_lengths"]))
    roles = Roles(tuple(facts["known"]), tuple(facts["past"]), tuple(facts["static"]))
    with np.load(folder / _PANEL, allow_pickle=False) as arrays:
        numbers = {name: arrays[name] for name in _NUMBERS}
    return Panel(frequency, np.array(facts["ids"], dtype=object), roles=roles, **numbers)


def write_job(folder: Path, recipe: Recipe) -> None:
    """Writes what to train; the panel lies in the folder's parent."""
    folder.mkdir()
    (folder / _RECIPE).write_text(json.dumps(dict(recipe)))


def read_result(folder: Path) -> tuple[Weights, list[tuple[str, float, int]]]:
    """Returns the weights and the training curve that a member left: (name, value, step)."""
    curve = json.loads((folder / _CURVE).read_text())
    return load_file(folder / _WEIGHTS), [(str(n), float(v), int(s)) for n, v, s in curve]


class _Curve:
    """Keeps what training reports."""

    def __init__(self) -> None:
        self.points: list[tuple[str, float, int]] = []

    def log(self, name: str, value: float, step: int) -> None:
        """Keeps one number."""
        self.points.append((name, value, step))


def main(folder: Path) -> None:
    """Trains the member of a folder."""
    import torch

    from forecast.neural.registry import NEURAL

    torch.set_num_threads(1)
    recipe, curve = json.loads((folder / _RECIPE).read_text()), _Curve()
    member = NEURAL[recipe.pop("kind")](**recipe, sink=curve)
    member.fit(read_panel_file(folder.parent))
    save_file({name: np.array(value, order="C") for name, value in member.weights().items()}, folder / _WEIGHTS)
    (folder / _CURVE).write_text(json.dumps(curve.points))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except ForecastError as error:  # the parent shows what the member says: the message, not where it was raised
        sys.exit(str(error))
