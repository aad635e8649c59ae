"""`forecast probe`: what each recurrent cell remembers and costs, as a table, a page and pictures, beside what textbooks claim.

It must not measure: `forecast.probing` does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from forecast.core.errors import SinkError, UsageError
from forecast.probing.attention import HEADS
from forecast.probing.cells import chosen_cells
from forecast.probing.claims import Claim, judge
from forecast.probing.costs import bidirectional_parameters
from forecast.probing.probe import describe_machine, one_thread, probe_cell
from forecast.probing.results import CellResult, ProbeResult
from forecast.probing.settings import QUICK, ProbeSettings
from forecast.probing.stacks import measure_stacks
from forecast.reporting.probe_figures import figures
from forecast.reporting.probe_page import CLAIM_COLUMNS, COLUMNS, cell_rows, claim_rows, page
from pipelines.console import Console

PAGE, FIGURES = "probe.md", "figures"
STACKED = "stacked"


@final
@dataclass(frozen=True, slots=True)
class Probed:
    """What was measured, what it says of the claims, and the page that was written."""

    result: ProbeResult
    claims: tuple[Claim, ...]
    page: Path


def settings_of(hidden_size: int | None, seed: int, fast: bool) -> ProbeSettings:
    """Returns the sizes of the measurements.

    Raises:
        UsageError: a width that attention cannot split among its heads.
    """
    usual = QUICK if fast else ProbeSettings()
    if hidden_size is not None and hidden_size % HEADS:
        raise UsageError(
            f"the hidden size {hidden_size} is not a multiple of {HEADS}, the heads of the attention to compare with; take one"
        )
    return replace(usual, hidden_size=hidden_size or usual.hidden_size, seed=seed)


def probe(output: Path, names: Sequence[str], settings: ProbeSettings, console: Console) -> Probed:
    """Measures the cells, one after the other, and writes the page and its pictures.

    Args:
        output: Folder of the page; its pictures go into `figures` in it.
        names: Cells; all where none is named. Deep stacks are trained if `stacked` is among them.
        settings: Sizes of the measurements.
        console: Hears of every cell that is done.

    Raises:
        UsageError: a name that is no cell.
        SinkError: the folder cannot be made.
    """
    chosen, start = chosen_cells(names), time.perf_counter()
    _make(output / FIGURES)
    cells, stacks = [], []
    with one_thread(), console.progress("cells", len(chosen) + (STACKED in chosen)) as bar:
        for name, same in chosen.items():
            cells.append(probe_cell(name, same, settings))
            console.note("cell probed", _facts(cells[-1]))
            if bar is not None:
                bar.advance(bar.task_ids[0])
        for stack in measure_stacks(settings) if STACKED in chosen else ():
            stacks.append(stack)
            console.note("stack trained", {"layers": stack.layers, "residual": stack.residual, "loss": round(stack.loss, 4)})
    result = ProbeResult(settings, describe_machine(), tuple(cells), tuple(stacks), bidirectional_parameters(settings.hidden_size),
                         time.perf_counter() - start)  # fmt: skip
    return write(result, output)


def write(result: ProbeResult, output: Path) -> Probed:
    """Writes page and pictures into a folder; what was there of an earlier run is replaced."""
    claims, drawn = judge(result), figures(result)
    for name, picture in drawn.items():
        (output / FIGURES / name).write_text(picture, encoding="utf-8")
    (output / PAGE).write_text(page(result, claims, list(drawn)), encoding="utf-8")
    return Probed(result, claims, output / PAGE)


def show(probed: Probed, console: Console) -> None:
    """Writes the tables to stdout, and where the page is."""
    console.table("Cells", COLUMNS, cell_rows(probed.result), right=COLUMNS[1:], spare=[COLUMNS[7], COLUMNS[3]])
    console.table("What the textbooks say", CLAIM_COLUMNS, claim_rows(probed.claims), spare=[CLAIM_COLUMNS[2]])
    console.result(f"page {probed.page}; pictures {probed.page.parent / FIGURES}")


def _facts(cell: CellResult) -> dict[str, object]:
    recall = {} if cell.recall is None else {"recalls": cell.recall.horizon}
    return {"cell": cell.name, **recall, "parameters": cell.parameters, "microseconds_a_step": round(cell.microseconds, 1),
            "seconds_per_1000_training_steps": round(cell.training, 2), "growth": round(cell.growth.slope, 3),
            "bytes_of_a_step": cell.memory.peak[-1]}  # fmt: skip


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"the folder {folder} cannot be made ({error}); choose another --output") from error
