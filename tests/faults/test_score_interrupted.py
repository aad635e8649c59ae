"""Whatever ends a run, at whatever step: readers see the whole old result or the whole new one, and the next run converges."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forecast.scoring.job import run_score
from forecast.scoring.request import ScoreRequest
from tests.faults.interruption import KILLED, crash, disk_full, end_of, kill, steps_of, terminate
from tests.faults.score_world import contents, names, published, request, table

# Action -> how a run may end. The disk of the last steps, after the commit, cannot turn a published run into a failed one.
ENDS: dict[str, tuple[Callable[[], None], set[int]]] = {
    "killed": (kill, {KILLED}),
    "disk full": (disk_full, {73, 0}),
    "exception": (crash, {70}),
    "terminated": (terminate, {143}),
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a kill does not need a real disk, and a hundred fsyncs do."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


def _requests(output: Path) -> tuple[ScoreRequest, ScoreRequest]:
    """Yesterday's version and today's: 300 series in two shards, one of them quarantined."""
    frame = table(names(300), days=9)
    frame.loc[frame["unique_id"] == "s0007", "y"] = float("nan")
    return request(output, frame, version="1"), request(output, frame, version="2")


def _sweep(folder: Path, action: str, before: str, stride: int, offset: int = 0) -> None:
    old, new = _requests(folder / "run")
    if before == "re-publish":
        run_score(old)
    else:
        (folder / "run").mkdir()
    start = folder / "start"
    shutil.copytree(folder / "run", start)
    seen_before = published(start).read_bytes() if before == "re-publish" else None
    steps = steps_of(new)
    expected = contents(folder / "run")
    expected_file = published(folder / "run").read_bytes()
    allowed = {seen_before, expected_file}
    act, ends = ENDS[action]

    def read() -> None:
        file = published(folder / "run")
        content = file.read_bytes() if file.exists() else None
        assert content in allowed, "a reader saw neither the old nor the new result"
        assert len(glob.glob(str(folder / "run" / "**" / "*.parquet"), recursive=True)) <= 1

    for step in range(offset, len(steps), stride):
        shutil.rmtree(folder / "run")
        shutil.copytree(start, folder / "run")
        code = end_of(new, step, act, read)
        assert code in ends, f"step {step} ({steps[step]}) ended with {code}"
        read()
        assert code != 0 or published(folder / "run").read_bytes() == expected_file, f"step {step} ended well without publishing"
        run_score(new)
        assert contents(folder / "run") == expected, f"the run after step {step} ({steps[step]}) did not converge"


@pytest.mark.parametrize("before", ["first", "re-publish"])
@pytest.mark.parametrize(("action", "stride"), [("killed", 4), ("disk full", 9), ("exception", 13), ("terminated", 11)])
def test_a_run_that_ends_at_some_step_leaves_the_old_or_the_new_result(folder: Path, action: str, before: str, stride: int) -> None:
    _sweep(folder, action, before, stride)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("before", ["first", "re-publish"])
@pytest.mark.parametrize("action", list(ENDS))
def test_a_run_that_ends_at_any_step_leaves_the_old_or_the_new_result(folder: Path, action: str, before: str) -> None:
    _sweep(folder, action, before, stride=1)


def test_the_sweep_meets_every_kind_of_step(tmp_path: Path) -> None:
    _, new = _requests(tmp_path)
    assert set(steps_of(new)) == {"make folder", "open", "write", "sync file", "rename", "sync folder", "remove"}
