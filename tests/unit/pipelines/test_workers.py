"""Children run side by side, are stopped in time, and never outlive the one who started them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from pipelines import workers
from pipelines.workers import Outcome, Work, run_all


def script(folder: Path, name: str, text: str) -> str:
    """Writes a module that children can run with `-m` from the folder."""
    (folder / f"{name}.py").write_text(text)
    return name


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def run_one(folder: Path, text: str, time_limit: float | None = None) -> Outcome:
    (outcome,) = run_all([Work(7, script(folder, "child", text), (), folder / "log", time_limit)], at_once=1)
    return outcome


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"


def test_the_exit_code_the_last_words_and_the_peak_memory_are_reported(folder: Path) -> None:
    outcome = run_one(
        folder,
        "import sys; x = bytearray(80_000_000); x[::4096] = b'1' * len(x[::4096]); import time; time.sleep(0.2); sys.exit('no luck')",
    )
    assert (outcome.key, outcome.code, outcome.timed_out, outcome.last_words()) == (7, 1, False, "no luck")
    assert 80 < outcome.peak_memory_mb < 200


def test_a_small_child_of_a_large_parent_is_small(folder: Path) -> None:
    ballast = bytearray(200_000_000)
    ballast[::4096] = b"1" * len(ballast[::4096])
    assert run_one(folder, "import time; time.sleep(0.2)").peak_memory_mb < 50


def test_a_child_beyond_its_time_is_stopped_with_its_own_children(folder: Path) -> None:
    text = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open(sys.argv[0] + '.pid', 'w').write(str(p.pid))\n"
        "time.sleep(60)\n"
    )
    outcome = run_one(folder, text, time_limit=1.0)
    assert (outcome.code, outcome.timed_out) == (-9, True)
    assert outcome.seconds < 5
    grandchild = int((folder / "child.py.pid").read_text())
    deadline = time.monotonic() + 5
    while alive(grandchild) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(grandchild)


def test_two_run_at_the_same_time_and_no_more(folder: Path) -> None:
    text = (
        "import pathlib, sys, time\n"
        "start = time.time(); time.sleep(0.4)\n"
        "pathlib.Path(sys.argv[1]).write_text(f'{start} {time.time()}')\n"
    )
    name = script(folder, "slow", text)
    works = [Work(k, name, (str(folder / f"{k}.times"),), folder / f"log{k}") for k in range(4)]
    assert sorted(outcome.key for outcome in run_all(works, at_once=2)) == [0, 1, 2, 3]
    spans = [tuple(map(float, (folder / f"{k}.times").read_text().split())) for k in range(4)]
    together = [sum(start <= moment < end for start, end in spans) for moment, _ in spans]
    assert max(together) == 2


def test_what_still_runs_is_stopped_when_nobody_listens_any_more(folder: Path) -> None:
    name = script(
        folder, "pid", "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(float(sys.argv[2]))"
    )
    works = [Work(k, name, (str(folder / f"{k}.pid"), str(60 * k)), folder / f"log{k}") for k in range(2)]
    outcomes = run_all(works, at_once=2)
    assert next(outcomes).key == 0
    deadline = time.monotonic() + 5
    while not ((folder / "1.pid").exists() and (folder / "1.pid").read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    outcomes.close()  # type: ignore[attr-defined]
    assert not alive(int((folder / "1.pid").read_text()))


def test_a_child_has_one_thread_and_keeps_freed_memory(folder: Path) -> None:
    names = "('OMP_NUM_THREADS', 'OMP_WAIT_POLICY', 'MALLOC_MMAP_MAX_')"
    outcome = run_one(folder, f"import os, sys; sys.exit(' '.join(os.environ[n] for n in {names}))")
    assert outcome.last_words() == "1 PASSIVE 0"


def test_a_signal_that_comes_while_a_child_starts_is_heard_when_the_child_is_known() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with workers._signals_wait():
            signal.raise_signal(signal.SIGTERM)
            assert not heard
        assert heard == [signal.SIGTERM]
        signal.raise_signal(signal.SIGTERM)
        assert len(heard) == 2, "the handler that was there is back"
    finally:
        signal.signal(signal.SIGTERM, before)
