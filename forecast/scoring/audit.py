"""The last look at the finished rows before anyone sees them. It reads what was written, not what was meant.

It must not repair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.core.arrays import TextArray
from forecast.core.errors import GateError
from forecast.core.forecast_frame import FALLBACK, OK
from forecast.scoring.table import TableForm


@final
@dataclass(frozen=True, slots=True)
class Audited:
    """What the audit counted: rows, and series by status and by reason of a fallback."""

    rows: int
    ok: int
    fallback: int
    reasons: Counter[str]


def audit(tables: Iterator[pa.Table], ids: TextArray, form: TableForm) -> Audited:
    """Returns the counts of rows that hold exactly the series asked for, each with all its steps, finite and in order.

    Args:
        tables: The rows in their final order, cut between series.
        ids: The series that must be there, ascending. Shape [N].
        form: What the rows must look like.

    Raises:
        GateError: a missing, double or foreign row, a wrong date, a value that is not finite, quantiles that cross.
    """
    seen, ok, reasons = 0, 0, Counter[str]()
    for table in tables:
        series, rest = divmod(table.num_rows, form.horizon)
        _require(table.schema.remove_metadata() == form.schema(), "columns that are not those of the table")
        _require(not rest and seen + series <= len(ids), f"{table.num_rows} rows are not {form.horizon} steps of each series")
        _check_keys(table, ids[seen : seen + series], form)
        _check_numbers(table, form)
        status = _column(table, "status")[:: form.horizon]
        _require(bool(np.isin(status, [OK, FALLBACK]).all()), "a status that is neither ok nor fallback")
        _require(bool((_column(table, "status") == np.repeat(status, form.horizon)).all()), "a series with two statuses")
        seen, ok = seen + series, ok + int((status == OK).sum())
        reasons.update(fallback_reasons(table, form.horizon))
    _require(seen == len(ids), f"{seen} series where {len(ids)} were to be forecast")
    return Audited(seen * form.horizon, ok, seen - ok, reasons)


def fallback_reasons(table: pa.Table, horizon: int) -> Counter[str]:
    """Returns the series that fell back by reason. table: whole series of `horizon` rows each."""
    status, reason = _column(table, "status")[::horizon], _column(table, "reason")[::horizon]
    return Counter(reason[status == FALLBACK].tolist())


def _check_keys(table: pa.Table, ids: TextArray, form: TableForm) -> None:
    """One row for each step of each expected series, in order: with that no row can be missing, double or foreign."""
    _require(bool((_column(table, "unique_id") == np.repeat(ids, form.horizon)).all()), "series that were not expected there")
    steps = np.tile(np.arange(1, form.horizon + 1), len(ids))
    _require(bool((_column(table, "step") == steps).all()), "steps that do not run from 1 to the horizon")
    stamps = np.tile(form.target_stamps().to_numpy(zero_copy_only=False), len(ids))
    _require(bool((_column(table, "ds") == stamps).all()), "stamps that do not follow the cutoff")
    texts = pc.cast(table["run_date"], pa.string())
    _require(pc.unique(texts).to_pylist() in ([form.run_date.isoformat()], []), "a run date that is not this one")
    _require(pc.unique(table["model_version"]).to_pylist() in ([form.model_version], []), "a model version that is not this one")


def _check_numbers(table: pa.Table, form: TableForm) -> None:
    _require(bool(np.isfinite(_column(table, "mean")).all()), "a mean that is not finite")
    if form.levels:
        quantiles = np.stack([_column(table, name) for name in form.quantile_columns])
        _require(bool(np.isfinite(quantiles).all()), "a quantile that is not finite")
        _require(bool((np.diff(quantiles, axis=0) >= 0).all()), "quantiles that cross")


def _column(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table[name].to_numpy())


def _require(condition: bool, finding: str) -> None:
    if not condition:
        raise GateError(
            f"the audit found {finding} in the finished rows; nothing was published; this is an error of the program, report it"
        )
