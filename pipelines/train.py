"""`forecast train`: fits one model on all rows, keeps it as a bundle, tracks it and registers it as a new version.

It must not decide whether the version is used; that is `promote`.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import final

from forecast.config.load import require_sections
from forecast.config.sections import Config, ModelSection
from forecast.config.show import resolved
from forecast.config.text import to_yaml
from forecast.core.errors import ConfigError, ModelError
from forecast.core.panel import Panel
from forecast.factory import build_source, build_task, read_panel
from forecast.tracking.registry import RegisteredVersion, Registry
from forecast.tracking.store import Store
from forecast.tracking.tracker import PANEL_TAG, TASK_TAG, Tracker
from pipelines.child import BUNDLE, TRAIN, write_job
from pipelines.console import Console
from pipelines.evaluations import read_remarks
from pipelines.workers import Outcome, Work, run_all

FOLDER = "training"
SECTION_TAG = "model_section"


@final
@dataclass(frozen=True, slots=True)
class Trained:
    """A registered model. folder: of its bundle."""

    version: RegisteredVersion
    folder: Path
    seconds: float


def train(config: Config, console: Console) -> Trained:
    """Fits, tracks and registers the one model of a configuration.

    Raises:
        ConfigError: not exactly one model.
        DataError: a breach of the input contract.
        ModelError: the training failed or ran out of its time.
        SinkError: the tracking store cannot be written; the bundle is in the output folder then.
    """
    require_sections(config, "train", "task", "models")
    if len(config.models) != 1:
        names = [model.label for model in config.models]
        raise ConfigError("forecast train fits one model", [f"models: {len(names)} are named, {names[:5]}; keep one of them"])
    panel = read_panel(config.data)
    console.note("panel read", {"series": len(panel), "rows": panel.rows})
    folder = config.output / FOLDER
    with console.working(f"training {config.models[0].label}"):
        outcome = _fit(config, panel, folder)
    console.note("model trained", {"model": config.models[0].label, "seconds": round(outcome.seconds, 1)})
    version = _register(config, panel, folder, outcome)
    console.note("model registered", {"model": version.name, "version": version.version})
    return Trained(version, folder / BUNDLE, outcome.seconds)


def section_of(version: RegisteredVersion) -> ModelSection:
    """Returns the model section that a registered version was trained from, so that it can be measured on any task.

    Raises:
        ModelError: the version was not registered by `forecast train`.
    """
    text = version.tags.get(SECTION_TAG)
    if text is None:
        raise ModelError(
            f"version {version.version} of {version.name!r} does not say how it was made; train it with `forecast train`"
        )
    return ModelSection.model_validate(json.loads(text))


def _fit(config: Config, panel: Panel, folder: Path) -> Outcome:
    """Trains in a child process, which has the memory and thread settings that training wants from its start."""
    section = config.models[0]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job = write_job(folder, TRAIN, config, panel.fingerprint())
    (outcome,) = run_all([Work(0, "pipelines.child", (str(job),), folder / "log.txt", section.time_limit)], at_once=1)
    if outcome.timed_out:
        raise ModelError(f"training of {section.label!r} ran out of its {section.time_limit:g} s; raise its time_limit")
    if outcome.code:
        raise ModelError(f"training of {section.label!r} failed: {outcome.reason()}; all it said is in {outcome.log}")
    return outcome


def _register(config: Config, panel: Panel, folder: Path, outcome: Outcome) -> RegisteredVersion:
    section, store = config.models[0], Store.at(config.tracking.uri)
    tracker, (recipe, curves) = Tracker(store, config.tracking.experiment), read_remarks(folder)
    tags = {TASK_TAG: build_task(config).fingerprint(), PANEL_TAG: panel.fingerprint()}
    run = tracker.start_model(f"train {section.label}", parent=None, parameters=recipe, tags=tags)
    tracker.log_panel(run, config.tracking.experiment, panel.fingerprint(), build_source(config.data.source).describe())
    tracker.log_rows(run, curves)
    tracker.log_text(run, to_yaml(resolved(config)), "configuration.yaml")
    made = {"seed": config.seed} if "seed" in recipe else {}
    own = {"model": section.model, **made, **section.arguments, "name": section.label, "time_limit": section.time_limit}
    version = Registry(store).log_bundle(run, folder / BUNDLE, config.tracking.registered_model, {SECTION_TAG: json.dumps(own)})
    tracker.finish(run)
    return version
