"""Many series on one grid of time, columnar and frozen: the type is the proof that the data are valid.

A Panel is built only by `Panel.from_frame` and by the methods of a Panel. 13 million rows cost what their numbers cost: no Python
object per row, none per series but its id. It must not know files, windows or models.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, final

import numpy as np
import pandas as pd

from forecast.core.arrays import FloatArray, IntArray, TextArray
from forecast.core.errors import DataError, UsageError
from forecast.core.event_calendar import EventCalendar
from forecast.core.frequency import Frequency

if TYPE_CHECKING:
    from forecast.core.known_future import KnownFuture


@final
@dataclass(frozen=True, slots=True)
class Roles:
    """Names of the covariate columns by what is known of them when a forecast is made.

    `known` are known over the horizon too (promotions), `past` only up to the cutoff (customers), `static` do not change.
    `categorical` are those of them whose values are names and not amounts, whatever they are written as.
    """

    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """N series end to end. Row r of series i is at ordinal `starts[i] + r - offsets[i]`; there are no gaps: missing is NaN.

    ids: text, ascending. Shape [N].
    offsets: first row of each series, followed by the number of rows. Shape [N + 1].
    starts: ordinal of each series' first row. Shape [N].
    y: observations, data units, NaN where missing. Shape [rows].
    known, past: covariates in the order of `roles`, NaN where missing. Shapes [rows, K], [rows, P].
    static: Shape [N, S].
    calendar: holidays and events, the same for all series.
    categories: the values of each categorical covariate, in the order of `roles.categorical`; its column holds places in them.
    """

    frequency: Frequency
    ids: TextArray
    offsets: IntArray
    starts: IntArray
    y: FloatArray
    known: FloatArray
    past: FloatArray
    static: FloatArray
    roles: Roles = field(default_factory=Roles)
    categories: tuple[tuple[str, ...], ...] = ()
    calendar: EventCalendar = field(default_factory=EventCalendar)

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, frequency: Frequency, roles: Roles | None = None, static: pd.DataFrame | None = None,
        calendar: EventCalendar | None = None,
    ) -> Panel:  # fmt: skip
        """Returns the panel of a long frame with columns unique_id, ds, y and the covariates that `roles` names.

        Rows may come in any order. Grid steps without a row become missing values (NaN) inside a series. Covariates must be
        numbers (booleans count as 0 and 1) unless `roles` calls them categorical.

        Args:
            frame: One row per series and step.
            frequency: The grid; every ds must lie on it.
            roles: Covariate columns; none by default.
            static: One row per unique_id with the static columns.
            calendar: Holidays and events; none by default.

        Raises:
            DataError: a missing column or id, a ds off the grid, the same (unique_id, ds) twice, a value that is not a finite
                number or NaN, a series without static row. All offences of the first broken rule are counted.
        """
        from forecast.core.panel_build import build_panel  # the checks have a module of their own

        return replace(build_panel(frame, frequency, roles or Roles(), static), calendar=calendar or EventCalendar())

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def rows(self) -> int:
        """Number of rows of all series together."""
        return len(self.y)

    @property
    def lengths(self) -> IntArray:
        """Rows of each series. Shape [N]."""
        return np.diff(self.offsets)

    @property
    def ends(self) -> IntArray:
        """Ordinal of each series' last row. Shape [N]."""
        return self.starts + self.lengths - 1

    @property
    def last_cutoff(self) -> int:
        """Ordinal of the last row of the series that ends last.

        Raises:
            UsageError: the panel has no series.
        """
        if not len(self):
            raise UsageError("an empty panel has no last cutoff")
        return int(self.ends.max())

    def until(self, cutoff: int | IntArray) -> Panel:
        """Returns the panel without the rows after a cutoff; series that begin after it are left out.

        Args:
            cutoff: Ordinal of the last row to keep, one for all or one per series [N].
        """
        keep = np.clip(np.minimum(self.ends, cutoff) - self.starts + 1, 0, None)
        return self._cut(self.offsets[:-1], keep)

    def after(self, cutoff: int | IntArray) -> Panel:
        """Returns the panel of the rows after a cutoff; series that end before it are left out.

        Args:
            cutoff: Ordinal of the last row to leave out, one for all or one per series [N].
        """
        first = np.clip(cutoff + 1 - self.starts, 0, self.lengths)
        return self._cut(self.offsets[:-1] + first, self.lengths - first)

    def tail(self, n: int) -> Panel:
        """Returns the panel with the last n rows of each series."""
        if n < 1:
            raise UsageError(f"tail of {n} rows: at least one is needed")
        keep = np.minimum(self.lengths, n)
        return self._cut(self.offsets[1:] - keep, keep)

    def select(self, ids: Sequence[str]) -> Panel:
        """Returns the panel of the given series, in ascending order of their ids.

        Raises:
            DataError: an id that the panel does not have.
        """
        wanted = np.array(sorted(set(ids)), dtype=object)
        position = np.searchsorted(self.ids, wanted) if len(self) else np.zeros(len(wanted), dtype=np.int64)
        found = np.array([p < len(self) and self.ids[p] == w for p, w in zip(position, wanted, strict=True)], dtype=bool)
        if not found.all():
            missing = wanted[~found]
            raise DataError(f"the panel has no series {list(missing[:5])} ({len(missing)} in all); it has {len(self)} series")
        return self.take(position)

    def take(self, positions: IntArray) -> Panel:
        """Returns the panel of the series at the given positions, which must ascend."""
        chosen = replace(self, ids=self.ids[positions], starts=self.starts[positions], static=self.static[positions],
                         offsets=np.append(self.offsets[positions], 0))  # fmt: skip
        return chosen._cut(self.offsets[positions], self.lengths[positions])

    def series(self, position: int) -> FloatArray:
        """Returns the observations of one series, as a view. Shape [rows of it]."""
        return self.y[self.offsets[position] : self.offsets[position + 1]]

    def to_frame(self) -> pd.DataFrame:
        """Returns the long frame: unique_id, ds, y and the known and past covariates, ordered by id and time."""
        lengths = self.lengths
        ordinals = np.repeat(self.starts - self.offsets[:-1], lengths) + np.arange(self.rows)
        frame = pd.DataFrame({"unique_id": np.repeat(self.ids, lengths), "ds": self.frequency.stamps(ordinals), "y": self.y})
        for names, values in ((self.roles.known, self.known), (self.roles.past, self.past)):
            for column, name in enumerate(names):
                frame[name] = values[:, column]
        return frame

    def known_future(self, after: int | IntArray) -> KnownFuture:
        """Returns the known covariates of the rows after a cutoff, for backtests on data that are all there.

        Args:
            after: Ordinal of the last row to leave out, one for all or one per series [N].
        """
        from forecast.core.known_future import KnownFuture

        first = np.clip(after + 1, self.starts, self.ends + 1)
        cut = self._cut(self.offsets[:-1] + first - self.starts, self.ends + 1 - first)
        lists = zip(self.roles.categorical, self.categories, strict=True)
        vocabulary = tuple((name, names) for name, names in lists if name in self.roles.known)
        return KnownFuture(self.roles.known, cut.ids, cut.offsets, cut.starts, cut.known, vocabulary)

    def fingerprint(self) -> str:
        """Returns the SHA-256 of everything in the panel: two panels are equal if and only if their fingerprints are."""
        roles = f"Roles(known={self.roles.known!r}, past={self.roles.past!r}, static={self.roles.static!r})"
        digest = hashlib.sha256(f"{self.frequency.alias}|{roles}|{len(self)}".encode())
        digest.update(json.dumps(self.ids.tolist()).encode())  # quoted: an id may hold any character
        if self.roles.categorical:
            digest.update(json.dumps([self.roles.categorical, self.categories]).encode())
        if self.calendar.names:
            digest.update(repr(self.calendar).encode())
        for array in (self.offsets, self.starts, self.y, self.known, self.past, self.static):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _cut(self, first: IntArray, keep: IntArray) -> Panel:
        """The panel of `keep[i]` rows from flat row `first[i]` on; series with none are left out."""
        some = keep > 0
        first, keep = first[some], keep[some]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])
        whole = bool(some.all()) and len(self.y) == offsets[-1] and bool((first == offsets[:-1]).all())
        rows = slice(None) if whole else np.repeat(first - offsets[:-1], keep) + np.arange(offsets[-1])
        starts = self.starts[some] + first - self.offsets[:-1][some]
        return replace(self, ids=self.ids[some], offsets=offsets, starts=starts, y=self.y[rows], known=self.known[rows],
                       past=self.past[rows], static=self.static[some])  # fmt: skip
