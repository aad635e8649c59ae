"""What a broken-off run leaves is used again only where it can be trusted, and two runs never meet."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forecast.core.errors import GateError, LockHeld, SinkError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.scoring.job import Surroundings, run_score
from forecast.scoring.request import ScoreRequest
from forecast.scoring.shards import ShardStore
from forecast.scoring.stopping import Terminated
from forecast.storage.sinks.disk import Disk
from tests.faults.interruption import KILLED, At, abandon, crash, end_of, kill, start, steps_of, terminate, wait
from tests.faults.score_world import HeldModel, LastValue, contents, names, published, request, table

FRAME = table(names(600), days=9)


@pytest.fixture
def broken_off(tmp_path: Path) -> tuple[ScoreRequest, dict[str, bytes]]:
    """A request whose run was killed after its third and last shard, and what an undisturbed run publishes."""
    run_score(request(tmp_path / "calm", FRAME))
    steps = steps_of(request(tmp_path / "count", FRAME))
    asked = request(tmp_path / "run", FRAME)
    for step in range(len(steps)):
        assert end_of(asked, step, kill) == KILLED
        if len(list((tmp_path / "run" / "_work").rglob("*.ok"))) == 3:
            break
    return asked, dict(contents(tmp_path / "calm"))


def _parts(output: Path) -> list[Path]:
    return sorted((output / "_work").rglob("*.part"))


def _asked(asked: ScoreRequest) -> int:
    """Series for which a run asks the model."""
    model = LastValue()
    run_score(replace(asked, model=HeldModel(model)))
    return sum(len(ids) for ids in model.asked)


def test_finished_shards_are_not_scored_again(broken_off: tuple[ScoreRequest, dict[str, bytes]]) -> None:
    asked, calm = broken_off
    assert _asked(asked) == 0
    assert contents(asked.output) == calm


def test_a_damaged_shard_is_scored_again_and_only_that(broken_off: tuple[ScoreRequest, dict[str, bytes]]) -> None:
    asked, calm = broken_off
    damaged = bytearray(_parts(asked.output)[1].read_bytes())
    damaged[len(damaged) // 2] ^= 1
    _parts(asked.output)[1].write_bytes(damaged)
    assert _asked(asked) == 256
    assert contents(asked.output) == calm


@pytest.mark.parametrize("loss", ["receipt", "file", "half a receipt"])
def test_a_shard_without_its_receipt_or_file_is_scored_again(broken_off: tuple[ScoreRequest, dict[str, bytes]], loss: str) -> None:
    asked, calm = broken_off
    part = _parts(asked.output)[0]
    receipt = part.with_suffix(".ok")
    if loss == "half a receipt":
        receipt.write_text(receipt.read_text()[:20])
    else:
        (part if loss == "file" else receipt).unlink()
    assert _asked(asked) == 256
    assert contents(asked.output) == calm


def test_another_shard_size_does_not_mix_shards(broken_off: tuple[ScoreRequest, dict[str, bytes]]) -> None:
    asked, calm = broken_off
    assert _asked(replace(asked, shard_series=512)) == 600
    assert contents(asked.output) == calm


def test_a_model_that_moved_takes_no_shard_of_the_old_one(broken_off: tuple[ScoreRequest, dict[str, bytes]]) -> None:
    asked, _ = broken_off
    model = LastValue(name="moved")
    run_score(request(asked.output, FRAME, model, version="2"))
    assert sum(len(ids) for ids in model.asked) == 600
    frame = pd.read_parquet(published(asked.output))
    assert set(frame["model_version"]) == {"2"}
    assert set(frame["model"]) == {"moved"}


def test_a_shard_with_a_valid_receipt_and_false_rows_is_not_published(broken_off: tuple[ScoreRequest, dict[str, bytes]]) -> None:
    asked, _ = broken_off
    part = _parts(asked.output)[0]
    false = pq.read_table(pa.BufferReader(part.read_bytes()))
    false = false.set_column(5, "mean", pa.array([float("nan")] * len(false)))
    store = ShardStore(Disk(asked.output), part.parent)
    store.write(0, pd.unique(false["unique_id"].to_pandas()), false)
    with pytest.raises(GateError, match="audit"):
        run_score(asked)
    assert not published(asked.output).exists()


@final
class Waiting:
    """A checkpoint that tells its process is inside a run, then waits to be killed."""

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()

    def __call__(self, name: str) -> None:
        if name == "write":
            os.write(self._writing, b"x")
            time.sleep(60)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[int]:
    """The process id of a run that holds the lock of `tmp_path` and stands still."""
    waiting = Waiting()
    child = start(lambda: run_score(request(tmp_path, table(["a"])), Surroundings(checkpoint=waiting)))
    assert os.read(waiting.reading, 1) == b"x"
    yield child
    abandon(child)


def test_a_second_run_is_refused_while_the_first_one_works(tmp_path: Path, holder: int) -> None:
    with pytest.raises(LockHeld, match=f"process {holder}") as caught:
        run_score(request(tmp_path, table(["a"])))
    assert caught.value.exit_code == 75
    assert not (tmp_path / "_runs" / "metrics.prom").exists(), "the metrics of the run that works must not be overwritten"


def test_a_dead_holder_does_not_block(tmp_path: Path, holder: int) -> None:
    os.kill(holder, signal.SIGKILL)
    assert wait(holder) == KILLED
    assert run_score(request(tmp_path, table(["a"]))).published


@pytest.mark.parametrize("bytes_allowed", [100, 3_000, 20_000])
def test_a_full_disk_ends_with_73_and_leaves_the_old_result(tmp_path: Path, bytes_allowed: int) -> None:
    run_score(request(tmp_path, FRAME, version="1"))
    old = published(tmp_path).read_bytes()

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_allowed, resource.RLIM_INFINITY))
        run_score(request(tmp_path, FRAME, version="2"))

    assert wait(start(limited)) == SinkError.exit_code
    assert published(tmp_path).read_bytes() == old
    assert run_score(request(tmp_path, FRAME, version="2")).published
    assert published(tmp_path).read_bytes() != old


def test_an_output_that_cannot_be_a_folder_ends_with_73(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SinkError, match="file") as caught:
        run_score(request(tmp_path / "file" / "out", table(["a"])))
    assert caught.value.exit_code == 73


def test_a_run_that_is_asked_to_stop_stops_and_keeps_its_shards(tmp_path: Path) -> None:
    asked = request(tmp_path / "run", FRAME)
    run_score(request(tmp_path / "calm", FRAME))
    slow = _Slow()
    child = start(lambda: run_score(replace(asked, model=HeldModel(slow))))
    assert os.read(slow.reading, 1) == b"x"
    began = time.monotonic()
    os.kill(child, signal.SIGTERM)
    assert wait(child) == 143
    assert time.monotonic() - began < 5
    assert len(list((tmp_path / "run" / "_work").rglob("*.ok"))) == 1
    assert not published(tmp_path / "run").exists()
    assert _asked(asked) == 600 - 256
    assert contents(tmp_path / "run") == contents(tmp_path / "calm")


def test_the_signal_handler_is_given_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    run_score(request(tmp_path, table(["a"])))
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(Terminated):
        run_score(request(tmp_path, table(["a", "b"])), Surroundings(checkpoint=At(3, terminate)))
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_crash_writes_the_metrics_and_keeps_the_last_success(tmp_path: Path) -> None:
    run_score(request(tmp_path, table(["a"])), Surroundings(clock=lambda: 1000.0))
    with pytest.raises(RuntimeError):
        run_score(request(tmp_path, table(["a", "b"])), Surroundings(clock=lambda: 2000.0, checkpoint=At(3, crash)))
    text = (tmp_path / "_runs" / "metrics.prom").read_text()
    assert "forecast_score_exit_code 70.0" in text
    assert "forecast_score_last_success_timestamp_seconds 1000.0" in text
    assert "forecast_score_last_run_timestamp_seconds 2000.0" in text


@final
class _Slow(LastValue):
    """The second batch never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.reading, self._writing = os.pipe()

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        if self.asked:
            os.write(self._writing, b"x")
            time.sleep(60)
        return super().predict(history, known_future)
