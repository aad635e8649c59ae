"""M4: tracking that is down loses nothing and holds nobody up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from filelock import FileLock

from forecast.core.errors import SinkError, UsageError
from forecast.tracking.outbox import FlushReport, Outbox, RunRecord, run_sender
from forecast.tracking.store import Store

RECORD = RunRecord("2026-11-20-abc", "score", {"horizon": "7"}, {"version": "1"}, {"rows": 420.0}, {"report.json": "{}"})


def runs(store: Store) -> list[tuple[str, str, dict[str, float]]]:
    experiment = store.client.get_experiment_by_name("scoring")
    found = store.client.search_runs([experiment.experiment_id]) if experiment else []
    return [(run.info.run_name, run.info.status, run.data.metrics) for run in found]


def test_m4_records_wait_while_mlflow_is_away_and_arrive_later(tmp_path: Path, store: Store, unused_port: int) -> None:
    outbox = Outbox(tmp_path)
    outbox.put(RECORD)
    outbox.put(RunRecord("second", "score", failure="failed: disk full"))
    down = outbox.flush(run_sender(Store.at(f"http://127.0.0.1:{unused_port}"), "scoring"))
    assert (down.sent, down.left) == (0, 2)
    assert "check that it runs" in down.reason
    assert outbox.flush(run_sender(store, "scoring")) == FlushReport(2, 0, 0)
    assert sorted(runs(store)) == [("score", "FAILED", {}), ("score", "FINISHED", {"rows": 420.0})]


def test_m4_a_record_that_arrives_twice_is_one_run(tmp_path: Path, store: Store) -> None:
    outbox, send = Outbox(tmp_path), run_sender(store, "scoring")
    for _ in range(2):
        outbox.put(RECORD)
        outbox.put(RECORD)
        assert outbox.flush(send).left == 0
    assert len(runs(store)) == 1


def test_m4_a_run_that_was_cut_off_is_begun_anew(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from forecast.tracking.tracker import Tracker

    def cut(*_: object) -> None:
        raise SinkError("gone")

    outbox, send = Outbox(tmp_path), run_sender(store, "scoring")
    outbox.put(RECORD)
    monkeypatch.setattr(Tracker, "finish", cut)
    assert outbox.flush(send) == FlushReport(0, 1, 0, "gone")
    monkeypatch.undo()
    assert outbox.flush(send) == FlushReport(1, 0, 0)
    assert runs(store) == [("score", "FINISHED", {"rows": 420.0})]


def test_m4_a_slow_server_does_not_hold_the_job_beyond_its_time(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    for key in "abcde":
        outbox.put(RunRecord(key, "score"))
    report = outbox.flush(lambda _: time.sleep(0.1), seconds=0.15)
    assert report == FlushReport(2, 3, 0, "the time is up")


def test_m4_records_go_out_oldest_first_and_a_broken_one_does_not_block(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    sent: list[str] = []
    for key in ("first", "second", "third"):
        path = outbox.put(RunRecord(key, "score"))
        time.sleep(0.01)
        if key == "second":
            path.write_text(path.read_text()[:20])
    report = outbox.flush(lambda record: sent.append(record.key))
    assert (sent, report) == (["first", "third"], FlushReport(2, 0, 1))
    assert len(list(outbox.folder.glob("*.broken"))) == 1


def test_m4_one_process_sends_at_a_time(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.put(RECORD)
    with FileLock(outbox.folder / ".lock"):
        assert outbox.flush(lambda _: None) == FlushReport(0, 1, 0, "another process is sending")


def test_an_empty_outbox_makes_no_folder(tmp_path: Path) -> None:
    assert Outbox(tmp_path).flush(lambda _: None) == FlushReport(0, 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_cannot_be_kept_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2026"):
        Outbox(tmp_path).put(RunRecord("2026", "score", metrics={"x": float("nan")}))
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="cannot be written"):
        Outbox(tmp_path / "file").put(RECORD)
