"""The child process of a benchmark: one model on one task, from a job file to the files of an evaluation.

It talks to its parent through files only: `evaluation.json` and what belongs to it, `recipe.json`, `curves.json`; what it says on
stderr is the reason of a failure. It must not know the other models, nor MLflow.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.exits import run_guarded

RECIPE, CURVES = "recipe.json", "curves.json"


def run(job: Path) -> None:
    """Evaluates the model of a job file and saves the result beside it.

    Raises:
        ForecastError: whatever the data, the model or the task refuse.
    """
    from forecast.config.load import check_config
    from forecast.core.errors import DataError
    from forecast.evaluation.backtest import evaluate
    from forecast.factory import build_model, build_task, read_panel
    from forecast.tracking.rows import CurveRecorder
    from pipelines.quiet import quiet_libraries
    from pipelines.workers import peak_memory_mb

    quiet_libraries()
    wanted: dict[str, Any] = json.loads(job.read_text(encoding="utf-8"))
    config = check_config(wanted["config"], str(job))
    panel = read_panel(config.data)
    if panel.fingerprint() != wanted["panel_fingerprint"]:
        raise DataError("the data changed while the benchmark ran; run it again")
    curves = CurveRecorder()
    forecaster = build_model(config, config.models[0], curves)
    evaluation = evaluate(forecaster, panel, build_task(config))
    _write(job.parent / RECIPE, dict(forecaster.recipe()))
    _write(job.parent / CURVES, [list(row) for row in curves.rows])
    costs = replace(evaluation.costs, peak_memory_mb=peak_memory_mb(os.getpid()))
    replace(evaluation, costs=costs).save(job.parent)


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_guarded(lambda: run(Path(sys.argv[1]))))
