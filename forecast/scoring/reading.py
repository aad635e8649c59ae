"""What a run may know: the source's rows up to the cutoff, and the known covariates of the horizon. Nothing later gets past here.

Rows after the cutoff are cut away before anything looks at them, even before the input digest: a backfilled date gives the same
bytes whatever came later. It must not judge rows; that is the contract's work.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import final

import numpy as np
import pandas as pd

from forecast.core.arrays import BoolArray, IntArray, TextArray
from forecast.core.errors import DataError, InputMissing
from forecast.core.frequency import Frequency
from forecast.core.panel import Roles
from forecast.core.series_ids import coded_ids
from forecast.scoring.key import table_digest
from forecast.scoring.request import Inputs

# Whole days inside what 64-bit nanoseconds can hold; 9999-12-31 for "open end" is common and lies outside.
_FIRST_DAY, _LAST_DAY = np.datetime64("1678-01-01", "D"), np.datetime64("2262-01-01", "D")
_BEFORE_ALL, _AFTER_ALL = np.iinfo(np.int64).min // 4, np.iinfo(np.int64).max // 4


@final
@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Rows of a table with their series and their place in time. The index of `rows` is the row number in the source.

    ids: of the table, ascending. Shape [N].
    series: place of each row's id in `ids`, -1 where it is missing. Shape [rows].
    ordinals: of the step that holds the stamp. Shape [rows].
    on_grid: False where the stamp is missing or off the grid. Shape [rows].
    """

    rows: pd.DataFrame
    ids: TextArray
    series: IntArray
    ordinals: IntArray
    on_grid: BoolArray

    def where(self, keep: BoolArray) -> Placed:
        """Returns the rows of a mask; `ids` stay as they are."""
        return Placed(self.rows.loc[keep], self.ids, self.series[keep], self.ordinals[keep], self.on_grid[keep])

    def without(self, refused: Collection[str]) -> Placed:
        """Returns the rows of the series that are not refused."""
        gone = np.array([*(unique_id in refused for unique_id in self.ids), False], dtype=np.bool_)
        return self.where(~gone[self.series])


@final
@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Everything that a run reads. history: rows up to the cutoff; future: covariates up to cutoff + H; file: for messages."""

    cutoff: int
    history: Placed
    future: pd.DataFrame | None
    static: pd.DataFrame | None
    file: str

    def series_count(self) -> int:
        """Returns the number of series with a row up to the cutoff."""
        return len(np.unique(self.history.series[self.history.series >= 0]))

    def digest(self) -> str:
        """Returns the SHA-256 of what was read."""
        return table_digest(self.history.rows, self.future, self.static)


def read_known(inputs: Inputs, run_date: date, horizon: int) -> Known:
    """Returns what the run of a date may know.

    Raises:
        DataError: a table that cannot be read as a long frame, or without a row at or before the cutoff.
        InputMissing: a table or column that is not there.
    """
    cutoff = inputs.cutoff_for(run_date)
    roles, file = inputs.roles, inputs.source.describe()
    columns = ("unique_id", "ds", "y", *roles.known, *roles.past)
    table = place(_columns(inputs.source.read(), columns, file), inputs.frequency, file)
    history = table.where(table.ordinals <= cutoff)
    if not len(history.rows):
        stamp = inputs.frequency.stamps(np.array([cutoff]))[0]
        raise DataError(
            f"{file}: none of {len(table.rows)} rows is at or before the cutoff {stamp}; check the run date, the columns and the file"
        )
    future = _future(inputs, roles, table, cutoff, horizon) if roles.known else None
    static = (
        _columns(inputs.static.read("static"), ("unique_id", *roles.static), inputs.static.describe()) if inputs.static else None
    )
    return Known(cutoff, history, future, static, file)


def place(frame: pd.DataFrame, frequency: Frequency, file: str) -> Placed:
    """Returns the rows with their ordinals; ids become text in Unicode's normal form NFC.

    Raises:
        DataError: times of a type that this frequency cannot use.
    """
    rows = frame.reset_index(drop=True)
    column, there = _times(rows["ds"], frequency, file)
    ordinals = np.full(len(rows), _BEFORE_ALL, dtype=np.int64)
    on_grid = np.zeros(len(rows), dtype=np.bool_)
    ordinals[there], on_grid[there] = frequency.ordinals(column[there])
    if not frequency.is_integer:
        ordinals[~there & (column > _LAST_DAY)] = _AFTER_ALL
    series, ids = coded_ids(rows["unique_id"])
    texts = np.array([*ids, None], dtype=object)[series]
    return Placed(rows.assign(unique_id=pd.Series(texts, index=rows.index, dtype=object)), ids, series, ordinals, on_grid)


def _times(column: pd.Series, frequency: Frequency, file: str) -> tuple[np.ndarray, BoolArray]:
    """The stamps, and which of them can be placed at all."""
    if frequency.is_integer:
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        usable = np.abs(numbers) < 2.0**53
        return np.where(usable, numbers, 0.0), usable
    if not pd.api.types.is_datetime64_any_dtype(column):
        if pd.api.types.is_numeric_dtype(column):
            raise DataError(
                f"{file}: frequency {frequency.alias!r} needs dates in 'ds', found {column.dtype}; use the frequency 'integer'"
            )
        column = pd.to_datetime(column, errors="coerce", format="ISO8601")
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        raise DataError(
            f"{file}: 'ds' has the time zone {column.dtype.tz}; declare one zone in the source, which makes it local time"
        )
    stamps = column.to_numpy()
    return stamps, (stamps >= _FIRST_DAY) & (stamps <= _LAST_DAY)


def _columns(frame: pd.DataFrame, names: tuple[str, ...], file: str) -> pd.DataFrame:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputMissing(
            f"{file} has no column {missing}; it has {[str(c) for c in frame.columns]}: map the columns in the source"
        )
    return frame[list(names)]


def _future(inputs: Inputs, roles: Roles, table: Placed, cutoff: int, horizon: int) -> pd.DataFrame:
    """Known covariates of the horizon, and those of the gap of series that ended early where the table has them.

    What the table itself says of the horizon counts too, as in a backfilled date; where both have a row, the file of the future does.
    """
    columns = ("unique_id", "ds", *roles.known)
    own = table.where((table.ordinals > cutoff) & (table.ordinals <= cutoff + horizon))
    if inputs.known_future is None:
        return own.rows[list(columns)]
    file = inputs.known_future.describe()
    rows = place(_columns(inputs.known_future.read("future"), columns, file), inputs.frequency, file)
    given = rows.where(rows.ordinals <= cutoff + horizon)
    alone = own.where(~_also_in(own, given))
    return pd.concat([alone.rows[list(columns)], given.rows], ignore_index=True) if len(alone.rows) else given.rows


def _also_in(mine: Placed, other: Placed) -> BoolArray:
    """Which rows have a series and step that another table has too. Shape [rows of mine]."""
    codes, _ = coded_ids(pd.concat([mine.rows["unique_id"], other.rows["unique_id"]], ignore_index=True))
    keys = pd.MultiIndex.from_arrays([codes, np.concatenate([mine.ordinals, other.ordinals])])
    return np.asarray(keys[: len(mine.rows)].isin(keys[len(mine.rows) :]), dtype=np.bool_)
