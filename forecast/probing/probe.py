"""All measurements of one cell, and what they were made on. It must not choose cells or write anything."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from forecast.probing.cells import build_cell
from forecast.probing.costs import count_parameters, measure_growth, state_floats, step_microseconds, training_seconds
from forecast.probing.memory import measure_memory
from forecast.probing.recall import measure_recall
from forecast.probing.results import ATTENTION, CellResult
from forecast.probing.settings import ProbeSettings

_PROCESSORS = Path("/proc/cpuinfo")  # Linux


def probe_cell(name: str, same: tuple[str, ...], settings: ProbeSettings) -> CellResult:
    """Returns all about one cell; attention is not asked to recall, as it keeps everything."""
    torch.manual_seed(settings.seed)
    encoder = build_cell(name, settings.hidden_size)
    return CellResult(
        name=name, same=same, parameters=count_parameters(encoder), state=state_floats(encoder),
        microseconds=step_microseconds(encoder, settings.hidden_size, settings.repeats), training=training_seconds(name, settings),
        growth=measure_growth(encoder, settings), memory=measure_memory(encoder, settings.hidden_size, settings.lengths),
        recall=None if name == ATTENTION else measure_recall(name, settings),
    )  # fmt: skip


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs what is inside on one thread, as every cell is measured."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def describe_machine() -> str:
    """Returns the processor and the version of torch in words."""
    found = platform.machine()
    if _PROCESSORS.exists():
        named = (line.partition(":")[2].strip() for line in _PROCESSORS.read_text().splitlines() if line.startswith("model name"))
        found = next(named, found)
    return f"{found}, one thread, torch {torch.__version__.partition('+')[0]}"
