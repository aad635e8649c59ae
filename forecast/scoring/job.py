"""The publish protocol: one run either publishes one whole, checked result or leaves the last one untouched.

The order of the steps is the promise; each may be the last one before the machine dies. It must not know YAML, MLflow or a command
line: the model, the data and the logger are handed in.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeVar, final

import numpy as np
import pyarrow as pa

from forecast.core.errors import DataError, SinkError
from forecast.scoring.accounting import account, keep_fallback_gate, keep_quarantine_gate, keep_size_gate
from forecast.scoring.audit import audit, fallback_reasons
from forecast.scoring.contract import accept
from forecast.scoring.events import Events, Logger, Silence
from forecast.scoring.evidence import Refusal, distinct, evidence_of, evidence_table
from forecast.scoring.guard import GuardedModel
from forecast.scoring.key import NO_STATE, model_digest, run_key
from forecast.scoring.metrics import RunNumbers, write_metrics
from forecast.scoring.preparation import Prepared, prepare
from forecast.scoring.reading import Known, read_known
from forecast.scoring.request import BATCH_SERIES, ScoreReport, ScoreRequest
from forecast.scoring.shards import ShardStore
from forecast.scoring.stopping import StopFlag, stoppable
from forecast.scoring.table import TableForm
from forecast.storage.sinks.disk import Checkpoint, Disk, no_checkpoint
from forecast.storage.sinks.file_sink import FileSink, parquet_writer
from forecast.storage.sinks.lock import exclusive
from forecast.storage.sinks.sink import Footer, Sink

Read = TypeVar("Read")

FORMAT = 1
"""Version of the published table and its footer."""


@final
@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run touches beside its output, and what no output depends on.

    logger: gets the events of the run.
    metrics_file: for a monitoring system; `_runs/metrics.prom` in the output folder by default.
    clock: seconds since 1970.
    checkpoint: passed before every step on the disk; the fault tests stop there.
    """

    logger: Logger = field(default_factory=Silence)
    metrics_file: Path | None = None
    clock: Callable[[], float] = time.time
    checkpoint: Checkpoint = no_checkpoint


def run_score(request: ScoreRequest, surroundings: Surroundings | None = None) -> ScoreReport:
    """Publishes the forecasts of one run date, or finds them published.

    Safe to call again after any end whatever, a kill included: what is finished is kept and the same inputs give the same bytes.

    Raises:
        ForecastError: nothing was published and the last result is untouched; `exit_code` says why (see forecast.core.errors).
        Terminated: SIGTERM came. Finished shards are kept. Not an Exception: a command line catches it by its name.
    """
    around = surroundings or Surroundings()
    events = Events(around.logger, request.run_date)
    disk = Disk(request.output, around.checkpoint)
    metrics = around.metrics_file or request.output / "_runs" / "metrics.prom"
    with stoppable() as stop, exclusive(request.output / ".lock"), _Recorder(disk, metrics, around.clock, events) as recorder:
        recorder.report = _Run(request, disk, events, stop).publish()
    return recorder.report


@final
class _Recorder:
    """Writes the metrics file when the run ends, however it ends; a metrics file that cannot be written changes nothing else."""

    def __init__(self, disk: Disk, path: Path, clock: Callable[[], float], events: Events) -> None:
        self.report: ScoreReport
        self._disk, self._path, self._clock, self._events = disk, path, clock, events

    def __enter__(self) -> _Recorder:
        self._started = self._clock()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        exit_code = 0 if error is None else exit_code_of(error)
        if error is not None:
            self._events.failed(exit_code, error)
        now = self._clock()
        with _only_recording("metrics", self._events):
            write_metrics(self._disk, self._path, RunNumbers(exit_code, now, now - self._started, None if error else self.report))


def exit_code_of(error: BaseException) -> int:
    """Returns the exit code of a job that ended with this error."""
    return int(getattr(error, "exit_code", 130 if isinstance(error, KeyboardInterrupt) else 70))


@contextmanager
def _only_recording(what: str, events: Events) -> Iterator[None]:
    """After the commit nothing may turn a published run into a failed one; what is missing is written by the next run."""
    try:
        yield
    except SinkError as error:
        events.not_recorded(what, error)


