"""From the row of a table back to the file and row that it came from, so that an offence can be found by the one who reads it.

It must not decide what an offence is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NoReturn, final

import numpy as np
import pandas as pd

from forecast.core.arrays import BoolArray, IntArray
from forecast.core.errors import DataError, Offence

OFFENCES_KEPT = 1000
_ROWS = "rows of the files"  # key of a frame's attributes


@final
@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Which rows came from which file.

    files: names as the user gave them. ends: number of rows up to the end of each file. Shape [files].
    first_row: what the first row of a file is called: 0 in a Parquet file, 2 in a CSV file, where the header is row 1.
    """

    files: tuple[str, ...]
    ends: IntArray
    first_row: int

    @classmethod
    def of(cls, files: Sequence[str], rows: Sequence[int], first_row: int) -> Origin:
        """Returns the origin of files of so many rows each, end to end."""
        return cls(tuple(files), np.cumsum(np.asarray(rows, dtype=np.int64)), first_row)

    def place(self, row: int) -> tuple[str, int]:
        """Returns the file and the row inside it of a row of the whole table."""
        file = int(np.searchsorted(self.ends, row, side="right"))
        before = int(self.ends[file - 1]) if file else 0
        return self.files[file], row - before + self.first_row

    def offence(self, row: int, column: str, value: object, rule: str, unique_id: str | None = None) -> Offence:
        """Returns the offence of one row of the whole table."""
        file, place = self.place(row)
        return Offence(rule, column, str(value), place, unique_id, file)


def refuse(origin: Origin, bad: BoolArray, column: str, values: Sequence[object], rule: str, advice: str) -> NoReturn:
    """Raises the DataError of the rows in `bad`; `values` are what stands in them, in order, as far as they are to be shown.

    Raises:
        DataError: always.
    """
    rows, total = np.flatnonzero(bad)[:OFFENCES_KEPT], int(bad.sum())
    offences = [origin.offence(int(row), column, value, rule) for row, value in zip(rows, values, strict=False)]
    raise DataError(f"column {column!r}: {total} rows break the rule {rule!r}; {advice}", offences, total)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Where the rows of a frame came from: row r is row `table[r]` of the whole table."""

    origin: Origin
    table: pd.Index[int]

    def __deepcopy__(self, memo: object) -> _Rows:
        """Itself: pandas copies the attributes of a frame, and all that they hold, whenever a column is looked at."""
        return self


def remember_rows(frame: pd.DataFrame, origin: Origin, table: pd.Index[int]) -> pd.DataFrame:
    """Returns the frame, which knows from now on that its row r is row `table[r]` of the files; later rows are in none."""
    frame.attrs[_ROWS] = _Rows(origin, table)
    return frame


@contextmanager
def naming_rows(frame: pd.DataFrame) -> Iterator[None]:
    """Makes a DataError about rows of a frame that a source has read say which rows of which files they are.

    Raises:
        DataError: the one of the block, in terms of the files where the frame remembers them.
    """
    try:
        yield
    except DataError as error:
        rows = frame.attrs.get(_ROWS)
        if not isinstance(rows, _Rows):
            raise
        raise type(error)(error.message, [_placed(offence, rows) for offence in error.offences], error.total) from error


def _placed(offence: Offence, rows: _Rows) -> Offence:
    if offence.row is None or offence.file is not None or offence.row >= len(rows.table):
        return offence
    file, row = rows.origin.place(int(rows.table[offence.row]))
    return replace(offence, file=file, row=row)
