"""One run at a time for one output. It must not wait: a scheduler decides when to try again."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forecast.core.errors import LockHeld, SinkError


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds the lock file for the block. The kernel frees it when its holder dies, however it dies; the file itself stays.

    Raises:
        LockHeld: another process holds it; the message has its process id.
        SinkError: the lock file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise SinkError(f"cannot open the lock {path}: {error.strerror}; correct the permissions of the output folder") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise LockHeld(f"another run holds {path} (process {holder}); wait until it ends, or stop it, and run again") from error
        _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def _sign(descriptor: int) -> None:
    """Leaves the process id for the message to a second run. A full disk must not end the run here: the id is a courtesy."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    except OSError:
        return
