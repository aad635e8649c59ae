"""The probe as a page: the table, the claims of the textbooks beside it, the pictures, and how each number came about.

It must not measure or judge: it puts into words what `probing` found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from forecast.probing.claims import Claim, horizon_text
from forecast.probing.results import ATTENTION, CellResult, ProbeResult
from forecast.reporting.probe_figures import bytes_text
from forecast.reporting.probe_method import method
from forecast.reporting.wording import NOT_MEASURED, number, seconds

COLUMNS = (
    "cell",
    "recalls, steps back",
    "parameters",
    "state, floats",
    "µs a step",
    "s per 1,000 training steps",
    "growth",
    "memory of a step",
)
CLAIM_COLUMNS = ("claim", "measured here", "counts as confirmed", "holds")
_CAPTIONS = {
    "probe_recall.svg": "How far back a value can be recalled, for each cell",
    "probe_growth.svg": "Time of reading a series against its length",
    "probe_memory.svg": "Bytes kept from step to step against the steps read",
    "probe_cost.svg": "Parameters, time of a step and time of training of each cell",
    "probe_stacks.svg": "Loss of stacks of 2, 4 and 8 layers with and without residuals",
}


def cell_rows(result: ProbeResult) -> list[list[str]]:
    """Returns the cells of the main table as text, one row for each cell, in the order of `COLUMNS`."""
    return [_row(cell) for cell in result.cells]


def claim_rows(claims: Iterable[Claim]) -> list[list[str]]:
    """Returns the cells of the table of claims as text, in the order of `CLAIM_COLUMNS`."""
    verdicts = {True: "yes", False: "no", None: NOT_MEASURED}
    return [[claim.claim, claim.measured, claim.rule, verdicts[claim.holds]] for claim in claims]


def page(result: ProbeResult, claims: Sequence[Claim], pictures: Sequence[str]) -> str:
    """Returns the page as Markdown. pictures: Names of the files in the folder `figures` beside it."""
    shown = [f"![{_CAPTIONS[name]}](figures/{name})" for name in _CAPTIONS if name in pictures]
    return "\n\n".join([_opening(result), _table(COLUMNS, cell_rows(result), numbers=True), _same(result), "## What the textbooks say",
                        _VERDICTS, _table(CLAIM_COLUMNS, claim_rows(claims)), "## Pictures", *shown, method(result.settings)]) + "\n"  # fmt: skip


def _row(cell: CellResult) -> list[str]:
    recall = NOT_MEASURED if cell.recall is None else horizon_text(cell.recall)
    return [cell.name, recall, f"{cell.parameters:,}", f"{cell.state:,}" if cell.name != ATTENTION else "grows", number(cell.microseconds, 1),
            number(cell.training, 1), f"{cell.growth.slope:.2f}", bytes_text(cell.memory.peak[-1])]  # fmt: skip


def _opening(result: ProbeResult) -> str:
    small = (
        " **A small run (`--quick`): it shows that the probe works and says nothing of the cells.**"
        if result.settings.small()
        else ""
    )
    return (
        "# Recurrent cells, probed\n\n"
        "What each cell remembers and costs, measured in one run. This page, its table and its pictures are written by "
        "`forecast probe --output docs`; nothing in it is edited by hand.\n\n"
        f"Measured on {result.machine}, in {seconds(result.seconds)}. Costs at hidden size {result.settings.hidden_size}; what is learned, "
        f"at {result.settings.recall_size}.{small}"
    )


def _same(result: ProbeResult) -> str:
    names = [f"`{', '.join(cell.same)}` with that of `{cell.name}`" for cell in result.cells if cell.same]
    readers = f" Models that read with an encoder of the table have no row of their own: {'; '.join(names)}." if names else ""
    return f"`attention` is one causal attention layer, for comparison: it keeps every step, so it is not asked what it recalls.{readers}"


_VERDICTS = (
    'Each claim has a rule for when it counts as confirmed. A "no" is a finding about these cells, this task and this machine, not a '
    "refutation."
)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = False) -> str:
    """A Markdown table; all columns but the first are numbers where that is said."""
    rule = ["---", *(["---:" if numbers else "---"] * (len(columns) - 1))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (columns, rule, *rows))
