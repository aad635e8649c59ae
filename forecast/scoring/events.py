"""What a scoring run says while it works: one method for each event, so that the words and fields of the log are in one place.

It writes to the logger that it is handed; the command line decides on format and stream. It must not decide anything itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol, TextIO, cast, final

import structlog

from forecast.storage.sinks.sink import Footer


class Logger(Protocol):
    """The part of a structlog logger that a run needs."""

    def bind(self, **fields: Any) -> Logger:
        """Returns a logger whose events all carry the fields."""
        ...

    def info(self, event: str, **fields: Any) -> Any:
        """Logs an event of the usual course."""
        ...

    def warning(self, event: str, **fields: Any) -> Any:
        """Logs an event that somebody should look at."""
        ...

    def error(self, event: str, **fields: Any) -> Any:
        """Logs the end of a failed run."""
        ...


@final
class Silence:
    """A logger that says nothing: the default of a library."""

    def bind(self, **fields: Any) -> Silence:
        """Returns itself."""
        return self

    def info(self, event: str, **fields: Any) -> None:
        """Says nothing."""

    def warning(self, event: str, **fields: Any) -> None:
        """Says nothing."""

    def error(self, event: str, **fields: Any) -> None:
        """Says nothing."""


def stream_logger(stream: TextIO) -> Logger:
    """Returns a logger to a stream: aligned text on a terminal, one JSON object per line everywhere else."""
    last: Any = structlog.dev.ConsoleRenderer() if stream.isatty() else structlog.processors.JSONRenderer(sort_keys=True)
    steps = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True), last]
    return cast(Logger, structlog.wrap_logger(structlog.PrintLogger(stream), processors=steps))


@final
class Events:
    """The events of one run, each with the run date and, as soon as it is known, the run's key."""

    def __init__(self, logger: Logger, run_date: date) -> None:
        self._logger = logger.bind(run_date=run_date.isoformat())

    def keyed(self, key: str, model_version: str) -> None:
        """The run has its key: every later event carries it."""
        self._logger = self._logger.bind(run_key=key)
        self._logger.info("run started", model_version=model_version)

    def nothing_to_do(self, place: str) -> None:
        """The result of this run is published already."""
        self._logger.info("already published", place=place)

    def contract_checked(self, accepted: int, refused: int, lag: int) -> None:
        """The input contract has been checked."""
        self._logger.info("input checked", accepted=accepted, refused=refused, lag=lag)

    def stale(self, lag: int, series: int) -> None:
        """Observations are older than the declared warning."""
        self._logger.warning("input is stale", lag=lag, series=series)

    def evidence(self, path: str, refused: int) -> None:
        """Evidence of refused series was written."""
        self._logger.warning("series refused", evidence=path, series=refused)

    def model_failed(self, failed: Sequence[str], error: Exception, attempts: int) -> None:
        """The model raised in a batch. failed: series it cannot forecast even alone, maybe none; error: the first one."""
        self._logger.warning("model failed", series=len(failed), examples=list(failed[:5]), attempts=attempts,
                             error=type(error).__name__, message=_first_line(error))  # fmt: skip

    def shard(self, number: int, shards: int, series: int, resumed: bool) -> None:
        """A shard is finished, or was found finished."""
        self._logger.info("shard kept" if resumed else "shard scored", shard=number, of=shards, series=series)

    def published(self, place: str, footer: Footer) -> None:
        """The rename is done: readers see the new forecasts."""
        self._logger.info("published", place=place, rows=footer["rows"], **footer["counts"])

    def not_recorded(self, what: str, error: Exception) -> None:
        """Something that only describes the run could not be written; the forecasts are not touched by that."""
        self._logger.warning("not recorded", what=what, message=str(error))

    def failed(self, exit_code: int, error: BaseException) -> None:
        """The run ends without publishing."""
        self._logger.error("run failed", exit_code=exit_code, error=type(error).__name__, message=_first_line(error))


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:300]
