"""What one model did on one task: scores, forecasts, times. It travels between processes as files, without pickle.

This module must not run a model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd

from forecast.core.errors import InputMissing, ModelError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.frequency import Frequency
from forecast.evaluation.metrics import METRICS
from forecast.evaluation.task import Task

OK = "ok"
_FORMAT = 1
_FACTS, _SCORES, _STEPS, _CALIBRATION = "evaluation.json", "scores.parquet", "steps.parquet", "calibration.parquet"
_ROWS, _ARRAYS = "forecasts.parquet", "forecasts.npz"
_SCORE_COLUMNS = ("unique_id", "cutoff", "metric", "value", "total", "weight")
_STEP_COLUMNS = ("step", "mae", "mase", "coverage_80", "targets")


@final
@dataclass(frozen=True, slots=True)
class Costs:
    """What a model cost: wall seconds of fit and of predict, and the peak memory of the process that ran it, in MB."""

    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    peak_memory_mb: float = 0.0


@final
@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One model on one task and panel.

    status: `ok`, or why there are no scores: `timed out after 120 s`, `failed: ...`.
    scores: one row per unique_id, cutoff and metric: `value` (NaN where it cannot be measured), `total` and `weight` (see `metrics.score`).
    steps: one row per step of the horizon: `mae`, `mase` and `coverage_80` over all series and cutoffs, and the number of `targets`.
    calibration: one row per level: the `share` of targets at or below the quantile.
    fallbacks: number of forecasts that are not the model's own.
    frames: the forecasts, ordered by series and cutoff; empty where they were not kept.
    """

    model: str
    task: Task
    panel_fingerprint: str
    scores: pd.DataFrame
    steps: pd.DataFrame
    calibration: pd.DataFrame
    costs: Costs
    fallbacks: int = 0
    frames: tuple[ForecastFrame, ...] = ()
    status: str = OK

    @classmethod
    def without_scores(cls, model: str, task: Task, panel_fingerprint: str, status: str, costs: Costs | None = None) -> Evaluation:
        """Returns the row of a model that failed or ran out of time: it says so, and is never a hole.

        Args:
            model: Its name.
            task: The task it was given.
            panel_fingerprint: Of the panel it was given.
            status: Why there are no scores, for people: `timed out after 120 s`.
            costs: What it cost until then.
        """
        return cls(model, task, panel_fingerprint, empty_scores(), pd.DataFrame(columns=list(_STEP_COLUMNS), dtype=np.float64),
                   pd.DataFrame(columns=["level", "share"], dtype=np.float64), costs or Costs(), status=status)  # fmt: skip

    @property
    def ok(self) -> bool:
        """True when the model forecast everything that it was asked."""
        return self.status == OK

    @property
    def fit_seconds(self) -> float:
        """Wall seconds of all fits."""
        return self.costs.fit_seconds

    @property
    def predict_seconds(self) -> float:
        """Wall seconds of all forecasts."""
        return self.costs.predict_seconds

    def per_series(self, metric: str) -> pd.Series:
        """Returns the mean over cutoffs of one metric, indexed by unique_id, NaN where it cannot be measured."""
        chosen = self.scores[self.scores["metric"] == metric]
        return chosen.groupby("unique_id", sort=True)["value"].mean()

    def aggregate(self) -> dict[str, float]:
        """Returns each metric of the task as one number, NaN where it cannot be measured.

        Pooled metrics are sum of totals / sum of weights; the others the mean over series of the mean over cutoffs.
        """
        return {name: self._one(name) for name in self.task.metrics}

    def _one(self, name: str) -> float:
        if METRICS[name].weight is None:
            return float(self.per_series(name).mean())
        chosen = self.scores[self.scores["metric"] == name]
        weight = float(chosen["weight"].sum())
        return float(chosen["total"].sum(skipna=False)) / weight if weight else float("nan")

    def save(self, directory: Path) -> None:
        """Writes the evaluation into a directory that must not hold another one.

        The file that `load` reads first is written last: a process that is killed leaves nothing that could be taken for a result.
        """
        directory.mkdir(parents=True, exist_ok=True)
        for name, frame in ((_SCORES, self.scores), (_STEPS, self.steps), (_CALIBRATION, self.calibration)):
            frame.to_parquet(directory / name, index=False)
        facts: dict[str, Any] = {"format": _FORMAT, "model": self.model, "task": self.task.fields(), "status": self.status,
                                 "panel_fingerprint": self.panel_fingerprint, "costs": asdict(self.costs),
                                 "fallbacks": self.fallbacks, "frame": _save_frames(directory, self.frames)}  # fmt: skip
        partial = directory / f"{_FACTS}.partial"
        partial.write_text(json.dumps(facts, indent=2, sort_keys=True), encoding="utf-8")
        partial.replace(directory / _FACTS)

    @classmethod
    def load(cls, directory: Path) -> Evaluation:
        """Returns the evaluation that `save` wrote.

        Raises:
            InputMissing: no complete evaluation in the directory.
            ModelError: one of another format.
        """
        place = directory / _FACTS
        if not place.is_file():
            raise InputMissing(f"{directory} holds no complete evaluation: {_FACTS} is missing; run the model again")
        facts = json.loads(place.read_text(encoding="utf-8"))
        if facts.get("format") != _FORMAT:
            raise ModelError(f"{place} has format {facts.get('format')!r}; this version reads {_FORMAT}: run the model again")
        scores, steps, calibration = (pd.read_parquet(directory / name) for name in (_SCORES, _STEPS, _CALIBRATION))
        return cls(facts["model"], Task.from_fields(facts["task"]), facts["panel_fingerprint"], scores, steps, calibration,
                   Costs(**facts["costs"]), facts["fallbacks"], _load_frames(directory, facts["frame"]), facts["status"])  # fmt: skip

    def without_forecasts(self) -> Evaluation:
        """Returns the same without its forecasts, to hold many evaluations at once."""
        return replace(self, frames=())


