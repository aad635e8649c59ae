"""Runs commands as child processes, some at a time, each with a time limit, and says what became of each and what memory it took.

A child has one thread and keeps freed memory: both make recurrent networks on processors about twice as fast. A child that is stopped
takes its own children along. It must not know what the commands compute.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, final

import pipelines

_POLL_SECONDS = 0.02
_MB_PER_KIBIBYTE = 1024 / 1e6
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_LOG_SHOWN = 2000  # characters of a child's stderr

# One thread each: two threads that wait for each other, with a neighbour on the machine, are slower than one. glibc hands large blocks
# back to the kernel and faults them in again at every training step, unless it is told to keep them.
CHILD_ENVIRONMENT: Mapping[str, str] = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184",
}  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Work:
    """One child: `python -m module arguments`. key: names it in the outcome. time_limit: seconds, None for none. log: its stderr."""

    key: int
    module: str
    arguments: tuple[str, ...]
    log: Path
    time_limit: float | None = None


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """How a child ended. code: exit code, negative for a signal. timed_out: it was stopped. seconds: of wall time."""

    key: int
    code: int
    timed_out: bool
    seconds: float
    peak_memory_mb: float
    log: Path

    def last_words(self) -> str:
        """Returns the end of what the child wrote to stderr."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return text[-_LOG_SHOWN:].strip()

    def reason(self) -> str:
        """Returns why it failed: its error message, the signal that ended it, or its last line."""
        if self.code < 0:
            return f"ended by signal {-self.code}; out of memory is the usual cause"
        words = self.last_words()
        start = words.rfind("error: ")
        return words[start + len("error: ") :] if start >= 0 else (words.splitlines() or ["it said nothing"])[-1]


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Running:
    work: Work
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    started: float
    peaks: list[float]  # of memory, as seen so far


def run_all(works: Sequence[Work], at_once: int) -> Iterator[Outcome]:
    """Yields the outcome of each child as it ends; whatever still runs when the caller stops listening is stopped.

    Args:
        works: In the order in which they start.
        at_once: Children that run at the same time.
    """
    waiting, running = list(works), list[_Running]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                _start_next(waiting, running)
            ended = [(child, outcome) for child in running if (outcome := _poll(child)) is not None]
            running = [child for child in running if child not in [one for one, _ in ended]]
            yield from (outcome for _, outcome in ended)
            if not ended:
                time.sleep(_POLL_SECONDS)
    finally:
        for child in running:
            _stop(child)


def _start_next(waiting: list[Work], running: list[_Running]) -> None:
    """Starts a child; a signal between its start and its place in the list would leave it behind."""
    with _signals_wait():
        running.append(_start(waiting.pop(0)))


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Holds back what ends this process (SIGTERM, SIGINT) until the block is over; a child started inside inherits nothing of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda got, _: came.append(got)) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for got in came:
            signal.raise_signal(got)


def _start(work: Work) -> _Running:
    """Starts a child in a session of its own, so that it can be stopped with all that it started."""
    work.log.parent.mkdir(parents=True, exist_ok=True)
    log = work.log.open("wb")
    root = str(Path(pipelines.__file__).resolve().parent.parent)  # the child runs the same code, wherever it was found
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    process = subprocess.Popen(
        [sys.executable, "-m", work.module, *work.arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        env={**os.environ, **CHILD_ENVIRONMENT, "PYTHONPATH": path}, start_new_session=True,
    )  # fmt: skip
    return _Running(work, process, log, time.monotonic(), [])


def peak_memory_mb(pid: int) -> float:
    """Returns the most memory that a running process has held at once, in MB; 0.0 where the system does not say.

    Not `ru_maxrss`: a child takes over its parent's figure when it is started.
    """
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace"))
    except OSError:
        return 0.0
    return int(found[1]) * _MB_PER_KIBIBYTE if found else 0.0


def _poll(child: _Running) -> Outcome | None:
    """The outcome of a child that ended or ran out of time; None while it runs."""
    seconds = time.monotonic() - child.started
    child.peaks[:] = [max([*child.peaks, peak_memory_mb(child.process.pid)])]
    limit = child.work.time_limit
    timed_out = limit is not None and seconds > limit
    if timed_out:
        _kill_group(child)
    pid, status = os.waitpid(child.process.pid, 0 if timed_out else os.WNOHANG)
    if not pid:
        return None
    child.log.close()
    child.process.returncode = code = os.waitstatus_to_exitcode(status)
    return Outcome(child.work.key, code, timed_out and code != 0, seconds, child.peaks[0], child.work.log)


def _stop(child: _Running) -> None:
    _kill_group(child)
    child.process.wait()
    child.log.close()


def _kill_group(child: _Running) -> None:
    try:
        os.killpg(child.process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has just ended by itself
