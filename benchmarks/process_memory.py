"""The most memory that this process and those it started have held at once, looked at ten times a second."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import final

from forecast.evaluation.backtest import peak_memory_mb

_PAUSE_SECONDS = 0.1


def tree_memory_mb(process: int) -> float:
    """Returns the resident memory of a process and all below it, MB; pages that they share count in each. 0.0 where /proc is not."""
    own = 0.0
    try:
        own = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        children = [
            int(name) for task in Path(f"/proc/{process}/task").iterdir() for name in (task / "children").read_text().split()
        ]
    except OSError:  # it ended while it was looked at, or the system has no /proc
        return own
    return own + sum(tree_memory_mb(child) for child in children)


@final
class PeakMemory:
    """Watches while its block runs; `mb` is the peak afterwards, at least what the system says of this process alone."""

    def __init__(self) -> None:
        self.mb = 0.0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._watcher.join()
        self.mb = max(self.mb, peak_memory_mb())

    def _watch(self) -> None:
        while not self._ended.wait(_PAUSE_SECONDS):
            self.mb = max(self.mb, tree_memory_mb(os.getpid()))
