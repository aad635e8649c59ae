"""How a job ends when its scheduler asks it to: SIGTERM stops it at once, with exit code 143.

Stopping at any instant is safe because being killed is: every step of the publish protocol survives it. So the signal raises
where it arrives. It must not be used for anything but ending the process.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import final


@final
class Terminated(BaseException):
    """The job was asked to stop. No ForecastError and no Exception: nothing may take it for the failure of one series."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(f"stopped by signal {number}; finished shards are kept, run again to resume")


@final
class StopFlag:
    """Remembers the signal: an exception that is raised inside a destructor is lost, so loops ask the flag as well."""

    def __init__(self) -> None:
        self._number: int | None = None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raises Terminated at the first signal; later ones change nothing, so that what the first one stopped can clean up."""
        if self._number is None:
            self._number = number
            raise Terminated(number)

    def check(self) -> None:
        """Raises Terminated if a signal has come."""
        if self._number is not None:
            raise Terminated(self._number)


@contextmanager
def stoppable() -> Iterator[StopFlag]:
    """Lets SIGTERM end the block with Terminated. Outside the main thread, where Python gives no signals, the flag stays down."""
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = signal.signal(signal.SIGTERM, flag.handle)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)
