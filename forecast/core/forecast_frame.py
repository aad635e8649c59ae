"""What a forecast is: for each series and cutoff, the mean and the quantiles of every step, complete, finite and in order.

It must not know how a forecast was made, nor where it goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pandas as pd

from forecast.core.arrays import AnyArray, FloatArray, IntArray, TextArray
from forecast.core.errors import ModelError
from forecast.core.frequency import Frequency

OK = "ok"
FALLBACK = "fallback"


def quantile_column(level: float) -> str:
    """Returns the column name of a quantile level: 0.1 -> `q0.1`."""
    return f"q{level:g}"


@final
@dataclass(frozen=True, slots=True, eq=False)
class ForecastFrame:
    """R forecasts of H steps, columnar; `to_frame()` is the table that users see.

    ids: one per forecast; the same id may come with several cutoffs. Shape [R].
    cutoffs: ordinal of the last known step. Shape [R].
    mean: data units. Shape [R, H].
    quantiles: data units, ascending along Q. Shape [R, H, Q].
    status: `ok` or `fallback`. Shape [R].
    reason: why a fallback was used, empty otherwise. Shape [R].

    Raises:
        ModelError: shapes that disagree, a value that is not finite, quantiles that cross.
    """

    frequency: Frequency
    model: str
    levels: tuple[float, ...]
    ids: TextArray
    cutoffs: IntArray
    mean: FloatArray
    quantiles: FloatArray
    status: TextArray
    reason: TextArray

    def __post_init__(self) -> None:
        rows, horizon = self.mean.shape
        if self.quantiles.shape != (rows, horizon, len(self.levels)) or {
            len(a) for a in (self.ids, self.cutoffs, self.status, self.reason)
        } != {rows}:
            raise ModelError(
                f"{self.model}: {rows} means of {horizon} steps beside quantiles of shape {self.quantiles.shape} and {len(self.ids)} ids"
            )
        broken = ~(np.isfinite(self.mean).all(axis=1) & np.isfinite(self.quantiles).all(axis=(1, 2)))
        if broken.any():
            raise ModelError(
                f"{self.model}: {int(broken.sum())} forecasts are not finite, among them {[str(i) for i in self.ids[broken][:5]]}"
            )
        crossed = (np.diff(self.quantiles, axis=2) < 0).any(axis=(1, 2))
        if crossed.any():
            raise ModelError(
                f"{self.model}: quantiles cross in {int(crossed.sum())} forecasts, among them {[str(i) for i in self.ids[crossed][:5]]}"
            )

    @classmethod
    def build(
        cls, frequency: Frequency, model: str, levels: Sequence[float], ids: TextArray, cutoffs: IntArray, mean: FloatArray,
        quantiles: FloatArray,
    ) -> ForecastFrame:  # fmt: skip
        """Returns a frame whose forecasts are all `ok`. Quantiles are sorted along the levels. Shapes as in the class."""
        status, reason = np.full(len(ids), OK, dtype=object), np.full(len(ids), "", dtype=object)
        return cls(frequency, model, tuple(levels), ids, cutoffs, mean, np.sort(quantiles, axis=2), status, reason)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def horizon(self) -> int:
        """H, the number of steps of each forecast."""
        return int(self.mean.shape[1])

    def take(self, positions: IntArray) -> ForecastFrame:
        """Returns the forecasts at the given positions."""
        return replace(self, ids=self.ids[positions], cutoffs=self.cutoffs[positions], mean=self.mean[positions],
                       quantiles=self.quantiles[positions], status=self.status[positions], reason=self.reason[positions])  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """Returns one row per (unique_id, cutoff, ds): step, mean, a column per level, model, status and reason."""
        horizon = self.horizon
        steps = np.tile(np.arange(1, horizon + 1), len(self))
        cutoffs = np.repeat(self.cutoffs, horizon)
        frame = pd.DataFrame(
            {"unique_id": np.repeat(self.ids, horizon), "cutoff": self.frequency.stamps(cutoffs),
             "ds": self.frequency.stamps(cutoffs + steps), "step": steps, "mean": self.mean.reshape(-1)}
        )  # fmt: skip
        for column, level in enumerate(self.levels):
            frame[quantile_column(level)] = self.quantiles[:, :, column].reshape(-1)
        return frame.assign(model=self.model, status=np.repeat(self.status, horizon), reason=np.repeat(self.reason, horizon))

    @staticmethod
    def concatenate(frames: Sequence[ForecastFrame]) -> ForecastFrame:
        """Returns the forecasts of several frames of one model, end to end.

        Raises:
            ModelError: no frames, or frames that differ in model, levels or horizon.
        """
        if not frames or any(
            (f.model, f.levels, f.horizon) != (frames[0].model, frames[0].levels, frames[0].horizon) for f in frames
        ):
            raise ModelError("only forecasts of one model, with the same levels and horizon, can be put end to end")

        def joined(name: str) -> AnyArray:
            return np.concatenate([getattr(frame, name) for frame in frames])

        return replace(frames[0], ids=joined("ids"), cutoffs=joined("cutoffs"), mean=joined("mean"), quantiles=joined("quantiles"),
                       status=joined("status"), reason=joined("reason"))  # fmt: skip
