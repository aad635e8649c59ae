"""A small world to score: a daily panel, a forecaster that can be told to misbehave, and a request that ties them together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd

from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import Forecaster, Recipe, Weights
from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles
from forecast.scoring.request import Inputs, Rules, ScoreRequest
from forecast.storage.sources.source import Content, Source

RUN_DATE = date(2026, 3, 1)
LAST_DAY = pd.Timestamp("2026-02-28")
HORIZON = 3
LEVELS = (0.1, 0.5, 0.9)
DAILY = Frequency.parse("D", (7,))


@final
class FrameSource(Source):
    """A table in memory."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def read(self, content: Content = "history") -> pd.DataFrame:
        return self.frame.copy()

    def describe(self) -> str:
        return "the table"


class LastValue(Forecaster):
    """Forecasts the last observed value of each series; the ids named in `raises` and `nan` make it fail."""

    def __init__(
        self, *, raises: tuple[str, ...] = (), nan: tuple[str, ...] = (), absurd: tuple[str, ...] = (), name: str = "last"
    ) -> None:
        self.name = name
        self.horizon = HORIZON
        self.levels = LEVELS
        self.raises, self.nan, self.absurd = frozenset(raises), frozenset(nan), frozenset(absurd)
        self.asked: list[tuple[str, ...]] = []
        self.histories: list[Panel] = []

    def fit(self, panel: Panel) -> None:
        """Learns nothing."""

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        ids = tuple(str(i) for i in history.ids)
        self.asked.append(ids)
        self.histories.append(history)
        if self.raises & set(ids):
            raise ZeroDivisionError(f"cannot divide {sorted(self.raises & set(ids))}")
        last = np.array([_last(history.series(i)) for i in range(len(history))])
        if known_future is not None:
            last = last + known_future.require(history.ids, history.ends + 1, self.horizon).sum(axis=(1, 2))
        last[np.isin(history.ids, list(self.nan))] = np.nan
        last[np.isin(history.ids, list(self.absurd))] = 1e12
        mean = np.repeat(last[:, None], self.horizon, axis=1) * np.array([1.0, 1.01, 1.02])
        quantiles = mean[:, :, None] + np.array([-1.0, 0.0, 1.0])
        return ForecastFrame.build(history.frequency, self.name, self.levels, history.ids, history.ends, mean, quantiles)

    def recipe(self) -> Recipe:
        return {"kind": "last_value", "name": self.name}

    def weights(self) -> Weights:
        return {}

    def restore(self, weights: Weights) -> None:
        """Takes nothing."""


def _last(y: np.ndarray[Any, Any]) -> float:
    return float(y[np.isfinite(y)][-1])


@final
@dataclass(frozen=True)
class HeldModel:
    """A ModelSource that holds its model."""

    forecaster: Forecaster = field(default_factory=LastValue)
    version: str = "1"

    def fetch(self) -> tuple[Forecaster, str]:
        return self.forecaster, self.version


def table(ids: tuple[str, ...] | list[str], days: int = 21, end: pd.Timestamp = LAST_DAY) -> pd.DataFrame:
    """A daily table in which every series has its own level, weekly season and noise, fixed by its id."""
    stamps = pd.date_range(end=end, periods=days, freq="D").astype("datetime64[ns]")
    parts = []
    for unique_id in ids:
        seed = int.from_bytes(hashlib.sha256(unique_id.encode()).digest()[:4], "little")
        noise = np.random.default_rng(seed).normal(size=days)
        y = 20 + seed % 50 + 5 * np.sin(2 * np.pi * np.arange(days) / 7) + noise
        parts.append(pd.DataFrame({"unique_id": unique_id, "ds": stamps, "y": y}))
    return pd.concat(parts, ignore_index=True)


def names(count: int) -> list[str]:
    """Ids s0000, s0001, ..."""
    return [f"s{i:04d}" for i in range(count)]


def request(
    output: Path, frame: pd.DataFrame, forecaster: Forecaster | None = None, rules: Rules | None = None, roles: Roles | None = None,
    future: pd.DataFrame | None = None, version: str = "1", shard_series: int = 256,
) -> ScoreRequest:  # fmt: skip
    """A request for the forecasts of RUN_DATE."""
    inputs = Inputs(FrameSource(frame), DAILY, roles or Roles(), None if future is None else FrameSource(future))
    return ScoreRequest(output, RUN_DATE, inputs, HeldModel(forecaster or LastValue(), version), "the configuration", "0.1.0",
                        rules or Rules(), shard_series)  # fmt: skip


def with_frame(asked: ScoreRequest, frame: pd.DataFrame) -> ScoreRequest:
    """The same request on another table."""
    return replace(asked, inputs=replace(asked.inputs, source=FrameSource(frame)))


def published(output: Path) -> Path:
    """The file that readers see."""
    return output / f"run_date={RUN_DATE.isoformat()}" / "forecasts.parquet"


def contents(output: Path) -> Mapping[str, bytes]:
    """Every file below the folder, the lock and the metrics aside."""
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.name not in (".lock", "metrics.prom")
    }
