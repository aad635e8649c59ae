"""The child process that runs one model: evaluates it on a task, or trains it on all rows.

It talks to its parent through files in the folder of its job: an evaluation or a bundle, `recipe.json`, `curves.json`; what it says on
stderr is the reason of a failure. It must not know the other models, nor MLflow.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.exits import run_guarded

if TYPE_CHECKING:
    from forecast.config.sections import Config
    from forecast.core.forecaster import Forecaster
    from forecast.core.panel import Panel

JOB, RECIPE, CURVES, BUNDLE = "job.json", "recipe.json", "curves.json", "bundle"
EVALUATE, TRAIN = "evaluate", "train"


def write_job(folder: Path, purpose: str, config: Config, panel_fingerprint: str) -> Path:
    """Writes the job file of one model into its folder and returns its path.

    Args:
        folder: Of this job alone.
        purpose: `evaluate` or `train`.
        config: With the one model.
        panel_fingerprint: The child refuses other data.
    """
    job = folder / JOB
    _write(job, {"purpose": purpose, "config": config.model_dump(mode="json"), "panel_fingerprint": panel_fingerprint})
    return job


def run(job: Path) -> None:
    """Does what a job file says and leaves the result beside it.

    Raises:
        ForecastError: whatever the data, the model or the task refuse.
    """
    from pipelines.quiet import quiet_libraries

    quiet_libraries()
    from forecast.config.load import check_config
    from forecast.core.errors import DataError
    from forecast.factory import build_model, read_panel
    from forecast.tracking.rows import CurveRecorder

    wanted: dict[str, Any] = json.loads(job.read_text(encoding="utf-8"))
    config = check_config(wanted["config"], str(job))
    panel = read_panel(config.data)
    if panel.fingerprint() != wanted["panel_fingerprint"]:
        raise DataError("the data changed while the job ran; run it again")
    curves = CurveRecorder()
    forecaster = build_model(config, config.models[0], curves)
    act = {EVALUATE: _evaluate, TRAIN: _train}[wanted["purpose"]]
    act(forecaster, panel, config, job.parent)
    _write(job.parent / RECIPE, dict(forecaster.recipe()))
    _write(job.parent / CURVES, [list(row) for row in curves.rows])


def _evaluate(forecaster: Forecaster, panel: Panel, config: Config, folder: Path) -> None:
    from forecast.evaluation.backtest import evaluate
    from forecast.factory import build_task
    from pipelines.workers import peak_memory_mb

    evaluation = evaluate(forecaster, panel, build_task(config))
    costs = replace(evaluation.costs, peak_memory_mb=peak_memory_mb(os.getpid()))
    replace(evaluation, costs=costs).save(folder)


def _train(forecaster: Forecaster, panel: Panel, config: Config, folder: Path) -> None:
    import numpy as np

    from forecast.storage.bundle import save_bundle
    from forecast.storage.bundle_profile import training_profile

    forecaster.fit(panel)
    cutoff = str(panel.frequency.stamps(np.array([panel.last_cutoff]))[0])
    save_bundle(
        folder / BUNDLE, forecaster, frequency=panel.frequency, roles=panel.roles, training_cutoff=cutoff,
        panel_fingerprint=panel.fingerprint(), profile=training_profile(panel), burn_in=forecaster.burn_in,
        state=forecaster.state_floats,
    )  # fmt: skip


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_guarded(lambda: run(Path(sys.argv[1]))))
