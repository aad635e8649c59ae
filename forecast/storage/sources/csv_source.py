"""Tables in CSV files: a file, a list of files, a folder or a pattern; `.gz` and `.bz2` are unpacked on the way.

Ids and stamps are read as the text they are; a value that a reader would bend on the way in (`NA`, `001`, `1e400`) either survives or
is refused. It must not guess the order of day and month.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv

from forecast.core.errors import DataError, Offence
from forecast.storage.sources.long_frame import long_frame
from forecast.storage.sources.paths import PathArgument, find_files
from forecast.storage.sources.plan import Categorical, Duplicates, Gaps, ReadPlan
from forecast.storage.sources.source import Content, Source
from forecast.storage.sources.typed_columns import MISSING_TEXTS, holds_names, holds_numbers

SUFFIXES = (".csv", ".csv.gz", ".csv.bz2", ".tsv", ".txt")
_DELIMITERS = (",", ";", "\t", "|")
_HEADER_BYTES = 1 << 20


@final
class CsvSource(Source):
    """Reads CSV files in UTF-8 with a header line.

    path: a file, several, a folder (all `.csv`, `.csv.gz`, `.tsv` and `.txt` files below it) or a pattern.
    columns: name in the library -> name in the files: {"unique_id": "store", "ds": "date", "y": "sales"}.
    covariates: further columns to read; None takes all that hold numbers or booleans.
    categorical: those of them that hold names and not amounts; `auto` takes columns of text none of whose values is a number.
    date_format: `%d.%m.%Y` for stamps that are not ISO dates. Without it, stamps that are all digits are whole-number time.
    duplicates: `error`, `last` or `mean`, for rows of one series and time.
    gaps: `missing`, `error` or `zero`, for steps inside a series without a row; the last two need `frequency`.
    delimiter: None takes the one of comma, semicolon, tab and bar that the header has most of.
    """

    def __init__(
        self, path: PathArgument, columns: Mapping[str, str] | None = None, covariates: tuple[str, ...] | None = None,
        date_format: str | None = None, duplicates: Duplicates = "error", gaps: Gaps = "missing", frequency: str | None = None,
        delimiter: str | None = None, categorical: Categorical = (),
    ) -> None:  # fmt: skip
        self._path, self._delimiter = path, delimiter
        self._plan = ReadPlan.make(columns, covariates, date_format, duplicates, gaps, frequency, categorical)

    def read(self, content: Content = "history") -> pd.DataFrame:
        """Returns the table; see `Source.read`. `row` of an offence counts the header as row 1, as spreadsheets do."""
        files = find_files(self._path, SUFFIXES)
        return long_frame({str(file): self._read_file(file, content) for file in files}, self._plan, first_row=2)

    def describe(self) -> str:
        """Returns one line for people."""
        paths = [self._path] if isinstance(self._path, str | Path) else self._path
        return f"CSV {', '.join(str(p) for p in paths)}"

    def _read_file(self, file: Path, content: Content) -> pa.Table:
        header, delimiter = _header(file, self._delimiter)
        names = self._plan.names(header, content, str(file))
        kinds = {column: kind for name, column in names.items() if (kind := self._kind(name)) is not None}
        try:
            table = _read(file, delimiter, list(names.values()), kinds)
            readable = not any(_has_infinite(column) for column in table.columns)
        except pa.ArrowInvalid:
            readable = False
        if not readable:  # slower, as text, so that what is wrong can be shown as it stands in the file
            table = _read_text(file, delimiter, list(names.values()))
        table = table.rename_columns(list(names))
        return table.select(
            [name for name in names if self._plan.asked(name) or holds_numbers(table[name]) or self._names(table[name])]
        )

    def _names(self, column: pa.ChunkedArray) -> bool:
        return self._plan.categorical == "auto" and holds_names(column)

    def _kind(self, name: str) -> pa.DataType | None:
        """The type to read a column as; None where the reader is to find out."""
        if name in ("unique_id", "ds"):
            return pa.string()
        if name == "y" or (self._plan.categorical != "auto" and self._plan.asked(name)):
            return pa.string() if self._plan.named(name) else pa.float64()
        return None


def _header(file: Path, delimiter: str | None) -> tuple[list[str], str]:
    """The names in the first line of a file, and the delimiter between them."""
    try:
        with pa.input_stream(str(file)) as stream:
            text = stream.read(_HEADER_BYTES).decode("utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DataError(f"{file} cannot be unpacked ({error}); write it again") from error
    if not text.strip():
        raise DataError(f"{file} is empty; the first line must have the names of the columns")
    rows = {
        mark: next(csv.reader(io.StringIO(text, newline=""), delimiter=mark)) for mark in _DELIMITERS if delimiter in (None, mark)
    }
    if delimiter is not None:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)), delimiter
    best = max(rows, key=lambda mark: len(rows[mark]))
    return rows[best], best


def _read(file: Path, delimiter: str, columns: list[str], kinds: Mapping[str, pa.DataType]) -> pa.Table:
    convert = arrow_csv.ConvertOptions(column_types=kinds, include_columns=columns, null_values=MISSING_TEXTS)  # not of text
    parse = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    return arrow_csv.read_csv(str(file), parse_options=parse, convert_options=convert)


def _read_text(file: Path, delimiter: str, columns: list[str]) -> pa.Table:
    """The columns as text; rows with too few or too many values are refused with their numbers."""
    ragged: list[Offence] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        found = f"{row.actual_columns} values: {row.text[:80]}"
        ragged.append(
            Offence(f"{row.expected_columns} values, as the header has names", columns[0], found, row.number, None, str(file))
        )
        return "skip"

    convert = arrow_csv.ConvertOptions(column_types={c: pa.string() for c in columns}, include_columns=columns)
    parse = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note)
    try:
        table = arrow_csv.read_csv(str(file), arrow_csv.ReadOptions(use_threads=False), parse, convert)
    except pa.ArrowInvalid as error:
        raise DataError(f"{file} cannot be read as CSV in UTF-8 ({error}); save it in UTF-8 with one header line") from error
    if ragged:
        raise DataError(
            f"{file}: {len(ragged)} rows do not have one value for each column; quote values that hold {delimiter!r}", ragged
        )
    return table


def _has_infinite(column: pa.ChunkedArray) -> bool:
    return pa.types.is_floating(column.type) and bool(np.isinf(column.to_numpy()).any())
