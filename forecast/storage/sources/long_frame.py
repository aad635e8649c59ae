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
from forecast.storage.sources.typed_columns import holds_names, ids_of, names_of, numbers_of, stamps_of


def long_frame(tables: dict[str, pa.Table], plan: ReadPlan, first_row: int) -> pd.DataFrame:
    """Returns the frame of the tables of several files, whose columns have the library's names already; see `Source.read`.

    Args:
        tables: By name of the file, in order. They are taken out one by one, so that a table need not be held twice.
        plan: Names and policies.
        first_row: What the first row of a file is called in an offence.

    Raises:
        DataError: no rows, files that differ, or what `Source.read` refuses.
    """
    names, counts = ", ".join(list(tables)[:5]), {file: len(table) for file, table in tables.items()}
    parts = [_typed(tables.pop(file), plan, Origin.of([file], [rows], first_row)) for file, rows in counts.items() if rows]
    if not parts:
        raise DataError(f"{names}: the table has no rows; there is nothing to forecast from")
    _require_alike(parts, names)
    columns = {name: parts[0][name] if len(parts) == 1 else np.concatenate([part[name] for part in parts]) for name in parts[0]}
    frame = pd.DataFrame(columns, copy=False)
    del parts
    origin = Origin.of(list(counts), list(counts.values()), first_row)
    if "ds" in columns:
        frame = apply_duplicates(frame, plan.duplicates, origin)
    read = frame.index
    if "y" in columns:
        frame = apply_gaps(frame, plan.gaps, plan.grid, origin)  # puts the rows that it adds at the end
    frame.index = pd.RangeIndex(len(frame))  # not reset_index, which copies every column
    return remember_rows(frame, origin, read)


def _typed(table: pa.Table, plan: ReadPlan, origin: Origin) -> dict[str, AnyArray]:
    left = dict(zip(table.column_names, table.columns, strict=True))  # each is let go of once it is converted
    del table
    columns: dict[str, AnyArray] = {"unique_id": ids_of(left.pop("unique_id"), origin)}
    if "ds" in left:
        columns["ds"] = stamps_of(left.pop("ds"), origin, plan.date_format)
    for name in list(left):
        named = name != "y" and (holds_names(left[name]) if plan.categorical == "auto" else plan.named(name))
        columns[name] = (names_of if named else numbers_of)(left.pop(name), name, origin)
        pa.default_memory_pool().release_unused()  # it would keep what the file's columns took
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
