"""The input contract: every series is accepted, quarantined with evidence, or stops the run, as the declared policies say.

All rules are checked before anything is refused, so that one run shows all offences. It must not repair anything that no policy
names, and it must not write files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pandas as pd

from forecast.core.arrays import BoolArray
from forecast.core.event_calendar import EventCalendar
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.core.series_ids import normal_id
from forecast.scoring.evidence import Action, Breach, Refusal, distinct, refusals, series_refusal, storable
from forecast.scoring.reading import Known, Placed
from forecast.scoring.request import Rules


@final
@dataclass(frozen=True, slots=True, eq=False)
class Accepted:
    """The series that can be forecast, and those that were refused. panel: every series has an observed value."""

    panel: Panel
    refused: tuple[Refusal, ...]


def accept(known: Known, frequency: Frequency, roles: Roles, rules: Rules, calendar: EventCalendar | None = None) -> Accepted:
    """Returns the panel of the series that keep the contract, and the refusals of the others.

    Raises:
        Breach: a rule is broken whose policy is `error`. It carries the evidence.
    """
    found = _row_refusals(known, roles, rules)
    refused = distinct(found)
    history = known.history.without(refused)
    history = _without_duplicates(history, rules.policies.duplicates, roles)
    found += _too_long(history, rules.bounds.longest_series, known.file)
    found += _without_static(history, known.static, roles, known.file)
    raise_breaches(found)
    history = history.without(distinct(found))
    panel = Panel.from_frame(history.rows.assign(ds=frequency.stamps(history.ordinals)), frequency, roles, known.static, calendar)
    silent = np.array([not np.isfinite(panel.series(i)).any() for i in range(len(panel))], dtype=bool)
    found += [series_refusal("no observed value", "quarantine", str(i), "all missing", "one observed value", known.file)
              for i in panel.ids[silent]]  # fmt: skip
    return Accepted(panel.take(np.flatnonzero(~silent)), tuple(found))


def raise_breaches(found: list[Refusal]) -> None:
    """Raises Breach if a refusal is an error."""
    defects = sorted({refusal.defect for refusal in found if refusal.action == "error"})
    if defects:
        raise Breach(
            f"the input breaks the contract: {', '.join(defects)}; repair the rows, or choose another policy for them", tuple(found)
        )


def _row_refusals(known: Known, roles: Roles, rules: Rules) -> list[Refusal]:
    """Refusals for what single rows do."""
    history, policies = known.history, rules.policies
    rows = history.rows

    def find(bad: BoolArray, defect: str, action: Action, column: str, rule: str) -> list[Refusal]:
        return refusals(history, bad, defect, action, column, rule, known.file) if bad.any() else []

    found = find(_unusable_ids(history), "no id", "error", "unique_id", "every row has an id that is text")
    found += find(~history.on_grid, "off grid", policies.off_grid, "ds", "a time stamp on the grid of the frequency")
    for column in (name for name in ("y", *roles.known, *roles.past) if name not in roles.categorical):
        found += find(~_usable_numbers(rows[column]), "not a number", policies.not_a_number, column, "a finite number, or missing")
    if policies.duplicates in ("error", "quarantine"):
        action: Action = "error" if policies.duplicates == "error" else "quarantine"
        again = history.on_grid.copy()
        again[history.on_grid] = _keys(history.where(history.on_grid)).duplicated().to_numpy()
        found += find(again, "duplicate", action, "ds", "one row per series and step")
    return found


def _unusable_ids(history: Placed) -> BoolArray:
    """Missing, or not text that can be stored. Asked once per id, not once per row."""
    bad = np.array([*(storable(unique_id) != unique_id for unique_id in history.ids), True], dtype=np.bool_)
    return np.asarray(bad[history.series], dtype=np.bool_)


def _keys(history: Placed) -> pd.DataFrame:
    """Series and step of each row, as numbers."""
    return pd.DataFrame({"series": history.series, "step": history.ordinals})


def _usable_numbers(column: pd.Series) -> BoolArray:
    """A number or missing; no text, no infinity."""
    if pd.api.types.is_bool_dtype(column):
        return np.ones(len(column), dtype=np.bool_)
    numbers = column if pd.api.types.is_numeric_dtype(column) else pd.to_numeric(column, errors="coerce")
    values = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(~np.isinf(values) & ~(np.isnan(values) & column.notna().to_numpy()), dtype=np.bool_)


def _without_duplicates(history: Placed, policy: str, roles: Roles) -> Placed:
    """Rows after the declared repair of duplicates; `error` and `quarantine` have left none."""
    if policy in ("error", "quarantine"):
        return history
    keys = _keys(history)
    last = ~keys.duplicated(keep="last").to_numpy()
    if policy == "last":
        return history.where(last)
    columns = [name for name in ("y", *roles.known, *roles.past) if name not in roles.categorical]  # the last name stays
    numbers = history.rows[columns].apply(pd.to_numeric).astype(np.float64).reset_index(drop=True)
    means = numbers.groupby([keys["series"], keys["step"]], sort=False).transform("mean")
    return replace(history, rows=history.rows.assign(**{name: means[name].to_numpy() for name in columns})).where(last)


def _too_long(history: Placed, longest: int, file: str) -> list[Refusal]:
    """Series whose first and last row are too far apart: between them the panel would be filled with missing values."""
    groups = _keys(history).groupby("series")["step"]
    spans = groups.max() - groups.min() + 1
    names, long = history.ids[spans.index.to_numpy()], spans.to_numpy()
    return [series_refusal("too long", "quarantine", str(name), f"{span} steps", f"at most {longest} steps", file)
            for name, span in zip(names, long, strict=True) if span > longest]  # fmt: skip


def _without_static(history: Placed, static: pd.DataFrame | None, roles: Roles, file: str) -> list[Refusal]:
    """Series that the static table does not have."""
    if not roles.static or static is None:
        return []
    table = {normal_id(unique_id) for unique_id in static["unique_id"]}
    absent = [str(unique_id) for unique_id in history.ids[np.unique(history.series)] if unique_id not in table]
    return [series_refusal("no static row", "quarantine", i, "absent", "one row in the static table", file) for i in absent]
