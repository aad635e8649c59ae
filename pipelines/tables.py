"""Cells and columns of the tables on stdout. It must not write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

_BETWEEN = 2  # blanks between columns


def numbers(frame: pd.DataFrame, digits: int = 3) -> list[list[str]]:
    """Returns the cells of a table as text: numbers with the given digits, `-` where there is none."""
    return [[_cell(value, digits) for value in row] for row in frame.itertuples(index=False, name=None)]


def stamp_text(stamp: object) -> str:
    """Returns a time stamp without the parts that are zero: `2026-05-03`, `2026-05-03 14:00:00`; whole-number time as it is."""
    return str(stamp).removesuffix(".000000000").replace("T", " ").removesuffix(" 00:00:00")


def columns_that_fit(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, spare: Sequence[str]) -> list[str]:
    """Returns the columns to show in a width, in their order: spare ones go, the first of them first, until the rest fits.

    Args:
        columns: Headings.
        rows: Cells.
        width: Characters of a line.
        spare: Columns that can be left out, least important first.
    """
    widths = {
        column: max([len(column), *(len(row[position]) for row in rows)]) + _BETWEEN for position, column in enumerate(columns)
    }
    kept = list(columns)
    for column in spare:
        if sum(widths[name] for name in kept) <= width:
            break
        if column in kept:
            kept.remove(column)
    return kept


def _cell(value: Any, digits: int) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return "-"
    return f"{value:,.{digits}f}" if isinstance(value, float) else str(value)
