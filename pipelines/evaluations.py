"""Many models on one task, each evaluated in a child process of its own; what is already there can be used again.

A model that fails or runs out of time is a row that says so. It must not compare models.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from forecast.config.sections import Config, ModelSection
from forecast.core.errors import InputMissing
from forecast.core.panel import Panel
from forecast.core.quota import cpu_quota
from forecast.evaluation.evaluation import Costs, Evaluation
from forecast.evaluation.task import Task
from forecast.factory import build_model, build_task
from forecast.tracking.code_version import code_version
from forecast.tracking.rows import MetricRow
from pipelines.child import CURVES, EVALUATE, RECIPE, write_job
from pipelines.console import Console
from pipelines.workers import Outcome, Work, run_all

FOLDER = "evaluations"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """One model's evaluation, and what is logged beside it. recipe: empty where the model did not get that far."""

    section: ModelSection
    evaluation: Evaluation
    recipe: Mapping[str, Any]
    curves: tuple[MetricRow, ...]


def evaluate_models(
    config: Config, panel: Panel, sections: Sequence[ModelSection], console: Console, *, reuse: bool = False
) -> list[Evaluated]:
    """Returns the evaluations of models on the configuration's task, in the order of the sections.

    Args:
        config: With data and task.
        panel: What `config.data` describes.
        sections: The models; each label once.
        console: Told of each model that ends.
        reuse: Take over an evaluation of the same model, task, panel and code that is complete already.
    """
    task, fingerprint = build_task(config), panel.fingerprint()
    folders = [_folder(config, section, task, fingerprint) for section in sections]
    todo = {folder: section for folder, section in zip(folders, sections, strict=True) if not (reuse and _is_complete(folder))}
    works = [_prepare(position, config, section, folder, fingerprint) for position, (folder, section) in enumerate(todo.items())]
    places, results = list(todo), dict[Path, Evaluation]()
    with console.progress("models", len(works)) as bar:
        for outcome in run_all(works, at_once=cpu_quota()):
            folder = places[outcome.key]
            results[folder] = found = _result(todo[folder], folder, task, fingerprint, outcome)
            console.note("model evaluated", {"model": found.model, "status": found.status, "seconds": round(outcome.seconds, 1)})
            if bar is not None:
                bar.advance(bar.task_ids[0])
    return [_gather(section, folder, results.get(folder)) for section, folder in zip(sections, folders, strict=True)]


def _folder(config: Config, section: ModelSection, task: Task, panel_fingerprint: str) -> Path:
    """A folder for everything that decides the numbers of an evaluation; ids and labels never reach a path."""
    recipe = dict(build_model(config, section).recipe())
    decides = [recipe, section.label, task.fingerprint(), panel_fingerprint, code_version()]
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return config.output / FOLDER / digest[:16]


def _is_complete(folder: Path) -> bool:
    try:
        return Evaluation.load(folder).ok
    except InputMissing:
        return False


def _prepare(position: int, config: Config, section: ModelSection, folder: Path, fingerprint: str) -> Work:
    """The work of one model, its job file written into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job = write_job(folder, EVALUATE, config.model_copy(update={"models": (section,)}), fingerprint)
    return Work(position, "pipelines.child", (str(job),), folder / "log.txt", section.time_limit)


def _result(section: ModelSection, folder: Path, task: Task, fingerprint: str, outcome: Outcome) -> Evaluation:
    if outcome.code == 0:
        return Evaluation.load(folder)
    status = f"timed out after {section.time_limit:g} s" if outcome.timed_out else f"failed: {outcome.reason()}"
    costs = Costs(fit_seconds=outcome.seconds, peak_memory_mb=outcome.peak_memory_mb)
    return Evaluation.without_scores(section.label, task, fingerprint, status, costs)


def _gather(section: ModelSection, folder: Path, result: Evaluation | None) -> Evaluated:
    evaluation = result if result is not None else Evaluation.load(folder)
    recipe, curves = read_remarks(folder) if evaluation.ok else ({}, ())
    return Evaluated(section, evaluation, recipe, curves)


def read_remarks(folder: Path) -> tuple[Mapping[str, Any], tuple[MetricRow, ...]]:
    """Returns the recipe and the training curves that a child left in its folder."""
    recipe: dict[str, Any] = json.loads((folder / RECIPE).read_text(encoding="utf-8"))
    curves = json.loads((folder / CURVES).read_text(encoding="utf-8"))
    return recipe, tuple(MetricRow(*row) for row in curves)
