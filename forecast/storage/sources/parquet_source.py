"""Tables in Parquet files: a file, a list of files, a folder or a pattern.

Only the columns that are asked for are read. It must not repair anything beyond the declared policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from forecast.core.errors import DataError
from forecast.storage.sources.long_frame import long_frame
from forecast.storage.sources.paths import PathArgument, find_files
from forecast.storage.sources.plan import Categorical, Duplicates, Gaps, ReadPlan
from forecast.storage.sources.source import Content, Source
from forecast.storage.sources.typed_columns import holds_names, is_number

SUFFIXES = (".parquet", ".pq")


@final
class ParquetSource(Source):
    """Reads Parquet files.

    path: a file, several, a folder (all `.parquet` and `.pq` files below it) or a pattern such as `sales/2026-*.parquet`.
    columns: name in the library -> name in the files: {"unique_id": "store", "ds": "date", "y": "sales"}.
    covariates: further columns to read; None takes all that hold numbers or booleans.
    categorical: those of them that hold names and not amounts; `auto` takes columns of text none of whose values is a number.
    date_format: for stamps that are text; ISO dates by default.
    duplicates: `error`, `last` or `mean`, for rows of one series and time.
    gaps: `missing`, `error` or `zero`, for steps inside a series without a row; the last two need `frequency`.
    """

    def __init__(
        self, path: PathArgument, columns: Mapping[str, str] | None = None, covariates: tuple[str, ...] | None = None,
        date_format: str | None = None, duplicates: Duplicates = "error", gaps: Gaps = "missing", frequency: str | None = None,
        categorical: Categorical = (),
    ) -> None:  # fmt: skip
        self._path = path
        self._plan = ReadPlan.make(columns, covariates, date_format, duplicates, gaps, frequency, categorical)

    def read(self, content: Content = "history") -> pd.DataFrame:
        """Returns the table; see `Source.read`. `row` of an offence counts from 0 in its file."""
        files = find_files(self._path, SUFFIXES)
        return long_frame({str(file): self._read_file(file, content) for file in files}, self._plan, first_row=0)

    def describe(self) -> str:
        """Returns one line for people."""
        return f"Parquet {_text(self._path)}"

    def _read_file(self, file: Path, content: Content) -> pa.Table:
        try:
            with pq.ParquetFile(file) as opened:
                names = self._plan.names(opened.schema_arrow.names, content, str(file))
                parts = [opened.read(columns=[name], use_pandas_metadata=False) for name in names.values()]
        except pa.ArrowInvalid as error:
            raise DataError(
                f"{file} is no Parquet file that can be read ({error}); write it again, or give the right kind"
            ) from error
        pa.default_memory_pool().release_unused()  # what decoding took, which is less column by column
        columns = {name: part.column(0) for name, part in zip(names, parts, strict=True)}
        return pa.table({name: c for name, c in columns.items() if self._plan.asked(name) or is_number(c.type) or self._names(c)})

    def _names(self, column: pa.ChunkedArray) -> bool:
        return self._plan.categorical == "auto" and holds_names(column)


def _text(path: PathArgument) -> str:
    return str(path) if isinstance(path, str | Path) else ", ".join(str(p) for p in path)
