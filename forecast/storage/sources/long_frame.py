"""From the columns of files to the long frame of the library: types first, file by file, then the declared policies.

It is the one place where tables of all formats meet. It must not open files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from forecast.core.arrays import AnyArray
from forecast.core.errors import DataError
from forecast.storage.sources.evidence import Origin, remember_rows
from forecast.storage.sources.plan import ReadPlan
from forecast.storage.sources.policies import apply_duplicates, apply_gaps
from forecast.storage.sources.typed_columns import ids_of, numbers_of, stamps_of


def long_frame(tables: Mapping[str, pa.Table], plan: ReadPlan, first_row: int) -> pd.DataFrame:
    """Returns the frame of the tables of several files, whose columns have the library's names already; see `Source.read`.

    Args:
        tables: By name of the file, in order.
        plan: Names and policies.
        first_row: What the first row of a file is called in an offence.

    Raises:
        DataError: no rows, files that differ, or what `Source.read` refuses.
    """
    parts = [_typed(table, plan, Origin.of([file], [len(table)], first_row)) for file, table in tables.items() if len(table)]
    names = ", ".join(list(tables)[:5])
    if not parts:
        raise DataError(f"{names}: the table has no rows; there is nothing to forecast from")
    _require_alike(parts, names)
    columns = {name: parts[0][name] if len(parts) == 1 else np.concatenate([part[name] for part in parts]) for name in parts[0]}
    frame = pd.DataFrame(columns, copy=False)
    origin = Origin.of(list(tables), [len(table) for table in tables.values()], first_row)
    if "ds" in columns:
        frame = apply_duplicates(frame, plan.duplicates, origin)
    read = frame.index.to_numpy(dtype=np.int64)
    if "y" in columns:
        frame = apply_gaps(frame, plan.gaps, plan.grid, origin)  # puts the rows that it adds at the end
    return remember_rows(frame.reset_index(drop=True), origin, read)


def _typed(table: pa.Table, plan: ReadPlan, origin: Origin) -> dict[str, AnyArray]:
    columns: dict[str, AnyArray] = {"unique_id": ids_of(table["unique_id"], origin)}
    if "ds" in table.column_names:
        columns["ds"] = stamps_of(table["ds"], origin, plan.date_format)
    for name in table.column_names:
        if name not in columns:
            columns[name] = numbers_of(table[name], name, origin)
    return columns


def _require_alike(parts: Sequence[Mapping[str, AnyArray]], names: str) -> None:
    """Refuses files with different columns, and files with dates beside files with whole-number time."""
    different = sorted({name for part in parts for name in set(part) ^ set(parts[0])})
    if different:
        raise DataError(
            f"{names}: not every file has the columns {different} as numbers; name the `covariates` that all of them have"
        )
    if "ds" in parts[0] and len({part["ds"].dtype for part in parts}) > 1:
        raise DataError(f"{names}: 'ds' holds dates in some files and whole numbers in others; read them apart")
