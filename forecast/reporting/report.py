"""The report of a benchmark: one HTML file that explains itself and needs no network.

Plotly's script is inside the file, once; a content policy in the page forbids every request. The same input gives the same bytes: there is
no clock here and no random name. This module must not run a model, nor compute a figure that the leaderboard does not have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pandas as pd

from forecast.core.errors import UsageError
from forecast.core.panel import Panel
from forecast.evaluation.evaluation import Evaluation
from forecast.evaluation.leaderboard import BASELINE, leaderboard
from forecast.evaluation.metrics import METRICS
from forecast.reporting import charts, tables
from forecast.reporting.fans import fan_of, telling_series
from forecast.reporting.page import environment, plotly_script, script_json, write_page
from forecast.reporting.palette import DARK, LIGHT
from forecast.reporting.wording import number, percent


@final
@dataclass(frozen=True, slots=True)
class ReportText:
    """What a report says beside its figures.

    title: of the page. facts: label and value of the run, shown under the title, in this order. notes: sentences at the end.
    """

    title: str
    facts: Mapping[str, str]
    notes: tuple[str, ...] = ()


def write_report(
    path: Path, evaluations: Sequence[Evaluation], panel: Panel, text: ReportText, *, champion: str | None = None, baseline: str = BASELINE,
    series_shown: int = 8,
) -> Path:  # fmt: skip
    """Writes the report of a benchmark as one HTML file and returns its path.

    Args:
        path: Where to; folders are made. An older report there is replaced whole.
        evaluations: Of one task and panel. Models without scores are rows of the table; without forecasts there are no forecast charts.
        panel: The panel that they were measured on.
        text: Title, facts and notes. All of it is escaped.
        champion: The model to put in front; by default the first of the leaderboard.
        baseline: The model that the others are relative to.
        series_shown: Number of forecast charts.

    Raises:
        UsageError: no model has scores, the champion is not among those that have, or evaluations that cannot be compared.
    """
    page = render_report(evaluations, panel, text, champion=champion, baseline=baseline, series_shown=series_shown)
    return write_page(path, page)


def render_report(
    evaluations: Sequence[Evaluation], panel: Panel, text: ReportText, *, champion: str | None = None, baseline: str = BASELINE,
    series_shown: int = 8,
) -> str:  # fmt: skip
    """Returns the page that `write_report` writes; see there."""
    table = leaderboard(evaluations, baseline)
    working = [e for e in evaluations if e.ok]
    best = _champion(table, working, champion)
    others = [e for e in working if e.model == baseline and e.model != best.model]
    figures = _figures(working, best, baseline)
    gallery, fans = _gallery(best, others, panel, series_shown)
    return (
        environment("report.jinja")
        .get_template("report.jinja")
        .render(
            text=text,
            headline=tables.headline(best, others[0] if others else None, baseline),
            rows=tables.rows(table, working, best, baseline),
            columns=tables.metric_columns(best.task),
            ranks=tables.rank_rows(working, best, baseline),
            cards=_cards(panel, best),
            gallery=gallery,
            champion=best.model,
            baseline=baseline if any(e.model == baseline for e in working) else None,
            first=METRICS[best.task.metrics[0]].title,
            prints={"task": best.task.fingerprint(), "panel": best.panel_fingerprint},
            measured=_measured(best),
            calibrated=bool(best.task.levels),
            light=LIGHT,
            dark=DARK,
            figures=script_json({**figures, **fans}),
            plotly=plotly_script(),
        )
    )


def _champion(table: pd.DataFrame, working: Sequence[Evaluation], wanted: str | None) -> Evaluation:
    name = wanted if wanted is not None else str(table["model"].iloc[0])
    found = [e for e in working if e.model == name]
    if not found:
        raise UsageError(f"no scores of model {name!r} to report; models with scores: {[e.model for e in working]}")
    return found[0]


def _measured(evaluation: Evaluation) -> bool:
    return math.isfinite(evaluation.aggregate()[evaluation.task.metrics[0]])


def _figures(working: Sequence[Evaluation], best: Evaluation, baseline: str) -> dict[str, charts.Chart]:
    figures = {"steps": charts.error_by_step(working, best.model, baseline)}
    if _measured(best):
        figures["time"] = charts.accuracy_against_time(working, best.model, baseline)
    if best.task.levels:
        figures["calibration"] = charts.calibration(working, best.model, baseline)
    return figures


def _gallery(
    best: Evaluation, others: Sequence[Evaluation], panel: Panel, count: int
) -> tuple[list[dict[str, str]], dict[str, charts.Chart]]:
    """The captions and the charts of the series that tell most."""
    if not best.frames or count < 1:
        return [], {}
    beside = {e.model: e.frames[0] for e in others if e.frames}
    captions, drawn = [], {}
    for position, (name, kind, value) in enumerate(telling_series(best, count)):
        drawn[f"fan{position}"] = charts.forecast_fan(fan_of(panel, best.frames[0], name, beside))
        captions.append({"figure": f"fan{position}", "name": name, "kind": kind, "score": number(value)})
    return captions, drawn


def _cards(panel: Panel, best: Evaluation) -> list[tuple[str, str]]:
    task = best.task
    found = best.aggregate()
    cards = [
        ("Series", f"{len(panel):,}"),
        ("Observations", f"{panel.rows:,}"),
        ("Horizon", f"{task.horizon} steps"),
        ("Windows", f"{task.windows}"),
    ]
    if "coverage_80" in found:
        cards.append(("80 % interval covers", percent(found["coverage_80"], 1)))
    return cards
