"""`forecast doctor`: whether this environment can do the work, line by line. It must not change anything."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import final

from forecast.core.errors import ForecastError
from forecast.core.quota import cpu_quota, memory_limit
from forecast.tracking.code_version import code_version
from forecast.tracking.store import Store, without_password
from pipelines.console import Console
from pipelines.shipped import configurations, locate

_LIBRARIES = (
    "torch",
    "pytorch-lightning",
    "pandas",
    "numpy",
    "scikit-learn",
    "statsforecast",
    "utilsforecast",
    "mlflow",
    "pyarrow",
)
_LEAST_MEMORY, _LEAST_DISK = 2e9, 1e9  # bytes
_GB = 1e9


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and whether it will do."""

    what: str
    found: str
    ok: bool = True


def examine(uri: str, folder: Path) -> Iterator[Finding]:
    """Yields the findings.

    Args:
        uri: The tracking store to reach; an embedded one that is not there yet is fine.
        folder: Where outputs would go.
    """
    yield Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("forecast", code_version())
    yield from (_library(name) for name in _LIBRARIES)
    host, quota = os.cpu_count() or 1, cpu_quota()
    threads = os.environ.get("OMP_NUM_THREADS", "")
    yield Finding("processors", f"{quota} of {host} may be used")
    yield Finding(
        "threads", f"OMP_NUM_THREADS={threads or 'not set'}", not threads or (threads.isdecimal() and int(threads) <= quota)
    )
    yield Finding("memory", f"{memory_limit() / _GB:.1f} GB may be used", memory_limit() >= _LEAST_MEMORY)
    yield _disk(folder)
    yield _device()
    yield _guarded("tracking store", lambda: _store(uri))
    yield _guarded("sample data", lambda: str(locate("data/sample")))
    yield _guarded("shipped configurations", lambda: str(len(configurations())))


def show(findings: Iterator[Finding], console: Console) -> None:
    """Writes the findings to stdout."""
    console.table("Environment", ["", "what", "found"], [("ok" if f.ok else "warn", f.what, f.found) for f in findings])


def _library(name: str) -> Finding:
    try:
        return Finding(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "is not installed", False)


def _disk(folder: Path) -> Finding:
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free, writable = shutil.disk_usage(there).free, os.access(there, os.W_OK)
    return Finding(
        "output folder", f"{there}: {free / _GB:.1f} GB free{'' if writable else ', not writable'}", writable and free > _LEAST_DISK
    )


def _device() -> Finding:
    from forecast.neural.device import describe_device

    return Finding("device of networks", describe_device())


def _store(uri: str) -> str:
    store = Store.at(uri)
    if not store.exists():
        return f"{without_password(store.uri)}: not there yet, the first run makes it"
    store.client.search_experiments(max_results=1)
    return f"{without_password(store.uri)}: answers; {store.how_to_open()}"


def _guarded(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, look())
    except ForecastError as error:
        return Finding(what, str(error), False)
