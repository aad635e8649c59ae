"""From a long frame to a Panel: the checks that make the Panel type a proof.

Each check counts all its offences and shows some. It must not repair: policies that change data belong to the sources.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.core.arrays import BoolArray, FloatArray, IntArray, TextArray
from forecast.core.categories import coded
from forecast.core.errors import DataError, InputMissing, Offence, UsageError
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.core.series_ids import ascending, coded_ids

OFFENCES_KEPT = 1000
GRID_LIMIT = 50_000_000  # steps that are accepted however few rows there are
SPARSE_LIMIT = 100  # steps for each row, beyond that


def build_panel(frame: pd.DataFrame, frequency: Frequency, roles: Roles, static: pd.DataFrame | None) -> Panel:
    """Returns the panel of a long frame; see `Panel.from_frame`."""
    _require_columns(frame, ("unique_id", "ds", "y", *roles.known, *roles.past), "the table")
    stray = [name for name in roles.categorical if name not in (*roles.known, *roles.past, *roles.static)]
    if stray:
        raise UsageError(f"columns {stray} are called categorical and have no other role; name them as known, past or static too")
    codes, ids = _ids(frame)
    ordinals = _ordinals(frame, frequency)
    order = _order(codes, ordinals)
    if order is not None:
        codes, ordinals = codes[order], ordinals[order]
        _refuse_duplicates(frame, codes, ordinals, order)
    rows, offsets, starts = _layout(codes, ordinals, ids)
    del codes, ordinals

    lists: dict[str, tuple[str, ...]] = {}

    def placed(names: tuple[str, ...]) -> FloatArray:
        out = np.empty((int(offsets[-1]), len(names)))
        if not isinstance(rows, slice):
            out.fill(np.nan)
        for column, name in enumerate(names):
            values = _values(frame, name, roles, lists)
            out[rows, column] = values if order is None else values[order]
        return out

    panel = Panel(frequency, ids, offsets, starts, placed(("y",))[:, 0], placed(roles.known), placed(roles.past),
                  _static(static, ids, roles, lists), roles)  # fmt: skip
    return replace(panel, categories=tuple(lists[name] for name in roles.categorical))


def _require_columns(frame: pd.DataFrame, names: tuple[str, ...], where: str) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputMissing(
            f"{where} has no column {missing}; it has {[str(c) for c in frame.columns]}: map the columns in the source"
        )


def _offences(frame: pd.DataFrame, bad: BoolArray, column: str, rule: str) -> list[Offence]:
    rows = np.flatnonzero(bad)[:OFFENCES_KEPT]
    values, ids = frame[column].iloc[rows], frame["unique_id"].iloc[rows]
    return [Offence(rule, column, str(v), int(r), str(i)) for r, v, i in zip(rows, values, ids, strict=True)]


def _refuse(frame: pd.DataFrame, bad: BoolArray, column: str, rule: str, advice: str) -> None:
    if bad.any():
        total = int(bad.sum())
        raise DataError(
            f"column {column!r}: {total} rows break the rule {rule!r}; {advice}", _offences(frame, bad, column, rule), total
        )


def _ids(frame: pd.DataFrame) -> tuple[IntArray, TextArray]:
    """Codes [rows] into the ascending, NFC-normal ids [N]."""
    column = frame["unique_id"]
    _refuse(frame, column.isna().to_numpy(), "unique_id", "id present", "every row needs an id")
    return coded_ids(column)


def _ordinals(frame: pd.DataFrame, frequency: Frequency) -> IntArray:
    column = frame["ds"]
    _refuse(frame, column.isna().to_numpy(), "ds", "time stamp present", "every row needs a time stamp")
    dates = pd.api.types.is_datetime64_any_dtype(column)
    if len(column) and frequency.is_integer and not pd.api.types.is_numeric_dtype(column):
        raise DataError(f"integer time needs whole numbers in 'ds', found {column.dtype}; give the frequency of the dates instead")
    if len(column) and not frequency.is_integer and not dates:
        raise DataError(
            f"frequency {frequency.alias!r} needs dates in 'ds', found {column.dtype}; parse them, or use the frequency 'integer'"
        )
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        raise DataError(f"'ds' has the time zone {column.dtype.tz}; declare one zone in the source, which makes it local time")
    ordinals, on_grid = frequency.ordinals(column.to_numpy())
    _refuse(
        frame, ~on_grid, "ds", f"on the grid of {frequency.alias!r}", "give the right frequency, or repair the stamps in the source"
    )
    return ordinals


def _order(codes: IntArray, ordinals: IntArray) -> IntArray | None:
    """The order by id and time; None where the rows are in it."""
    return None if ascending(codes, ordinals) else np.lexsort((ordinals, codes))


def _refuse_duplicates(frame: pd.DataFrame, codes: IntArray, ordinals: IntArray, order: IntArray) -> None:
    again = np.zeros(len(codes), dtype=np.bool_)
    again[order[1:]] = (codes[1:] == codes[:-1]) & (ordinals[1:] == ordinals[:-1])
    _refuse(frame, again, "ds", "one row per series and step", "choose a policy for duplicates in the source")


def _layout(codes: IntArray, ordinals: IntArray, ids: TextArray) -> tuple[IntArray | slice, IntArray, IntArray]:
    """Flat row of each sorted input row (a slice where there are no gaps), offsets [N + 1] and starts [N]."""
    first = np.searchsorted(codes, np.arange(len(ids)))
    last = np.searchsorted(codes, np.arange(len(ids)), side="right") - 1
    starts = ordinals[first]
    _refuse_sparse(ordinals[last].astype(np.float64) - starts, len(codes), ids)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(ordinals[last] - starts + 1)])
    whole = int(offsets[-1]) == len(codes)
    return slice(None) if whole else ordinals + (offsets[:-1] - starts)[codes], offsets, starts


def _refuse_sparse(spans: FloatArray, rows: int, ids: TextArray) -> None:
    """Refuses a table whose gaps would fill the memory: one wrong year among seconds, or time stamps taken for whole-number time."""
    grid = float(spans.sum()) + len(spans)
    if grid > GRID_LIMIT and grid > SPARSE_LIMIT * rows:
        widest = int(spans.argmax())
        raise DataError(
            f"{rows} rows would become {grid:.3g} steps of the grid, {spans[widest] + 1:.3g} of them in series {ids[widest]!r}; "
            f"look for a stamp that lies far from the others, or give the right frequency"
        )


def _values(frame: pd.DataFrame, name: str, roles: Roles, lists: dict[str, tuple[str, ...]]) -> FloatArray:
    """The numbers of a column, or the places of its names, which are put into `lists`."""
    if name not in roles.categorical:
        return _numbers(frame, name)
    values, lists[name] = coded(frame[name])
    return values


def _numbers(frame: pd.DataFrame, name: str) -> FloatArray:
    column = frame[name]
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        raise DataError(f"column {name!r} holds {column.dtype}; y and covariates are numbers: turn it into numbers, or take it out")
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        numbers = pd.to_numeric(column, errors="coerce")
        _refuse(frame, (numbers.isna() & column.notna()).to_numpy(), name, "a number", "repair the values, or take the column out")
        column = numbers
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(frame, np.isinf(values), name, "finite", "infinite values cannot be used")
    # One bit pattern for each value: there is a NaN of either sign and a zero of either sign, and fingerprints see bits.
    values = values + 0.0
    values[np.isnan(values)] = np.nan
    return np.asarray(values)


def _static(static: pd.DataFrame | None, ids: TextArray, roles: Roles, lists: dict[str, tuple[str, ...]]) -> FloatArray:
    names = roles.static
    if not names:
        return np.zeros((len(ids), 0))
    if static is None:
        raise DataError(f"static columns {list(names)} need a table with one row per unique_id")
    _require_columns(static, ("unique_id", *names), "the static table")
    codes, found = _ids(static)
    again = np.bincount(codes, minlength=len(found)) > 1
    if again.any():
        raise DataError(
            f"the static table has series twice: {list(found[again][:5])} ({int(again.sum())} in all); give each one row"
        )
    row_of: dict[str, int] = {str(found[code]): row for row, code in enumerate(codes)}
    absent = [i for i in ids if i not in row_of]
    if absent:
        raise DataError(f"the static table has no row for series {absent[:5]} ({len(absent)} in all); give each one row")
    rows = np.array([row_of[i] for i in ids], dtype=np.int64)
    return np.stack([_values(static, name, roles, lists)[rows] for name in names], axis=1)
