"""Real series that come with statsmodels, so that a real panel is at hand without a network.

Source of each: `statsmodels.datasets.<name>.SOURCE`; all of them are in the public domain. statsmodels is imported when a data set is read.
It must not change a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd

from forecast.core.arrays import AnyArray
from forecast.core.errors import ConfigError, InputMissing
from forecast.storage.sources.plan import nearest_name
from forecast.storage.sources.source import Content, Source


@final
@dataclass(frozen=True, slots=True)
class _Wide:
    """A data set as statsmodels has it, one column per series, with the stamps of its rows."""

    stamps: AnyArray
    series: pd.DataFrame


@final
@dataclass(frozen=True, slots=True)
class DataSet:
    """What a data set is: its frequency (give this one in the configuration) and what its series are."""

    frequency: str
    about: str
    wide: Callable[[pd.DataFrame], _Wide]


def _quarters(data: pd.DataFrame) -> _Wide:
    months = (data["year"].astype(int) - 1970) * 12 + (data["quarter"].astype(int) - 1) * 3
    return _Wide(_months(months.to_numpy()), data.drop(columns=["year", "quarter"]))


def _years(year: str) -> Callable[[pd.DataFrame], _Wide]:
    def wide(data: pd.DataFrame) -> _Wide:
        return _Wide(_months((data[year].astype(int).to_numpy() - 1970) * 12), data.drop(columns=[year]).rename(columns=str.lower))

    return wide


def _elnino(data: pd.DataFrame) -> _Wide:
    years = data["YEAR"].astype(int).to_numpy()
    months = ((years - 1970) * 12)[:, None] + np.arange(12)
    return _Wide(_months(months.reshape(-1)), pd.DataFrame({"elnino": data.drop(columns="YEAR").to_numpy().reshape(-1)}))


def _dated(data: pd.DataFrame) -> _Wide:
    return _Wide(data.index.to_numpy(), data)


def _months(months: AnyArray) -> AnyArray:
    """The first day of each month, counted from January 1970."""
    return np.asarray(months.astype("datetime64[M]").astype("datetime64[ns]"))


DATASETS: Mapping[str, DataSet] = {
    "macrodata": DataSet(
        "QS", "12 quarterly series of the economy of the United States, 1959 to 2009, seasonally adjusted", _quarters
    ),
    "elnino": DataSet("MS", "monthly sea surface temperature off Peru, 1950 to 2010", _elnino),
    "co2": DataSet("W-SAT", "weekly carbon dioxide on Mauna Loa, 1958 to 2001, with missing weeks", _dated),
    "sunspots": DataSet("YS", "yearly number of sunspots, 1700 to 2008", _years("YEAR")),
    "nile": DataSet("YS", "yearly flow of the Nile at Aswan, 1871 to 1970", _years("year")),
}


@final
class StatsmodelsSource(Source):
    """Reads a data set of statsmodels as a long table.

    dataset: one of `DATASETS`; `macrodata` is the one with many series.
    series: those to read; None reads all.
    """

    def __init__(self, dataset: str, series: tuple[str, ...] | None = None) -> None:
        if dataset not in DATASETS:
            near = nearest_name(dataset, list(DATASETS))
            hint = f"; nearest: {near!r}" if near else ""
            raise ConfigError(f"there is no data set {dataset!r}{hint}; use one of {', '.join(DATASETS)}")
        self._dataset, self._series = dataset, series

    @property
    def frequency(self) -> str:
        """The frequency of the data set."""
        return DATASETS[self._dataset].frequency

    def read(self, content: Content = "history") -> pd.DataFrame:
        """Returns unique_id (the name of the series), ds and y; see `Source.read`.

        Raises:
            InputMissing: a table other than the history, or a series that the data set does not have.
        """
        if content != "history":
            raise InputMissing(f"the data set {self._dataset!r} has no {content} table; it is a history alone")
        wide = DATASETS[self._dataset].wide(_load(self._dataset))
        names = [str(name) for name in wide.series.columns]
        chosen = names if self._series is None else list(self._series)
        absent = [name for name in chosen if name not in names]
        if absent:
            raise InputMissing(f"the data set {self._dataset!r} has no series {absent}; it has {', '.join(names)}")
        y = wide.series[chosen].to_numpy(dtype=np.float64)
        ids = np.repeat(np.array(chosen, dtype=object), len(y))
        return pd.DataFrame(
            {"unique_id": ids, "ds": np.tile(wide.stamps.astype("datetime64[ns]"), len(chosen)), "y": y.T.reshape(-1)}
        )

    def describe(self) -> str:
        """Returns one line for people."""
        return f"statsmodels {self._dataset}: {DATASETS[self._dataset].about}"


def _load(dataset: str) -> pd.DataFrame:
    from importlib import import_module

    return pd.DataFrame(import_module(f"statsmodels.datasets.{dataset}").load_pandas().data)
