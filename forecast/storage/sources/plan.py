"""What to read of a table and under which names: the part of a source that does not depend on the file format.

It must not open files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, TypeAlias, final

from forecast.core.errors import ConfigError, DataError, InputMissing
from forecast.core.frequency import Frequency
from forecast.storage.sources.source import Content

Duplicates: TypeAlias = Literal["error", "last", "mean"]
Gaps: TypeAlias = Literal["missing", "error", "zero"]
Categorical: TypeAlias = tuple[str, ...] | Literal["auto"]

DUPLICATES: tuple[Duplicates, ...] = ("error", "last", "mean")
GAPS: tuple[Gaps, ...] = ("missing", "error", "zero")
_REQUIRED: Mapping[Content, tuple[str, ...]] = {
    "history": ("unique_id", "ds", "y"),
    "future": ("unique_id", "ds"),
    "static": ("unique_id",),
}


@final
@dataclass(frozen=True, slots=True)
class ReadPlan:
    """Names and policies of a source.

    columns: name in the library -> name in the file, for those that differ.
    covariates: names in the library; None takes every other column that holds numbers or booleans.
    categorical: those of them whose values are names: they are read as the text that they are. `auto` takes columns of text none of
    whose values is a number.
    date_format: as strptime has it; None reads ISO dates.
    grid: needed by the policies `error` and `zero` for gaps.
    """

    columns: Mapping[str, str]
    covariates: tuple[str, ...] | None
    date_format: str | None
    duplicates: Duplicates
    gaps: Gaps
    grid: Frequency | None
    categorical: Categorical = ()

    @classmethod
    def make(
        cls, columns: Mapping[str, str] | None, covariates: Sequence[str] | None, date_format: str | None, duplicates: Duplicates,
        gaps: Gaps, frequency: str | None, categorical: Categorical = (),
    ) -> ReadPlan:  # fmt: skip
        """Returns the plan of a source's arguments.

        Raises:
            ConfigError: a policy that does not exist, or one for gaps without the frequency that says what a gap is.
        """
        mistakes = []
        if duplicates not in DUPLICATES:
            mistakes.append(f"duplicates: {duplicates!r} is no policy; use one of {', '.join(DUPLICATES)}")
        if gaps not in GAPS:
            mistakes.append(f"gaps: {gaps!r} is no policy; use one of {', '.join(GAPS)}")
        elif gaps != "missing" and frequency is None:
            mistakes.append(f"gaps: the policy {gaps!r} needs `frequency`, which says where rows are missing")
        if mistakes:
            raise ConfigError("the source cannot be set up", mistakes)
        wanted = None if covariates is None else tuple(c for c in covariates if c not in _REQUIRED["history"])
        grid = None if frequency is None else Frequency.parse(frequency)
        return cls(dict(columns or {}), wanted, date_format, duplicates, gaps, grid, categorical)

    def names(self, header: Sequence[str], content: Content, file: str) -> dict[str, str]:
        """Returns name in the library -> name in the file for the columns to read of a file with the given header.

        Raises:
            InputMissing: a column is not there; the nearest name of the header is suggested.
            DataError: the header has a wanted column twice.
        """
        required = _REQUIRED[content]
        named = () if self.covariates is not None or self.categorical == "auto" else self.categorical
        wanted = {name: self.columns.get(name, name) for name in (*required, *(self.covariates or ()), *named)}
        missing = {name: column for name, column in wanted.items() if column not in header}
        if missing:
            raise InputMissing(_absent(missing, header, file))
        if self.covariates is None:
            wanted |= self._others(header, set(wanted.values()))
        twice = sorted({column for column in wanted.values() if header.count(column) > 1})
        if twice:
            raise DataError(f"{file} has the columns {twice} more than once; give each column a name of its own")
        return wanted

    def asked(self, name: str) -> bool:
        """Returns whether a column is read because the library or the user asked for it, and not because of what it holds."""
        return name in _REQUIRED["history"] or name in (self.covariates or ()) or self.named(name)

    def named(self, name: str) -> bool:
        """Returns whether a column was declared to hold names."""
        return self.categorical != "auto" and name in self.categorical

    def _others(self, header: Sequence[str], taken: set[str]) -> dict[str, str]:
        back = {column: name for name, column in self.columns.items()}
        others = {back.get(column, column): column for column in header if column not in taken}
        return {name: column for name, column in others.items() if name not in _REQUIRED["history"]}


def _absent(missing: Mapping[str, str], header: Sequence[str], file: str) -> str:
    lines = []
    for name, column in missing.items():
        near = nearest_name(column, header)
        hint = f"; nearest: {near!r}, as in columns: {{{name}: {near}}}" if near else ""
        lines.append(f"no column {column!r}{hint}")
    shown = ", ".join(repr(c) for c in header[:12]) + (", ..." if len(header) > 12 else "")
    return f"{file}: {' and '.join(lines)}. The table has {shown}; map names in `columns` of the source"


def nearest_name(name: str, known: Sequence[str]) -> str | None:
    """Returns the known name that is most like the given one, upper and lower case aside; None where none is."""
    by_lower = {k.lower(): k for k in reversed(known)}
    near = get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None