@final
class _Run:
    """One run that holds the lock."""

    def __init__(self, request: ScoreRequest, disk: Disk, events: Events, stop: StopFlag) -> None:
        self._request = request
        self._disk = disk
        self._events = events
        self._stop = stop
        self._forecaster, self._version = request.model.fetch()

    def publish(self) -> ScoreReport:
        """Steps 2 to 7 of the protocol."""
        known = self._guarded_input(
            "unread", lambda: read_known(self._request.inputs, self._request.run_date, self._forecaster.horizon)
        )
        digests = {"input": known.digest(), "model": model_digest(self._forecaster), "state": NO_STATE}
        key = self._key(digests)
        self._events.keyed(key, self._version)
        work = self._disk.root / "_work" / f"{self._request.run_date.isoformat()}-{key}"
        sink = self._request.sink or FileSink(self._disk, work)
        published = sink.footer(self._request.run_date)
        if published is None or published.get("key") != key:
            self._publish_new(known, key, digests, sink, ShardStore(self._disk, work))
            return self._finish(sink, True)
        self._events.nothing_to_do(sink.place(self._request.run_date))
        return self._finish(sink, False)

    def _key(self, digests: dict[str, str]) -> str:
        request = self._request
        return run_key({
            **digests, "format": str(FORMAT), "run_date": request.run_date.isoformat(), "configuration": request.configuration,
            "rules": repr(request.rules), "roles": repr(request.inputs.roles), "frequency": repr(request.inputs.frequency),
            "calendar": repr(request.inputs.calendar),
            "model_version": self._version, "code_version": request.code_version,
        })  # fmt: skip

    def _publish_new(self, known: Known, key: str, digests: dict[str, str], sink: Sink, store: ShardStore) -> None:
        """Steps 3 to 6: contract, shards, audit, commit."""
        request, gates = self._request, self._request.rules.gates
        series = known.series_count()
        prepared = self._guarded_input(key, lambda: self._prepare(known))
        self._keep_evidence(key, prepared.refused)
        keep_quarantine_gate(series, len(distinct([r for r in prepared.refused if r.action == "quarantine"])), gates)
        keep_size_gate(len(prepared.panel), gates)
        forecaster = self._forecaster
        form = TableForm(
            request.run_date, request.inputs.frequency, known.cutoff, forecaster.horizon, tuple(forecaster.levels), self._version
        )
        shards = self._score(prepared, form, store, series)
        audited = audit(store.tables(shards), prepared.panel.ids, form)
        accounting = account(series, prepared.refused, audited)
        keep_fallback_gate(series, audited.reasons, gates)
        footer: Footer = {
            "format": FORMAT, "key": key, "run_date": request.run_date.isoformat(), "cutoff": form.cutoff_text(), "rows": audited.rows,
            "horizon": form.horizon, "levels": list(form.levels), "frequency": request.inputs.frequency.alias, "model": forecaster.name,
            "model_version": self._version, "code_version": request.code_version, "digests": digests, "counts": accounting.counts(),
            "reasons": accounting.reasons, "lag": prepared.lag, "stale": prepared.stale,
        }  # fmt: skip
        self._stop.check()
        sink.publish(request.run_date, form.schema(), store.tables(shards), footer)
        self._events.published(sink.place(request.run_date), footer)

    def _prepare(self, known: Known) -> Prepared:
        inputs, rules = self._request.inputs, self._request.rules
        accepted = accept(known, inputs.frequency, inputs.roles, rules, inputs.calendar)
        prepared = prepare(known, accepted, self._forecaster.horizon, rules)
        self._events.contract_checked(len(prepared.panel), len(distinct(prepared.refused)), prepared.lag)
        if prepared.stale:
            self._events.stale(prepared.lag, prepared.stale)
        return prepared

    def _guarded_input(self, name: str, read: Callable[[], Read]) -> Read:
        """What `read` returns; where it refuses the input, the evidence is kept first."""
        try:
            return read()
        except DataError as error:
            self._keep_evidence(name, evidence_of(error))
            raise

    def _keep_evidence(self, name: str, refused: tuple[Refusal, ...]) -> None:
        if not refused:
            return
        path = self._disk.root / "_quarantine" / f"run_date={self._request.run_date.isoformat()}" / f"{name}.part"
        table = evidence_table(refused)
        with self._disk.replacing(path) as file, parquet_writer(file, table.schema) as writer:
            writer.write_table(table)
        self._events.evidence(str(path), len(distinct(refused)))

    def _score(self, prepared: Prepared, form: TableForm, store: ShardStore, series: int) -> int:
        """Step 4. Returns the number of shards; those that an earlier run finished are kept."""
        model = GuardedModel(self._forecaster, prepared, self._request.rules.bounds, self._events)
        size, ids = self._request.shard_series, prepared.panel.ids
        starts = range(0, len(ids), size)
        reasons: Counter[str] = Counter()
        for number, start in enumerate(starts):
            self._stop.check()
            members = ids[start : start + size]
            resumed = store.finished(number, members)
            if not resumed:
                table = self._score_shard(model, prepared, form, start, start + len(members))
                reasons.update(fallback_reasons(table, form.horizon))
                keep_fallback_gate(series, reasons, self._request.rules.gates)
                store.write(number, members, table)
            self._events.shard(number + 1, len(starts), len(members), resumed)
        return len(starts)

    def _score_shard(self, model: GuardedModel, prepared: Prepared, form: TableForm, first: int, end: int) -> pa.Table:
        """The rows of series first...end-1. Batches begin at multiples of their size from the first series of the run on."""
        tables = []
        for start in range(first, end, BATCH_SERIES):
            self._stop.check()
            batch = prepared.panel.take(np.arange(start, min(start + BATCH_SERIES, end)))
            tables.append(form.rows(model.forecast(batch)))
        return pa.concat_tables(tables)

    def _finish(self, sink: Sink, published: bool) -> ScoreReport:
        """Step 7, also for a run that found everything done: the run before it may have died right after the commit."""
        footer = sink.footer(self._request.run_date)
        if footer is None:
            raise SinkError(
                f"{sink.place(self._request.run_date)} cannot be read back after it was published; check the disk and run again"
            )
        with _only_recording("run report", self._events):
            report = self._disk.root / "_runs" / f"{footer['key']}.json"
            content = json.dumps(dict(footer), indent=2, sort_keys=True, ensure_ascii=False).encode()
            if not report.exists() or report.read_bytes() != content:
                self._disk.write(report, content)
            for leftover in sorted((self._disk.root / "_work").glob(f"{self._request.run_date.isoformat()}-*")):
                self._disk.remove(leftover)
        return ScoreReport.from_footer(footer, sink.place(self._request.run_date), published)
