"""What a model is measured on: panels read from folders, each with the task that says where the truth begins.

It must not run a model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import pandas as pd

from forecast.core.errors import DataError
from forecast.core.frequency import INTEGER_ALIAS, Frequency
from forecast.core.panel import Panel, Roles
from forecast.evaluation.task import Task

Part: TypeAlias = Literal["validation", "test"]

LEVELS = tuple(round(0.1 * n, 1) for n in range(1, 10))
METRICS = ("mase", "smape", "wql", "rmsse", "mae", "coverage_80")
_FEW = 40  # values of a text column that get a column each


@final
@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One panel with its truth: the last `task.horizon` rows of each series are to be forecast from those before.

    folder: where it was read; None for a generated panel. naive2: sMAPE and MASE of Naive2, where OWA is asked for.
    """

    name: str
    panel: Panel
    task: Task
    folder: Path | None = None
    naive2: tuple[float, float] | None = None


def read_meta(folder: Path) -> tuple[Mapping[str, Any], Frequency]:
    """Returns what a panel's folder says of it, and its frequency."""
    meta = json.loads((folder / "meta.json").read_text())
    alias = meta["frequency"] if not meta["frequency"].startswith("integer") else INTEGER_ALIAS
    return meta, Frequency.parse(alias, tuple(meta.get("seasons", [meta["season_length"]])))


def read_case(folder: Path, part: Part, covariates: bool = False) -> Case:
    """Returns the panel of a folder: its training part for validation, the test part's rows behind it for the test.

    Args:
        folder: Holds train.parquet, meta.json and, for the test, test.parquet.
        part: Where the truth is: the last H rows of the training part, or the test part.
        covariates: Whether the columns that meta.json calls known or past are read too.

    Raises:
        DataError: a series whose test part is not the H steps after its training part.
    """
    meta, frequency = read_meta(folder)
    train = pd.read_parquet(folder / "train.parquet")
    whole = train if part == "validation" else pd.concat([train, pd.read_parquet(folder / "test.parquet")], ignore_index=True)
    roles = Roles()
    if covariates:
        whole, known = as_numbers(whole, tuple(meta.get("known", ())), len(train))
        roles = Roles(known=known, past=tuple(meta.get("past", ())))
    panel = Panel.from_frame(whole, frequency, roles)
    if part == "test":
        _require_horizon_after(train, panel, meta["horizon"])
    season = int(meta.get("mase_season", meta["season_length"]))
    return Case(folder.name, panel, task_of(meta["horizon"], season), folder, tuple(meta["naive2"]) if "naive2" in meta else None)


def task_of(horizon: int, season: int) -> Task:
    """Returns the task of the last H rows of each series; `season` is that of the scaled metrics."""
    return Task(horizon=horizon, season_lengths=(season,) if season > 1 else (), levels=LEVELS, metrics=METRICS)


def as_numbers(frame: pd.DataFrame, names: Sequence[str], seen: int) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Returns the frame with numbers in the place of text columns, and the names of the columns that stand for `names`.

    A text column becomes one column of 0 and 1 for each of its values in the first `seen` rows; a value that comes later is none of
    them.

    Raises:
        DataError: a text column with more than 40 values.
    """
    columns: dict[str, Any] = {}
    for name in names:
        if pd.api.types.is_numeric_dtype(frame[name]):
            columns[name] = frame[name].astype("float64")
            continue
        values = sorted(str(v) for v in frame[name].iloc[:seen].dropna().unique())
        if len(values) > _FEW:
            raise DataError(f"column {name!r} has {len(values)} values, more than {_FEW}; leave it out of `known` in meta.json")
        columns |= {f"{name} is {value}": (frame[name].astype(str) == value).astype("float64") for value in values}
    return frame.drop(columns=list(names)).assign(**columns), tuple(columns)


def _require_horizon_after(train: pd.DataFrame, whole: Panel, horizon: int) -> None:
    ends = Panel.from_frame(train[["unique_id", "ds", "y"]], whole.frequency)
    if list(ends.ids) != list(whole.ids):
        raise DataError(f"the training part has {len(ends)} series, both parts together {len(whole)}; they must be the same")
    odd = whole.ids[whole.ends - ends.ends != horizon]
    if len(odd):
        raise DataError(
            f"{len(odd)} series have other than {horizon} steps of test part, among them {list(odd[:5])}; cut them to it"
        )
