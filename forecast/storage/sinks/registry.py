"""The closed registry of sinks: a configuration names a sink by its kind, never by a path to code.

`file`, the default, is not here: it shares its folder with the run's lock and shards and is made by the job.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from forecast.storage.sinks.sink import Sink
from forecast.storage.sinks.sql_sink import SqlSink

SINKS: Mapping[str, type[Sink]] = MappingProxyType({"sql": SqlSink})
