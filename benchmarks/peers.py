"""Models evaluated on a case and kept in a folder, so that a peer is fitted once; and what one model is worth beside another."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, final

import forecast
from benchmarks.panel_cases import LEVELS, Case
from forecast.baselines.registry import BASELINES
from forecast.core.errors import InputMissing
from forecast.evaluation.backtest import evaluate
from forecast.evaluation.evaluation import Evaluation
from forecast.evaluation.significance import relative
from forecast.factory import build_forecaster

COMPARED = ("mase", "smape", "wql", "rmsse", "mae")
_BASELINE_SOURCES = ("core", "windowing", "baselines", "evaluation")
_LIBRARIES = ("numpy", "scikit-learn", "statsforecast")


@final
@dataclass(frozen=True, slots=True)
class Contender:
    """A model and its arguments: plain values by name."""

    model: str
    arguments: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> Contender:
        """Returns the contender of `model` or `model:name=value:name=value`."""
        model, *pairs = text.split(":")
        return cls(model, dict(argument(pair) for pair in pairs))

    @property
    def label(self) -> str:
        """What it is called beside others."""
        return ":".join([self.model, *(f"{name}={value}" for name, value in self.arguments.items())])


def argument(pair: str) -> tuple[str, Any]:
    """Returns name and plain value of `name=value`; what is no JSON is text."""
    name, _, value = pair.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def run(contender: Contender, case: Case) -> Evaluation:
    """Returns the evaluation of a model on a case, forecasts included."""
    forecaster = build_forecaster(
        contender.model, horizon=case.task.horizon, levels=LEVELS, season_lengths=case.panel.frequency.season_lengths,
        arguments=contender.arguments, name=contender.label,
    )  # fmt: skip
    return evaluate(forecaster, case.panel, case.task)


def kept(contender: Contender, case: Case, folder: Path | None) -> Evaluation:
    """Returns the evaluation from the folder, or runs the model and leaves it there; without a folder it is run."""
    if folder is None:
        return run(contender, case)
    place = place_of(contender, case, folder)
    try:
        return Evaluation.load(place)
    except InputMissing:
        found = run(contender, case)
        found.save(place)
        return found


def place_of(contender: Contender, case: Case, folder: Path) -> Path:
    """Returns where the evaluation of a model on a case lies: another panel, task, argument or source of the model has another place."""
    facts = [
        case.panel.fingerprint(),
        case.task.fingerprint(),
        contender.model,
        sorted(contender.arguments.items()),
        code_digest(contender.model),
    ]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return folder / f"{case.name}-{contender.model}-{digest}"


@cache
def code_digest(model: str) -> str:
    """Returns the digest of the sources and library versions that a model's forecasts depend on."""
    root = Path(forecast.__file__).parent
    folders = [root / name for name in _BASELINE_SOURCES] if model in BASELINES else [root]
    digest = hashlib.sha256("".join(importlib.metadata.version(name) for name in _LIBRARIES).encode())
    for file in sorted(file for folder in folders for file in folder.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def ratios(found: Evaluation, peer: Evaluation) -> list[dict[str, Any]]:
    """Returns for each compared metric the ratio of a model to a peer with its 95 % interval, as plain values."""
    out = []
    for metric in COMPARED:
        one = relative(found, peer, metric)
        numbers = {"ratio": one.ratio, "low": one.low, "high": one.high, "peer_value": peer.aggregate()[metric]}
        out.append({"peer": peer.model, "metric": metric, "series": one.series, **{k: rounded(v) for k, v in numbers.items()}})
    return out


def rounded(value: float) -> float | None:
    """Returns the number with five significant digits; None where there is none, as JSON has no NaN."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
