"""What a source does with rows that come twice and with steps that have no row: only what its configuration declares.

The default refuses duplicates and leaves gaps to the panel, which marks them as missing. The index of a frame is the row of the
files that each row came from. It must not read files.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.core.arrays import AnyArray, BoolArray, IntArray
from forecast.core.errors import DataError
from forecast.core.frequency import Frequency
from forecast.core.series_ids import ascending, coded_ids
from forecast.storage.sources.evidence import OFFENCES_KEPT, Origin
from forecast.storage.sources.plan import Duplicates, Gaps


def apply_duplicates(frame: pd.DataFrame, policy: Duplicates, origin: Origin) -> pd.DataFrame:
    """Returns the frame with one row for each (unique_id, ds).

    `last` keeps the row that comes last in the files; `mean` takes the mean of the values that are there, at the place of the
    first row, whose categories stay.

    Raises:
        DataError: the policy is `error` and a pair comes twice.
    """
    codes, stamps = coded_ids(frame["unique_id"])[0], frame["ds"].to_numpy().astype(np.int64)
    if ascending(codes, stamps):
        return frame
    order = _order(codes, stamps)
    again = np.zeros(len(frame), dtype=np.bool_)  # in the order by series and time: the same pair as the row before
    again[1:] = (np.diff(codes[order]) == 0) & (np.diff(stamps[order]) == 0)
    if not again.any():
        return frame
    if policy == "error":
        raise _twice(frame, order[again], origin)
    group = np.cumsum(~again) - 1
    keep = np.zeros(len(frame), dtype=np.bool_)
    if policy == "last":
        keep[order[np.append(~again[1:], True)]] = True
        return frame[keep]
    first = order[~again]  # the sort is stable: the first row of a pair comes first
    out = frame.iloc[first].copy()
    for name in frame.columns.difference(["unique_id", "ds"], sort=False):
        if frame[name].dtype == object:  # names have no mean: the one that comes first stays
            continue
        values = frame[name].to_numpy()[order]
        seen = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            out[name] = np.bincount(group, np.where(seen, values, 0.0)) / np.bincount(group, seen)
    return out.iloc[np.argsort(first)]


def apply_gaps(frame: pd.DataFrame, policy: Gaps, grid: Frequency | None, origin: Origin) -> pd.DataFrame:
    """Returns the frame, with y = 0 rows for the steps inside a series that had none where the policy is `zero`.

    Covariates of such rows are missing. Raises:
        DataError: the policy is `error` and a series has a gap.
    """
    if policy == "missing" or grid is None or not len(frame):
        return frame
    codes, ids = coded_ids(frame["unique_id"])
    ordinals, _ = grid.ordinals(frame["ds"].to_numpy())  # the panel refuses what is off the grid
    order = _order(codes, ordinals)
    inside = np.diff(codes[order]) == 0
    holes = np.where(inside, np.diff(ordinals[order]) - 1, 0)
    if not (holes > 0).any():
        return frame
    before = order[:-1][holes > 0]
    holes = holes[holes > 0]
    if policy == "error":
        raise _gaps(frame, before, holes, grid, origin)
    within = np.arange(holes.sum()) - np.repeat(np.cumsum(holes) - holes, holes)
    filled = pd.DataFrame(
        {"unique_id": np.asarray(ids, dtype=object)[np.repeat(codes[before], holes)],
         "ds": grid.stamps(np.repeat(ordinals[before] + 1, holes) + within), "y": 0.0}
    )  # fmt: skip
    return pd.concat([frame, filled.reindex(columns=frame.columns)], ignore_index=True)


def _order(codes: IntArray, times: IntArray) -> IntArray:
    """The stable order by series and time; costs nothing but a look where the rows are in it."""
    step, time = np.diff(codes), np.diff(times)
    sorted_already: BoolArray = (step > 0) | ((step == 0) & (time >= 0))
    return np.arange(len(codes)) if bool(sorted_already.all()) else np.lexsort((times, codes))


def _twice(frame: pd.DataFrame, rows: IntArray, origin: Origin) -> DataError:
    shown = np.sort(rows)[:OFFENCES_KEPT]
    offences = [
        origin.offence(int(row), "ds", frame["ds"].iloc[row], "one row per series and step", str(frame["unique_id"].iloc[row]))
        for row in shown
    ]
    message = f"{len(rows)} rows repeat the series and time of another row; repair them, or declare `duplicates: last` or `mean`"
    return DataError(message, offences, len(rows))


def _gaps(frame: pd.DataFrame, before: IntArray, holes: AnyArray, grid: Frequency, origin: Origin) -> DataError:
    offences = [
        origin.offence(int(frame.index[row]), "ds", f"{frame['ds'].iloc[row]}, then {hole} steps without a row", f"no gaps at {grid.alias!r}",
                       str(frame["unique_id"].iloc[row]))
        for row, hole in list(zip(before, holes, strict=True))[:OFFENCES_KEPT]
    ]  # fmt: skip
    message = f"{len(before)} gaps, {int(holes.sum())} steps without a row in all; declare `gaps: missing` or `zero` to accept them"
    return DataError(message, offences, len(before))
