"""What a job wants tracked, kept on disk until MLflow takes it: tracking can be down without losing or delaying a forecast.

A record is written after the publication and sent later, by this run or the next. It must not raise because a server is away: the report
of `flush` says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import final

from forecast.core.errors import ForecastError, SinkError, UsageError
from forecast.tracking.rows import MetricRow
from forecast.tracking.store import Store, reaching
from forecast.tracking.tracker import Tracker

_FOLDER, _BROKEN = "_outbox", ".broken"
_KEY_TAG = "outbox_key"
_SECONDS = 30.0


@final
@dataclass(frozen=True, slots=True)
class RunRecord:
    """A finished run that is to be tracked.

    key: names the run; a record that arrives twice is one run.
    failure: the reason, where the run failed.
    texts: small files by name.
    """

    key: str
    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    failure: str | None = None


@final
@dataclass(frozen=True, slots=True)
class FlushReport:
    """What a flush did: records sent, records left, records that cannot be read, and why it stopped."""

    sent: int
    left: int
    broken: int
    reason: str = ""


@final
class Outbox:
    """Records in `<output>/_outbox`, oldest first."""

    def __init__(self, output: Path) -> None:
        self.folder = output / _FOLDER

    def put(self, record: RunRecord) -> Path:
        """Writes a record, whole or not at all, and returns its file; one with the same key is replaced.

        Raises:
            SinkError: it cannot be written.
            UsageError: it holds what JSON does not have.
        """
        path = self.folder / f"{hashlib.sha256(record.key.encode()).hexdigest()[:32]}.json"
        fresh = path.with_suffix(f".{uuid.uuid4().hex[:12]}.new")
        try:
            text = json.dumps(asdict(record), sort_keys=True, indent=1, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"the record {record.key!r} cannot be kept: {error}; leave out what is not a number or text"
            ) from error
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with fresh.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, path)
        except OSError as error:
            raise SinkError(
                f"the outbox {self.folder} cannot be written: {error.strerror}; check the disk and the permissions"
            ) from error
        return path

    def waiting(self) -> list[Path]:
        """Returns the files of the records that wait, oldest first."""
        return sorted(self.folder.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))

    def flush(self, send: Callable[[RunRecord], None], seconds: float = _SECONDS) -> FlushReport:
        """Sends what waits until all is sent, a sending fails or the time is up; what is sent is removed.

        One process flushes at a time; a second one leaves it to the first. A record that cannot be read is set aside.

        Args:
            send: Takes one record, and may get it a second time; `run_sender` makes one.
            seconds: No sending begins after this time.
        """
        from filelock import FileLock, Timeout

        if not self.folder.is_dir():
            return FlushReport(0, 0, 0)
        try:
            with FileLock(self.folder / ".lock", timeout=0):
                return self._flush(send, time.monotonic() + seconds)
        except Timeout:
            return FlushReport(0, len(self.waiting()), 0, "another process is sending")

    def _flush(self, send: Callable[[RunRecord], None], until: float) -> FlushReport:
        sent = broken = 0
        reason = ""
        for path in self.waiting():
            record = _read(path)
            if record is None:
                path.rename(path.with_suffix(_BROKEN))
                broken += 1
                continue
            reason = "the time is up" if time.monotonic() > until else _attempt(send, record)
            if reason:
                break
            path.unlink()
            sent += 1
        return FlushReport(sent, len(self.waiting()), broken, reason)


def run_sender(store: Store, experiment: str) -> Callable[[RunRecord], None]:
    """Returns the function that turns a record into a run of an experiment, once per key.

    It raises SinkError when MLflow cannot be reached. A run that was begun and not finished is begun anew.
    """
    tracker = Tracker(store, experiment)

    def send(record: RunRecord) -> None:
        digest = hashlib.sha256(record.key.encode()).hexdigest()
        with reaching(store.uri):
            found = store.client.get_experiment_by_name(experiment)
            runs = store.client.search_runs([found.experiment_id], f"tags.{_KEY_TAG} = '{digest}'", max_results=1) if found else []
            if runs and runs[0].info.status != "RUNNING":
                return
            if runs:  # begun, and not finished: begin anew
                store.client.delete_run(runs[0].info.run_id)
        run = tracker.start_model(record.name, parent=None, parameters=record.parameters, tags={**record.tags, _KEY_TAG: digest})
        tracker.log_rows(run, [MetricRow(name, value, 0) for name, value in record.metrics.items()])
        for name, text in record.texts.items():
            tracker.log_text(run, text, name)
        tracker.finish(run, record.failure)

    return send


def _attempt(send: Callable[[RunRecord], None], record: RunRecord) -> str:
    try:
        send(record)
    except ForecastError as error:
        return str(error)
    return ""


def _read(path: Path) -> RunRecord | None:
    try:
        return RunRecord(**json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        return None
