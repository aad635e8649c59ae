"""The known covariates after the cutoff: what a forecast with promotions or prices needs beside the history.

It must not hold observations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd

from forecast.core.arrays import FloatArray, IntArray, TextArray
from forecast.core.errors import DataError
from forecast.core.frequency import Frequency


@final
@dataclass(frozen=True, slots=True, eq=False)
class KnownFuture:
    """Known covariates of future steps, columnar as in Panel.

    names: the K columns. ids, offsets, starts: as in Panel. values: NaN where unknown. Shape [rows, K].
    vocabulary: the categorical ones of them, each with the list of names that its values are places in.
    """

    names: tuple[str, ...]
    ids: TextArray
    offsets: IntArray
    starts: IntArray
    values: FloatArray
    vocabulary: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, frequency: Frequency, names: tuple[str, ...], categorical: tuple[str, ...] = ()
    ) -> KnownFuture:
        """Returns the known covariates of a long frame with unique_id, ds and the columns `names`.

        Args:
            frame: One row per series and step.
            frequency: The grid.
            names: The K columns.
            categorical: Those of them that hold names; others may be among them.

        Raises:
            DataError: as in `Panel.from_frame`.
        """
        from forecast.core.panel import Panel, Roles

        roles = Roles(known=names, categorical=tuple(name for name in categorical if name in names))
        panel = Panel.from_frame(frame.assign(y=np.nan), frequency, roles)
        vocabulary = tuple(zip(roles.categorical, panel.categories, strict=True))
        return cls(names, panel.ids, panel.offsets, panel.starts, panel.known, vocabulary)

    def window(self, ids: TextArray, firsts: IntArray, horizon: int) -> FloatArray:
        """Returns the values at `horizon` steps from ordinal `firsts[i]` on, for each of the given series.

        Returns:
            NaN where the frame has no row. Shape [len(ids), horizon, K].
        """
        out = np.full((len(ids), horizon, len(self.names)), np.nan)
        if not len(self.ids):
            return out
        position = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        steps = firsts[:, None] + np.arange(horizon) - self.starts[position][:, None]
        there = (self.ids[position] == ids)[:, None] & (steps >= 0) & (steps < np.diff(self.offsets)[position][:, None])
        out[there] = self.values[(self.offsets[position][:, None] + steps)[there]]
        return out

    def require(self, ids: TextArray, firsts: IntArray, horizon: int) -> FloatArray:
        """Returns `window`, after checking that the column values of the whole horizon are there.

        Raises:
            DataError: a series without a value at some step of the horizon.
        """
        values = self.window(ids, firsts, horizon)
        holes = np.isnan(values).any(axis=(1, 2))
        if holes.any():
            names = [str(i) for i in ids[holes][:5]]
            raise DataError(
                f"known covariates {list(self.names)} are missing inside the horizon of {horizon} steps "
                f"for series {names} ({int(holes.sum())} in all); give a row for every series and step after the cutoff"
            )
        return values