def empty_scores() -> pd.DataFrame:
    """Returns the table of scores without rows."""
    text = dict.fromkeys(("unique_id", "metric"), np.dtype(object))
    return pd.DataFrame({name: np.empty(0, dtype=text.get(name, np.float64)) for name in _SCORE_COLUMNS})


def _save_frames(directory: Path, frames: Sequence[ForecastFrame]) -> dict[str, Any] | None:
    if not frames:
        return None
    frame = ForecastFrame.concatenate(frames)
    rows = {"unique_id": frame.ids, "cutoff": frame.cutoffs, "status": frame.status, "reason": frame.reason}
    pd.DataFrame(rows).to_parquet(directory / _ROWS, index=False)
    np.savez(directory / _ARRAYS, mean=frame.mean, quantiles=frame.quantiles)
    frequency = frame.frequency
    return {
        "alias": frequency.alias,
        "season_lengths": list(frequency.season_lengths),
        "model": frame.model,
        "levels": list(frame.levels),
    }


def _load_frames(directory: Path, facts: dict[str, Any] | None) -> tuple[ForecastFrame, ...]:
    if facts is None:
        return ()
    rows = pd.read_parquet(directory / _ROWS)
    with np.load(directory / _ARRAYS, allow_pickle=False) as arrays:
        mean, quantiles = arrays["mean"], arrays["quantiles"]
    ids, status, reason = (rows[name].to_numpy(dtype=object) for name in ("unique_id", "status", "reason"))
    frequency = Frequency.parse(facts["alias"], tuple(facts["season_lengths"]))
    return (ForecastFrame(frequency, facts["model"], tuple(facts["levels"]), ids, rows["cutoff"].to_numpy(np.int64), mean, quantiles,
                          status, reason),)  # fmt: skip
