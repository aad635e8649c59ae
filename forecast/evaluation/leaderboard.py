"""The comparison of models on one task and panel: a row for each, those that failed included.

It refuses to put results side by side that were not measured on the same thing. It must not run a model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecast.core.arrays import FloatArray
from forecast.core.errors import UsageError
from forecast.evaluation.evaluation import Evaluation
from forecast.evaluation.metrics import METRICS

BASELINE = "seasonal_naive"
_RATIO_LIMIT = 100.0  # of one series, both ways: a near-perfect baseline on one series must not decide the mean
_SHOWN = 5


def leaderboard(evaluations: Sequence[Evaluation], baseline: str = BASELINE) -> pd.DataFrame:
    """Returns one row per model, best first by the task's first metric; models without scores come last and say why.

    Columns: `rank` (missing without scores), `model`, `status`, each metric of the task; `rel_<metric>`, that metric over the baseline's
    (below 1 is better than the baseline; missing without a baseline); `geo_<first metric>`, the geometric mean over series of that ratio,
    each held inside 1/100...100; `beats_baseline`, the share of series with a lower first metric than the baseline; `fit_seconds`,
    `predict_seconds`, `peak_memory_mb`, `fallbacks`.

    Args:
        evaluations: Of one task and panel, each model once.
        baseline: Name of the model that the others are relative to.

    Raises:
        UsageError: no evaluations, a model twice, or tasks or panels that differ.
    """
    require_comparable(evaluations)
    first = evaluations[0].task.metrics[0]
    reference = next((e for e in evaluations if e.model == baseline and e.ok), None)
    table = pd.DataFrame([_row(e, reference) for e in evaluations])
    order = np.lexsort((table["model"], table[first].fillna(np.inf), table["status"] != "ok"))
    table = table.iloc[order].reset_index(drop=True)
    ranked = pd.Series(np.arange(1, len(table) + 1), dtype="Int64").where(table["status"] == "ok")
    table.insert(0, "rank", ranked)
    return table


def require_comparable(evaluations: Sequence[Evaluation]) -> None:
    """Raises unless all evaluations are of one task and one panel, each model once.

    Raises:
        UsageError: none given, a model twice, or fingerprints that differ.
    """
    if not evaluations:
        raise UsageError("no evaluations to compare: run at least one model")
    twice = [model for model, count in Counter(e.model for e in evaluations).items() if count > 1]
    if twice:
        raise UsageError(f"models {twice[:_SHOWN]} are there more than once ({len(twice)} in all): give each its own name")
    for what, prints in (
        ("task", [e.task.fingerprint() for e in evaluations]),
        ("panel", [e.panel_fingerprint for e in evaluations]),
    ):
        odd = [f"{e.model} ({p[:12]})" for e, p in zip(evaluations, prints, strict=True) if p != prints[0]]
        if odd:
            raise UsageError(
                f"evaluations of another {what} cannot be compared: {evaluations[0].model} has the {what} {prints[0][:12]}, "
                f"but not {', '.join(odd[:_SHOWN])} ({len(odd)} in all): run them again on the same {what}"
            )


def _row(evaluation: Evaluation, reference: Evaluation | None) -> dict[str, object]:
    found = evaluation.aggregate()
    base = reference.aggregate() if reference is not None else dict.fromkeys(found, np.nan)
    first = evaluation.task.metrics[0]
    ratio = _ratios(evaluation.per_series(first), reference.per_series(first)) if reference is not None else np.empty(0)
    return {
        "model": evaluation.model,
        "status": evaluation.status,
        **found,
        **{f"rel_{name}": _divide(found[name], base[name]) for name in found if METRICS[name].better == "lower"},
        f"geo_{first}": float(np.exp(np.mean(np.log(ratio)))) if len(ratio) else np.nan,
        "beats_baseline": float(np.mean(ratio < 1)) if len(ratio) else np.nan,
        "fit_seconds": evaluation.fit_seconds,
        "predict_seconds": evaluation.predict_seconds,
        "peak_memory_mb": evaluation.costs.peak_memory_mb,
        "fallbacks": evaluation.fallbacks,
    }


def _ratios(own: pd.Series, base: pd.Series) -> FloatArray:
    """Ratio of each series where both are measured, 1 where both are 0."""
    joined = pd.concat([own, base], axis=1, join="inner").dropna().to_numpy(dtype=np.float64)
    top, bottom = joined[:, 0], joined[:, 1]
    ratio = np.divide(top, bottom, out=np.where(top > 0, np.inf, 1.0), where=bottom > 0)
    return np.asarray(np.clip(ratio, 1 / _RATIO_LIMIT, _RATIO_LIMIT), dtype=np.float64)


def _divide(value: float, base: float) -> float:
    return value / base if base > 0 else float("nan")
