"""From the rows that a state carries to scaled values and naive paths, for one step: the normaliser and the paths written in numpy.

Two ways to the same numbers: one for rows without a gap, where sums are products with constants, and one with masks. It must not
know weights.
"""

from __future__ import annotations

import math
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from forecast.networks.normalisers.windowed_spread import FLOOR
from forecast.networks.one_step import Spread
from forecast.networks.path_table import PathTable

Values = NDArray[np.float64]
Scaled = NDArray[np.float32]
Flags = NDArray[np.bool_]


class ScaledRows(NamedTuple):
    """Rows in scaled units.

    z: 0 where missing. Shape [B, n]. seen: None where nothing is missing. Shape [B, n]. loc, scale: data units [B].
    naive: the paths in the table's order [B, R, H]. blocked: which get no weight; None where all do [B, R].
    statistics: after the step [B, 2].
    """

    z: Scaled
    seen: Flags | None
    loc: Values
    scale: Values
    naive: Scaled
    blocked: Flags | None
    statistics: Values


class _Windows(NamedTuple):
    """Sums over windows. level, recent, earlier [B]; with counts of what was observed in gapped rows."""

    level: Values
    recent: Values
    earlier: Values


@final
class RowReader:
    """Scales rows [B, n] of which the last is new.

    Args:
        paths, spread: Tables.
    """

    def __init__(self, paths: PathTable, spread: Spread, horizon: int) -> None:
        self.paths, self.spread = paths, spread
        n, (season, window, _, _) = paths.rows, spread
        self.ahead = np.arange(1, horizon + 1, dtype=np.float32)
        self.order = np.arange(n)
        self.members = (paths.means > 0).astype(np.float32)
        self.means = paths.means.astype(np.float32)
        self.now, self.before = slice(n - window, n), slice(n - window - season, n - season)
        self.equal = np.full(window, 1 / window)
        # Columns: the level, and the change of the level per step.
        self.sums = np.zeros((n, 2))
        self.sums[n - paths.level :, 0] = 1 / paths.level
        self.sums[n - paths.drift :, 1] = 1 / paths.drift**2
        self.sums[n - 2 * paths.drift : n - paths.drift, 1] = -1 / paths.drift**2
        self.count, self.last_and_cycles = len(paths.order), np.concatenate([np.full((1, horizon), n - 1), paths.cycles])

    def read(self, rows: Values, statistics: Values) -> ScaledRows:
        """Returns the rows in scaled units; statistics as before the step."""
        sums = np.dot(rows, self.sums)
        if math.isfinite(np.add.reduce(sums, axis=None)):  # a value that is missing makes every product missing
            return self._whole(rows, statistics, sums)
        return self._gapped(rows, statistics)

    def _whole(self, rows: Values, statistics: Values, sums: Values) -> ScaledRows:
        """Where all rows of all series were observed; then the level is loc, 0 in scaled units."""
        after = np.empty_like(statistics)
        np.add(statistics[:, 0], 1.0, out=after[:, 0])
        np.divide(statistics[:, 0] * statistics[:, 1] + np.abs(rows[:, -1]), after[:, 0], out=after[:, 1])
        difference = rows[:, self.now] - rows[:, self.before]
        np.abs(difference, out=difference)
        scale = np.maximum(np.dot(difference, self.equal), FLOOR * after[:, 1])
        loc, safe = sums[:, 0], scale + (scale == 0)
        z = ((rows - loc[:, None]) / safe[:, None]).astype(np.float32)
        first = len(self.last_and_cycles)
        naive = np.zeros((len(z), self.count, len(self.ahead)), np.float32)
        naive[:, :first] = z.take(self.last_and_cycles, axis=1)
        if len(self.means):
            np.matmul(self.means, naive[:, 1:first], out=naive[:, first:-2])
        drift = naive[:, -2]
        np.multiply(self.ahead, (sums[:, 1] / safe)[:, None], out=drift)
        drift += z[:, -1:]
        return ScaledRows(z, None, loc, scale, naive, None, after)

    def _gapped(self, rows: Values, statistics: Values) -> ScaledRows:
        seen = ~np.isnan(rows)
        values = np.where(seen, rows, 0.0)
        after = _counted(values[:, -1], seen[:, -1], statistics)
        place = np.where(seen, self.order, -1)
        level, slope, has_level, has_drift = self._levels(values, seen)
        near = place[:, self.spread.first :].max(axis=1)
        loc = np.where(has_level, level, np.where(near >= 0, _at(values, near), 0.0))
        scale = np.maximum(self._spread_of(values, seen), FLOOR * after[:, 1])
        safe = np.where(scale > 0, scale, 1.0)
        z = np.where(seen, (values - loc[:, None]) / safe[:, None], 0.0).astype(np.float32)
        newest = place.max(axis=1)
        last, there = _at(z, newest), newest >= self.paths.oldest
        cycles, found = self._cycles(z, place)
        count = np.matmul(self.members, found.astype(np.float32))
        sums = np.matmul(self.members, np.where(found, cycles, 0.0))
        filled = [
            np.where(found, cycles, last[:, None, None]),
            np.where(count > 0, sums / np.maximum(count, 1), last[:, None, None]),
        ]
        drift = last[:, None] + (slope / safe).astype(np.float32)[:, None] * self.ahead
        flat = np.where(has_level, 0.0, last)[:, None, None]
        shape = (len(z), 1, len(self.ahead))
        parts = [np.broadcast_to(last[:, None, None], shape), *filled, drift[:, None], np.broadcast_to(flat, shape)]
        flags = [
            there[:, None],
            found.any(axis=2),
            (count > 0).any(axis=2),
            (there & has_drift)[:, None],
            (there & has_level)[:, None],
        ]
        available = np.concatenate(flags, axis=1)
        blocked = ~available & available.any(axis=1, keepdims=True)
        return ScaledRows(z, seen, loc, scale, np.concatenate(parts, axis=1, dtype=np.float32), blocked, after)

    def _levels(self, values: Values, seen: Flags) -> tuple[Values, Values, Flags, Flags]:
        """Level, its change per step, and whether there is anything to make either from, each [B]."""
        n, level, drift = self.paths.rows, self.paths.level, self.paths.drift
        windows = (slice(n - level, n), slice(n - drift, n), slice(n - 2 * drift, n - drift))
        counts = [seen[:, window].sum(axis=1) for window in windows]
        now, recent, earlier = (values[:, w].sum(axis=1) / np.maximum(c, 1) for w, c in zip(windows, counts, strict=True))
        return now, (recent - earlier) / drift, counts[0] > 0, (counts[1] > 0) & (counts[2] > 0)

    def _spread_of(self, values: Values, seen: Flags) -> Values:
        """The mean seasonal difference, of neighbours where there are few. Shape [B]."""
        season, window, fewest, _ = self.spread
        mean, count = _differences(values, seen, season, window)
        return mean if season == 1 else np.where(count >= fewest, mean, _differences(values, seen, 1, window)[0])

    def _cycles(self, z: Scaled, place: NDArray[np.int64]) -> tuple[Scaled, Flags]:
        """Each step of each cycle, filled with older values of its phase, and whether there is one. Shape [B, G, H]."""
        padded = np.concatenate([place, np.full((len(place), 1), -1)], axis=1)
        best = padded[:, self.paths.candidates].max(axis=-1)
        rows = np.arange(len(z))[:, None, None]
        return z[rows, np.maximum(best, 0)], best >= 0


def _differences(values: Values, seen: Flags, lag: int, window: int) -> tuple[Values, NDArray[np.int64]]:
    n = values.shape[1]
    now, before = slice(n - window, n), slice(n - window - lag, n - lag)
    both = seen[:, now] & seen[:, before]
    count = both.sum(axis=1)
    total = np.where(both, np.abs(values[:, now] - values[:, before]), 0.0).sum(axis=1)
    return total / np.maximum(count, 1), count


def _counted(y: Values, seen: Flags, statistics: Values) -> Values:
    """Count and mean of |y| after one more value. Shape [B, 2]."""
    count = statistics[:, 0] + seen
    mean = (statistics[:, 1] * statistics[:, 0] + np.abs(y)) / np.maximum(count, 1)
    return np.stack([count, mean], axis=1)


def _at(values: NDArray[np.floating], columns: NDArray[np.int64]) -> NDArray[np.floating]:
    return values[np.arange(len(values)), np.maximum(columns, 0)]
