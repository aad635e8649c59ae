"""The audit sees every kind of false row. Each test damages rows that were right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from forecast.core.errors import GateError
from forecast.scoring.audit import audit
from forecast.scoring.guard import Forecasts
from forecast.scoring.table import TableForm
from tests.faults.score_world import DAILY, HORIZON, LEVELS, RUN_DATE

IDS = np.array(["a", "b", "c"], dtype=object)
FORM = TableForm(RUN_DATE, DAILY, DAILY.cutoff(RUN_DATE), HORIZON, LEVELS, "7")


def _rows() -> pa.Table:
    out = Forecasts.empty(IDS, HORIZON, len(LEVELS))
    out.mean[:] = 2.0
    out.quantiles[:] = [1.0, 2.0, 3.0]
    out.model[:], out.status[:] = "last", "ok"
    out.status[1], out.reason[1] = "fallback", "absurd forecast"
    return FORM.rows(out)


def _changed(column: str, row: int, value: object) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        values = rows[column].to_pylist()
        values[row] = value
        return rows.set_column(rows.schema.get_field_index(column), column, pa.array(values, rows.schema.field(column).type))

    return change


def test_the_audit_counts_what_is_there() -> None:
    found = audit(iter([_rows().slice(0, 6), _rows().slice(6)]), IDS, FORM)
    assert (found.rows, found.ok, found.fallback, dict(found.reasons)) == (9, 2, 1, {"absurd forecast": 1})


DAMAGES = [
    pytest.param(_changed("mean", 4, float("nan")), "mean that is not finite", id="NaN"),
    pytest.param(_changed("q0.5", 4, float("inf")), "quantile that is not finite", id="infinite quantile"),
    pytest.param(_changed("mean", 4, None), "mean that is not finite", id="null"),
    pytest.param(_changed("q0.5", 4, 0.5), "quantiles that cross", id="crossed quantiles"),
    pytest.param(_changed("step", 4, 3), "steps", id="a step twice"),
    pytest.param(_changed("unique_id", 4, "a"), "series", id="another series' row"),
    pytest.param(_changed("ds", 4, None), "stamps", id="no stamp"),
    pytest.param(lambda rows: rows.set_column(3, "ds", rows["cutoff"]), "stamps", id="wrong stamps"),
    pytest.param(_changed("status", 4, "ok"), "two statuses", id="two statuses"),
    pytest.param(_changed("model_version", 4, "6"), "model version", id="mixed model versions"),
    pytest.param(_changed("run_date", 4, "2026-02-28"), "run date", id="another run date"),
    pytest.param(lambda rows: rows.slice(0, 8), "steps of each series", id="a row missing"),
    pytest.param(lambda rows: rows.slice(0, 6), "2 series where 3", id="a series missing"),
    pytest.param(lambda rows: pa.concat_tables([rows, rows.slice(6)]), "steps of each series", id="a series twice"),
    pytest.param(lambda rows: pa.concat_tables([rows.slice(3, 3), rows.slice(0, 3), rows.slice(6)]), "series", id="another order"),
    pytest.param(lambda rows: rows.drop_columns(["reason"]), "columns", id="a column missing"),
    pytest.param(lambda rows: rows.set_column(5, "mean", rows["mean"].cast(pa.float32())), "columns", id="another type"),
]


@pytest.mark.parametrize(("damage", "finding"), DAMAGES)
def test_no_false_row_passes_the_audit(damage: Callable[[pa.Table], pa.Table], finding: str) -> None:
    with pytest.raises(GateError, match=finding):
        audit(iter([damage(_rows())]), IDS, FORM)
