"""`forecast benchmark`: many models on one rolling-origin task, compared, tracked and reported.

It must not decide which model is used; that is `promote`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pandas as pd

from forecast.config.load import require_sections
from forecast.config.sections import Config
from forecast.config.show import resolved
from forecast.config.text import to_yaml
from forecast.core.errors import GateError, UsageError
from forecast.core.panel import Panel
from forecast.evaluation.evaluation import Evaluation
from forecast.evaluation.leaderboard import BASELINE, leaderboard
from forecast.evaluation.significance import compare
from forecast.factory import build_source, build_task, read_panel
from forecast.reporting.fans import telling_series
from forecast.reporting.plots import forecast_png
from forecast.reporting.report import ReportText, write_report
from forecast.tracking.code_version import code_version
from forecast.tracking.store import Store
from forecast.tracking.tracker import Tracker
from pipelines.console import Console
from pipelines.evaluations import Evaluated, evaluate_models
from pipelines.tables import numbers

LEADERBOARD, SIGNIFICANCE, REPORT = "leaderboard.csv", "significance.csv", "report.html"
_METRICS_SHOWN = 3
_PLOTS = 2  # per model


@final
@dataclass(frozen=True, slots=True, eq=False)
class Benchmark:
    """What a benchmark found. folder: where leaderboard and report are."""

    title: str
    panel: Panel
    evaluated: tuple[Evaluated, ...]
    board: pd.DataFrame
    significance: pd.DataFrame
    folder: Path


def benchmark(config: Config, console: Console, title: str) -> Benchmark:
    """Evaluates, compares and reports all models of a configuration; `track` is the next step.

    Args:
        config: With data, task and models.
        console: Told of each model.
        title: Name of the run.

    Raises:
        DataError: a breach of the input contract.
        GateError: no model has scores.
    """
    require_sections(config, "benchmark", "task", "models")
    panel = read_panel(config.data)
    console.note("panel read", {"series": len(panel), "rows": panel.rows, "models": len(config.models)})
    evaluated = evaluate_models(config, panel, config.models, console)
    evaluations = [one.evaluation for one in evaluated]
    board = leaderboard(evaluations, baseline_name(config))
    significance = compare_all(evaluations, baseline_name(config))
    config.output.mkdir(parents=True, exist_ok=True)
    board.to_csv(config.output / LEADERBOARD, index=False)
    significance.to_csv(config.output / SIGNIFICANCE, index=False)
    if not any(evaluation.ok for evaluation in evaluations):
        reasons = "; ".join(f"{evaluation.model}: {evaluation.status}" for evaluation in evaluations[:5])
        raise GateError(f"none of {len(evaluations)} models has scores: {reasons}; see {config.output / LEADERBOARD}")
    write_report(config.output / REPORT, evaluations, panel, _report_text(config, title), baseline=baseline_name(config))
    return Benchmark(title, panel, tuple(evaluated), board, significance, config.output)


def baseline_name(config: Config) -> str:
    """Returns what the seasonal naive is called among the models of a configuration."""
    return next((section.label for section in config.models if section.model == BASELINE), BASELINE)


def compare_all(evaluations: Sequence[Evaluation], baseline: str) -> pd.DataFrame:
    """Returns one row per model with scores: its paired comparison with the baseline over series; none without a baseline."""
    reference = next((one for one in evaluations if one.model == baseline and one.ok), None)
    columns = ["model", "metric", "difference", "low", "high", "p_value", "better_share", "series", "verdict"]
    rows: list[dict[str, object]] = []
    for one in evaluations:
        if reference is None or one is reference or not one.ok:
            continue
        try:
            found = compare(one, reference)
        except UsageError:  # fewer than two series were measured on both: there is nothing to compare
            continue
        rows.append({column: getattr(found, column) for column in columns})
    return pd.DataFrame(rows, columns=columns)


def show(result: Benchmark, console: Console) -> None:
    """Writes the leaderboard to stdout."""
    first, *others = result.evaluated[0].evaluation.task.metrics[:_METRICS_SHOWN]
    board = result.board.assign(seconds=result.board["fit_seconds"] + result.board["predict_seconds"])
    titles = {first: first, **{name: name for name in others}, "coverage_80": "80 % interval", f"rel_{first}": f"{first} / naive",
              "beats_baseline": "series won", "seconds": "seconds", "peak_memory_mb": "MB"}  # fmt: skip
    shown = [column for column in titles if column in board.columns]
    verdicts = dict(zip(result.significance["model"], result.significance["verdict"], strict=True))
    rows = [
        ["" if pd.isna(rank) else str(rank), model, *values, verdicts.get(model, "") if status == "ok" else status]
        for rank, model, status, values in zip(board["rank"], board["model"], board["status"], numbers(board[shown]), strict=True)
    ]
    headings = ["#", "model", *(titles[column] for column in shown), "than seasonal naive"]
    spare = ["MB", *reversed(others), "series won", "80 % interval", "seconds"]
    console.table(result.title, headings, rows, right=["#", *headings[2:-1]], spare=spare)


def _report_text(config: Config, title: str) -> ReportText:
    facts = {"Data": build_source(config.data.source).describe(), "Frequency": config.data.frequency, "Code": code_version()}
    return ReportText(f"Benchmark: {title}", facts)


def track(made: Benchmark, config: Config) -> str:
    """Logs a benchmark as one parent run with one comparable child for each model; returns the parent's id.

    Raises:
        SinkError: the tracking store cannot be written; leaderboard and report are in the output folder all the same.
    """
    tracker, panel = Tracker(Store.at(config.tracking.uri), config.tracking.experiment), made.panel
    fingerprint, described = panel.fingerprint(), build_source(config.data.source).describe()
    parent = tracker.start_benchmark(
        made.title, task=build_task(config), panel_fingerprint=fingerprint, configuration=to_yaml(resolved(config))
    )
    tracker.log_panel(parent, made.title, fingerprint, described, context="benchmark")
    for one in made.evaluated:
        run = tracker.start_model(one.evaluation.model, parent=parent, parameters=one.recipe or one.section.model_dump(mode="json"))
        tracker.log_evaluation(run, one.evaluation)
        tracker.log_rows(run, one.curves)
        tracker.log_text(run, json.dumps(one.section.model_dump(mode="json"), indent=1), "model.json")
        _log_plots(tracker, run, panel, one.evaluation)
        tracker.finish(run, None if one.evaluation.ok else one.evaluation.status)
    tracker.log_files(parent, [made.folder / name for name in (LEADERBOARD, SIGNIFICANCE, REPORT)])
    tracker.finish(parent)
    return parent


def _log_plots(tracker: Tracker, run: str, panel: Panel, evaluation: Evaluation) -> None:
    """Logs the last forecasts of some series as images."""
    if not evaluation.frames:
        return
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, (unique_id, _, _) in enumerate(telling_series(evaluation, _PLOTS)):
            files.append(Path(folder) / f"forecast-{number}.png")
            files[-1].write_bytes(forecast_png(panel, evaluation.frames[0], unique_id))
        tracker.log_files(run, files, "plots")
