"""Digests of what was read of each series, so that a history that was restated is seen without keeping it.

A digest is the sum of one 64-bit number for each row, made from its time, its value and its covariates; sums can be carried on, taken
apart and worked out for 13 million rows at once. It guards against accidents, not against people who look for collisions.
"""

from __future__ import annotations

from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.panel import Panel

DigestArray: TypeAlias = NDArray[np.uint64]

ROWS_AT_ONCE = 1 << 18


@final
class RowDigests:
    """The digests of all ranges of rows of a panel, each a difference of two running sums.

    A step with no value at all, observation or covariate, counts as no row: padding with missing steps changes nothing. Digests of
    neighbouring ranges add up to that of both, modulo 2^64.

    Args:
        panel: N series.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._sums = np.zeros(panel.rows + 1, np.uint64)
        for begin in range(0, panel.rows, ROWS_AT_ONCE):
            rows = slice(begin, min(begin + ROWS_AT_ONCE, panel.rows))
            self._sums[rows.start + 1 : rows.stop + 1] = _row_numbers(panel, rows)
        np.cumsum(self._sums, out=self._sums)  # modulo 2^64

    def between(self, firsts: IntArray, lasts: IntArray) -> DigestArray:
        """Returns the digest of the rows firsts[i]...lasts[i] of each series, of those that there are. Ordinals, shape [N]."""
        panel = self.panel
        low = np.clip(firsts - panel.starts, 0, panel.lengths)
        high = np.clip(lasts + 1 - panel.starts, low, panel.lengths)
        sums: DigestArray = self._sums[panel.offsets[:-1] + high] - self._sums[panel.offsets[:-1] + low]
        return sums


def _row_numbers(panel: Panel, rows: slice) -> DigestArray:
    """One number for each of some flat rows; 0 where there is no value."""
    flat = np.arange(rows.start, rows.stop)
    series = np.searchsorted(panel.offsets, flat, side="right") - 1
    mixed = _mix((panel.starts[series] + flat - panel.offsets[series]).astype(np.uint64))
    empty = np.ones(len(flat), dtype=bool)
    for column in (panel.y[rows], *panel.known[rows].T, *panel.past[rows].T):
        missing = np.isnan(column)
        empty &= missing
        mixed = _mix(mixed ^ _bits(column, missing))
    mixed[empty] = 0
    return mixed


def _bits(column: FloatArray, missing: NDArray[np.bool_]) -> DigestArray:
    """The bits of floats, the same for both zeros and for every NaN."""
    return np.where(missing, np.nan, column + 0.0).view(np.uint64)


def _mix(x: DigestArray) -> DigestArray:
    """Spreads every bit over all 64: the finaliser of Steele, Lea & Flood (2014), OOPSLA, "Fast splittable random generators"."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
