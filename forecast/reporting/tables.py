"""The words and rows of the report: the headline, the leaderboard and the ranking, from figures to text.

It must not compute a figure that evaluation does not have, nor write markup.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import pandas as pd

from forecast.core.errors import UsageError
from forecast.evaluation.evaluation import Evaluation
from forecast.evaluation.metrics import METRICS
from forecast.evaluation.significance import average_ranks, compare
from forecast.evaluation.task import Task
from forecast.reporting.wording import megabytes, number, p_value, percent, seconds

_SHOWN = ("mase", "smape", "wql", "coverage_80")
_BAR_LIMIT = 0.5  # a change by half fills its side of the bar


@final
@dataclass(frozen=True, slots=True)
class Headline:
    """The one sentence of a report: figure and explanation."""

    figure: str
    sentence: str
    detail: str
    good: bool


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One model of the leaderboard, as text; `bar` is the length to the left (better than the baseline) or right, -1...1."""

    rank: str
    model: str
    role: str
    status: str
    values: tuple[str, ...]
    bar: float | None
    relative: str
    against: str
    times: tuple[str, str]
    memory: str
    fallbacks: int


@final
@dataclass(frozen=True, slots=True)
class RankRows:
    """The ranking with its critical difference; positions are percent of the track."""

    rows: tuple[tuple[str, str, str, float], ...]  # model, role, rank, position
    band: tuple[float, float]
    series: int
    difference: str
    p_value: str
    ends: tuple[str, str]


def metric_columns(task: Task) -> list[tuple[str, str]]:
    """Returns name and title of the metrics that the table shows: the task's first, then the usual ones that the task has."""
    names = list(dict.fromkeys([task.metrics[0], *(m for m in _SHOWN if m in task.metrics)]))
    return [(name, METRICS[name].title) for name in names]


def headline(best: Evaluation, reference: Evaluation | None, baseline: str) -> Headline:
    """Returns how much better the champion is than the baseline, and how sure that is."""
    first = best.task.metrics[0]
    value = best.aggregate()[first]
    base = reference.aggregate()[first] if reference is not None else math.nan
    gain = 1 - value / base if base > 0 else math.nan
    if reference is None or not math.isfinite(gain):
        return Headline(number(value), f"{METRICS[first].title} of {best.model}", "There is nothing to measure it against.", True)
    sentence = f"{'lower' if gain >= 0 else 'higher'} {METRICS[first].title} than the {baseline.replace('_', ' ')}"
    return Headline(percent(abs(gain), 1), sentence, _sureness(best, reference, base), gain >= 0)


def _sureness(best: Evaluation, reference: Evaluation, base: float) -> str:
    try:
        found = compare(best, reference)
    except UsageError:
        return "Too few series for a test."
    low, high = sorted((-found.low / base, -found.high / base))
    return (
        f"95 % interval {percent(low, 1)} to {percent(high, 1)}, better on {percent(found.better_share)} of {found.series:,} series, "
        f"p {p_value(found.p_value)} (Wilcoxon)"
    )


def rows(table: pd.DataFrame, working: Sequence[Evaluation], best: Evaluation, baseline: str) -> list[Row]:
    """Returns the leaderboard row by row."""
    by_name = {e.model: e for e in working}
    names = [name for name, _ in metric_columns(best.task)]
    return [_row({str(k): v for k, v in record.items()}, names, by_name, best, baseline) for record in table.to_dict("records")]


def _row(record: dict[str, object], names: Sequence[str], working: dict[str, Evaluation], best: Evaluation, baseline: str) -> Row:
    model = str(record["model"])
    relative = float(str(record[f"rel_{names[0]}"]))
    shown = tuple(percent(_float(record[n]), 1) if METRICS[n].better == "nominal" else number(_float(record[n])) for n in names)
    return Row(
        rank=str(record["rank"]) if model in working else "",
        model=model,
        role=_role(model, best.model, baseline),
        status="" if model in working else str(record["status"]),
        values=shown,
        bar=max(min((relative - 1) / _BAR_LIMIT, 1.0), -1.0) if math.isfinite(relative) else None,
        relative=_signed(relative - 1),
        against=_against(working.get(model), best),
        times=(seconds(_float(record["fit_seconds"])), seconds(_float(record["predict_seconds"]))),
        memory=megabytes(_float(record["peak_memory_mb"])),
        fallbacks=int(_float(record["fallbacks"])),
    )


def rank_rows(working: Sequence[Evaluation], best: Evaluation, baseline: str) -> RankRows | None:
    """Returns the average ranks with the band of models that are not shown to differ from the first; None where they cannot be had."""
    try:
        found = average_ranks(working)
    except UsageError:
        return None
    count = len(found.models)

    def place(rank: float) -> float:
        return round(100 * (rank - 1) / (count - 1), 3)

    lines = tuple((m, _role(m, best.model, baseline), f"{r:.2f}", place(r)) for m, r in zip(found.models, found.ranks, strict=True))
    first = float(found.ranks[0])
    return RankRows(lines, (place(first), min(place(first + found.critical_difference), 100.0)), found.series,
                    f"{found.critical_difference:.2f}", p_value(found.p_value), ("1", str(count)))  # fmt: skip


def _against(evaluation: Evaluation | None, best: Evaluation) -> str:
    """How a model stands to the champion: `worse`, `better` or `no difference shown`; empty for itself and without scores."""
    if evaluation is None or evaluation.model == best.model:
        return ""
    try:
        return compare(evaluation, best).verdict
    except UsageError:
        return ""


def _role(model: str, champion: str, baseline: str) -> str:
    return "champion" if model == champion else "baseline" if model == baseline else "other"


def _signed(change: float) -> str:
    if not math.isfinite(change):
        return ""
    shown = f"{abs(100 * change):.{1 if abs(change) < 1 else 0}f}\u00a0%"
    if float(shown[:-2]) == 0:
        return "0\u00a0%"
    return f"{'+' if change > 0 else '−'}{shown}"  # noqa: RUF001  the typographic minus


def _float(value: object) -> float:
    return float(str(value))
