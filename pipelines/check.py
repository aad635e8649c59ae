"""`forecast check`: the input contract of a configuration's data; every offence with file, row, column, value and rule.

All tables are looked at, also after one has failed. It must not repair anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pandas as pd

from forecast.config.sections import Config
from forecast.core.errors import DataError, Offence
from forecast.core.panel import Panel
from forecast.factory import build_calendar, build_frequency, build_roles, future_source, history_source, read_future, static_source
from forecast.storage.bundle_profile import training_profile
from forecast.storage.sources.evidence import naming_rows
from pipelines.console import Console
from pipelines.tables import stamp_text

Read = TypeVar("Read")
_COLUMNS = ("file", "row", "series", "column", "value", "rule")


def check(config: Config) -> Panel:
    """Returns the panel of data that keep the contract.

    Raises:
        DataError: with the offences of all tables; its exit code is that of the first error.
    """
    data, frequency = config.data, build_frequency(config.data)
    errors: list[DataError] = []
    static, future = static_source(data), future_source(data)
    table = None if static is None else _try(lambda: static.read("static"), errors)
    rows = _try(lambda: history_source(data).read("history"), errors)
    panel = None
    if rows is not None and (table is not None or static is None):
        with_roles = build_roles(data)
        panel = _try(
            lambda: _named(rows, lambda: Panel.from_frame(rows, frequency, with_roles, table, build_calendar(data))), errors
        )
    if future is not None:
        known = _try(lambda: read_future(data), errors)
        if known is not None and panel is not None and config.task is not None:
            horizon, checked = config.task.horizon, panel
            _try(lambda: known.require(checked.ids, checked.ends + 1, horizon), errors)
    if errors or panel is None:
        raise _joined(errors)
    return panel


def show_offences(error: DataError, console: Console) -> None:
    """Writes the offences that an error kept to stdout, one row each."""
    if error.offences:
        rows = [[_text(value) for value in _cells(offence)] for offence in error.offences]
        console.table(f"{error.total} offence{'s' if error.total != 1 else ''}", _COLUMNS, rows, right=["row"])


def show_summary(panel: Panel, console: Console) -> None:
    """Writes what a panel looks like to stdout."""
    profile = training_profile(panel)
    observed = np.array([np.isfinite(panel.series(i)).sum() for i in range(len(panel))])
    constant = sum(
        1 for i in range(len(panel)) if np.nanmax(panel.series(i), initial=-np.inf) == np.nanmin(panel.series(i), initial=np.inf)
    )
    lengths = panel.lengths
    rows = [
        ("series", f"{len(panel):,}"),
        ("rows", f"{panel.rows:,}"),
        ("frequency", f"{panel.frequency.alias}, seasons {list(panel.frequency.season_lengths) or 'none'}"),
        ("from, to", f"{stamp_text(profile['first'])}, {stamp_text(profile['last'])}"),
        ("rows of a series", f"{lengths.min():,} to {lengths.max():,}, median {int(np.median(lengths)):,}"),
        ("missing inside series", f"{profile['missing_share'] or 0:.2%}"),
        ("zeros", f"{profile['zero_share'] or 0:.2%}"),
        ("negative", f"{profile['negative_share'] or 0:.2%}"),
        ("series that end before the last", f"{int((panel.ends < panel.last_cutoff).sum()):,}"),
        ("series without any value", f"{int((observed == 0).sum()):,}"),
        ("constant series", f"{constant:,}"),
        ("covariates", ", ".join([*panel.roles.known, *panel.roles.past, *panel.roles.static]) or "none"),
        ("fingerprint", panel.fingerprint()[:16]),
    ]
    console.table("The data keep the contract", ["what", "found"], rows)


def _try(read: Callable[[], Read], errors: list[DataError]) -> Read | None:
    try:
        return read()
    except DataError as error:
        errors.append(error)
        return None


def _named(rows: pd.DataFrame, build: Callable[[], Read]) -> Read:
    with naming_rows(rows):
        return build()


def _joined(errors: list[DataError]) -> DataError:
    if len(errors) == 1:
        return errors[0]
    offences = [offence for error in errors for offence in error.offences]
    message = "\n".join(str(error).splitlines()[0] for error in errors)
    return type(errors[0])(f"{len(errors)} tables break the contract:\n{message}", offences, sum(error.total for error in errors))


def _cells(offence: Offence) -> tuple[object, ...]:
    return (offence.file, offence.row, offence.unique_id, offence.column, offence.value, offence.rule)


def _text(value: object) -> str:
    return "-" if value is None else str(value)
