"""The closed registry of sources: a configuration names a source by its kind, never by a path to code."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from forecast.storage.sources.csv_source import CsvSource
from forecast.storage.sources.parquet_source import ParquetSource
from forecast.storage.sources.source import Source
from forecast.storage.sources.sql_source import SqlSource
from forecast.storage.sources.statsmodels_source import StatsmodelsSource

SOURCES: Mapping[str, type[Source]] = MappingProxyType(
    {"csv": CsvSource, "parquet": ParquetSource, "sql": SqlSource, "statsmodels": StatsmodelsSource}
)
