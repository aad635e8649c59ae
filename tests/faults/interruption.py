"""Ends a run at a chosen step on the disk: by a kill, a full disk, an exception or the scheduler's signal."""

from __future__ import annotations

import errno
import os
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import final

from forecast.scoring.job import Surroundings, exit_code_of, run_score
from forecast.scoring.request import ScoreRequest

KILLED = -signal.SIGKILL


def steps_of(asked: ScoreRequest) -> list[str]:
    """Runs to the end; returns the names of the steps on the disk, in order."""
    steps: list[str] = []
    run_score(asked, Surroundings(checkpoint=steps.append))
    return steps


@final
class At:
    """A checkpoint that acts at one step, counted from 0."""

    def __init__(self, step: int, action: Callable[[], None]) -> None:
        self._left = step
        self._action = action

    def __call__(self, name: str) -> None:
        self._left -= 1
        if self._left == -1:
            self._action()


def kill() -> None:
    """No cleanup, no goodbye."""
    os.kill(os.getpid(), signal.SIGKILL)


def disk_full() -> None:
    """What a write says when no block is left."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def crash() -> None:
    """A mistake in the program."""
    raise RuntimeError("a mistake in the program")


def terminate() -> None:
    """What a scheduler sends first."""
    os.kill(os.getpid(), signal.SIGTERM)


def start(job: Callable[[], object]) -> int:
    """Runs the job in a child process that ends with the job's exit code; returns its process id."""
    with warnings.catch_warnings():
        # From Python 3.12 on a fork beside threads warns; the child uses none of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    code = 70
    try:
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # the child ends without unwinding
        job()
        code = 0
    except BaseException as error:
        code = exit_code_of(error)
    finally:
        os._exit(code)


def wait(child: int, meanwhile: Callable[[], None] = lambda: None) -> int:
    """Waits for a child, doing something meanwhile; returns its exit code, or the negative signal that killed it."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        meanwhile()
        if done:
            return os.waitstatus_to_exitcode(status)


def end_of(asked: ScoreRequest, step: int, action: Callable[[], None], meanwhile: Callable[[], None] = lambda: None) -> int:
    """Runs in a child that the action meets at a step; returns how it ended."""
    return wait(start(lambda: run_score(asked, Surroundings(checkpoint=At(step, action)))), meanwhile)


def abandon(child: int) -> None:
    """Ends a child that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(child, 0)
