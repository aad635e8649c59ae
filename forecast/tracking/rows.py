"""What is tracked, as plain values: metric rows, flat parameters, one table per model. It must not know MLflow."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd

from forecast.core.forecaster import MetricSink
from forecast.evaluation.evaluation import Evaluation

_LONGEST_VALUE = 6000  # characters, MLflow's limit for a parameter
_FORBIDDEN = re.compile(r"[^\w\-./ :]", re.ASCII)  # in the name of a parameter or metric


class MetricRow(NamedTuple):
    """One number of a run at one step. Plain, so that it travels between processes as JSON."""

    name: str
    value: float
    step: int


@final
class CurveRecorder(MetricSink):
    """Collects what a training run reports, to be logged in one batch by the process that tracks."""

    def __init__(self) -> None:
        self.rows: list[MetricRow] = []

    def log(self, name: str, value: float, step: int) -> None:
        """Keeps one number."""
        self.rows.append(MetricRow(name, float(value), int(step)))


def flat_parameters(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Returns nested values as text by dotted key; lists of plain values are JSON, lists of mappings are counted through.

    A text above 6000 characters is cut: the whole configuration is logged as a file beside.
    """
    flat: dict[str, str] = {}
    for key, value in values.items():
        path = prefix + _FORBIDDEN.sub("_", str(key))
        if isinstance(value, Mapping):
            flat |= flat_parameters(value, f"{path}.")
        elif isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(item, Mapping) for item in value):
            flat |= flat_parameters({str(position): item for position, item in enumerate(value)}, f"{path}.")
        else:
            flat[path] = (value if isinstance(value, str) else json.dumps(value, default=str))[:_LONGEST_VALUE]
    return flat


def evaluation_rows(evaluation: Evaluation) -> list[MetricRow]:
    """Returns the numbers of an evaluation that can be measured.

    Aggregates and costs at step 0; `window/<metric>` by window, 0 is the earliest; `horizon/<metric>` by step; `calibration/share` by
    level in per cent.
    """
    costs = evaluation.costs
    rows = [MetricRow(name, value, 0) for name, value in evaluation.aggregate().items()] if evaluation.ok else []
    rows += [MetricRow("fit_seconds", costs.fit_seconds, 0), MetricRow("predict_seconds", costs.predict_seconds, 0),
             MetricRow("peak_memory_mb", costs.peak_memory_mb, 0), MetricRow("fallbacks", evaluation.fallbacks, 0)]  # fmt: skip
    rows += _window_rows(evaluation)
    for name in evaluation.steps.columns.difference(["step", "targets"]):
        rows += [
            MetricRow(f"horizon/{name}", value, int(step))
            for step, value in zip(evaluation.steps["step"], evaluation.steps[name], strict=True)
        ]
    for level, share in zip(evaluation.calibration["level"], evaluation.calibration["share"], strict=True):
        rows.append(MetricRow("calibration/share", share, round(100 * level)))
    return [row for row in rows if math.isfinite(row.value)]


def per_series_table(evaluation: Evaluation) -> pd.DataFrame:
    """Returns one row per series: unique_id and a column per metric, the mean over its cutoffs."""
    columns = {name: evaluation.per_series(name) for name in evaluation.task.metrics}
    return pd.DataFrame(columns).rename_axis("unique_id").reset_index()


def chunks(rows: Sequence[MetricRow], size: int) -> Iterator[Sequence[MetricRow]]:
    """Yields the rows in pieces of at most `size`."""
    for first in range(0, len(rows), size):
        yield rows[first : first + size]


def _window_rows(evaluation: Evaluation) -> list[MetricRow]:
    """The aggregates of each window. Counted from the last one: a short series lacks the early windows, never the late ones."""
    if not len(evaluation.scores):
        return []
    cutoffs = evaluation.scores["cutoff"].to_numpy(dtype=np.float64)
    back = evaluation.scores.assign(cutoff=cutoffs).groupby("unique_id")["cutoff"].rank(method="dense", ascending=False)
    windows = (int(back.max()) - back).to_numpy(dtype=np.int64)
    rows = []
    for window in np.unique(windows):
        part = replace(evaluation, scores=evaluation.scores[windows == window])
        rows += [MetricRow(f"window/{name}", value, int(window)) for name, value in part.aggregate().items()]
    return rows
