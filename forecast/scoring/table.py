"""The published table: its columns, and how forecasts become its rows. It must not hold the time of day of a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import final

import numpy as np
import pyarrow as pa

from forecast.core.arrays import TextArray
from forecast.core.forecast_frame import quantile_column
from forecast.core.frequency import Frequency
from forecast.scoring.guard import Forecasts


@final
@dataclass(frozen=True, slots=True)
class TableForm:
    """What all rows of a run share.

    cutoff: ordinal; step 1 is the next one.
    """

    run_date: date
    frequency: Frequency
    cutoff: int
    horizon: int
    levels: tuple[float, ...]
    model_version: str

    @property
    def quantile_columns(self) -> tuple[str, ...]:
        """Names of the quantile columns, by ascending level."""
        return tuple(quantile_column(level) for level in self.levels)

    def cutoff_text(self) -> str:
        """Returns the stamp of the cutoff, as text without fractions of a second."""
        stamp = self.frequency.stamps(np.array([self.cutoff]))[0]
        return str(stamp if self.frequency.is_integer else stamp.astype("datetime64[s]"))

    def schema(self) -> pa.Schema:
        """Returns the columns of the table.

        `run_date` is a dictionary of text because the folder `run_date=...` above the file names the same column, and a reader of
        the whole folder gets it in that type: another one could not be merged with it.
        """
        time = pa.int64() if self.frequency.is_integer else pa.timestamp("us")
        return pa.schema(
            [("run_date", pa.dictionary(pa.int32(), pa.string())), ("unique_id", pa.string()), ("cutoff", time), ("ds", time),
             ("step", pa.int32()), ("mean", pa.float64()), *((name, pa.float64()) for name in self.quantile_columns),
             ("model", pa.string()), ("model_version", pa.string()), ("status", pa.string()), ("reason", pa.string())]
        )  # fmt: skip

    def rows(self, forecasts: Forecasts) -> pa.Table:
        """Returns one row per series and step, ordered by both."""
        series, horizon = forecasts.mean.shape
        count = series * horizon
        steps = np.tile(np.arange(1, horizon + 1), series)

        def repeated(text: TextArray) -> pa.Array:
            return pa.array(np.repeat(text, horizon), pa.string())

        run_date = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([self.run_date.isoformat()]))
        columns = [
            run_date, repeated(forecasts.ids), self._times(np.zeros(count, np.int64)), self._times(steps), pa.array(steps, pa.int32()),
            pa.array(forecasts.mean.reshape(-1)), *(pa.array(forecasts.quantiles[:, :, q].reshape(-1)) for q in range(len(self.levels))),
            repeated(forecasts.model), pa.array([self.model_version], pa.string()).take(pa.array(np.zeros(count, np.int64))),
            repeated(forecasts.status), repeated(forecasts.reason),
        ]  # fmt: skip
        return pa.Table.from_arrays(columns, schema=self.schema())

    def _times(self, steps: np.ndarray) -> pa.Array:
        stamps = self.frequency.stamps(self.cutoff + steps)
        return pa.array(stamps if self.frequency.is_integer else stamps.astype("datetime64[us]"))

    def target_stamps(self) -> pa.Array:
        """Returns the stamps of steps 1...H as they stand in the table. Shape [H]."""
        return self._times(np.arange(1, self.horizon + 1))
