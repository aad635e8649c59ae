"""The Markdown table of measured lines beside what was asked for. It must not measure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from benchmarks.interval_coverage import NOMINAL
from benchmarks.made_panels import NOTHING_TO_LEARN, STRUCTURED

Line: TypeAlias = Mapping[str, Any]

_PEERS_SHOWN = 3
_HEAD = """# Accuracy

Written by `python benchmarks/accuracy.py ... --table docs/accuracy.md`; a run replaces it. `benchmarks/README.md` says what is measured and how.
One default configuration for all sets, fitted on a set's own training part. Peers: the model's number over the peer's, below 1 is better, with the
95 % interval of a paired bootstrap over series; the nearest ones of those run. MB: all processes of the model together, at their peak.
"""


@final
@dataclass(frozen=True, slots=True)
class Target:
    """A number that is asked for: names it may have in a line (the scorer's first), how it is called, and its limits from above."""

    keys: tuple[str, ...]
    title: str
    must: float | None = None
    goal: float | None = None

    @property
    def metric(self) -> str:
        """The name among the ratios to peers."""
        return self.keys[-1]


def _smape(must: float, goal: float) -> tuple[Target, ...]:
    return (Target(("sMAPE", "smape"), "sMAPE", must, goal),)


def _mse(must: float, goal: float) -> tuple[Target, ...]:
    return Target(("mse",), "MSE", must, goal), Target(("mae",), "MAE")


_MASE, _WQL = Target(("MASE", "mase"), "MASE"), Target(("WQL", "wql"), "WQL")
_RMSSE, _MAE = Target(("rmsse",), "RMSSE"), Target(("mae",), "MAE")

TARGETS: Mapping[str, tuple[Target, ...]] = {
    "m4_hourly": (Target(("OWA", "owa"), "OWA", 0.40, 0.36),),
    "m3_monthly": _smape(13.4, 13.0),
    "m3_quarterly": _smape(8.9, 8.6),
    "m3_yearly": _smape(15.7, 15.1),
    "m3_other": _smape(4.4, 4.2),
    "etth1/96": _mse(0.368, 0.35),
    "etth1/192": _mse(0.408, 0.39),
    "etth1/336": _mse(0.444, 0.41),
    "etth1/720": _mse(0.446, 0.42),
    "m5_sample": (_RMSSE, _MASE, _WQL),
    "load": (_MAE, _MASE, _WQL),
    "nn5_daily": (_MASE, _WQL),
    "rossmann": (_MASE, _WQL),
    **{name: (Target(("best_ratio",), "MASE over the best simple model's", 1.02, 1.0),) for name in NOTHING_TO_LEARN},
    **{name: (_MASE, Target(("best_ratio",), "MASE over the best simple model's", None, 1.0)) for name in STRUCTURED},
}


def render(lines: Iterable[Line]) -> str:
    """Returns the document: a section for each part, model and arguments; of several lines of one set the last one counts.

    The budget is a cost, not another model: it is a column.
    """
    groups: dict[str, dict[str, Line]] = {}
    for line in lines:
        groups.setdefault(_title(line), {})[line["panel"]] = line
    sections = [_section(title, found) for title, found in groups.items()] or [_section("Nothing measured yet", {})]
    return "\n".join([_HEAD, *sections])


def _title(line: Line) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in line["arguments"].items() if name != "budget")
    made = line["panel"] in {*NOTHING_TO_LEARN, *STRUCTURED}  # what is scored of them is held back, like a test part
    part = {"test": "Test part", "validation": "Validation: the end of the training part"}["test" if made else line["part"]]
    with_covariates = " and covariates" if line.get("covariates") else ""
    return f"{part}, `{line['model']}`{with_covariates}{f' ({arguments})' if arguments else ''}"


def _section(title: str, found: Mapping[str, Line]) -> str:
    everything = title.endswith("`auto`") or not found  # of the default it is also seen what was not measured
    names = [name for name in [*TARGETS, *sorted(found.keys() - TARGETS.keys())] if everything or name in found]
    rows = [row for name in names for row in _rows(name, found.get(name))]
    head = ["Set", "Metric", "Must", "Goal", "Found", "Peers", "Budget", "Seconds", "MB"]
    return "\n".join([f"## {title}", "", _row(head), _row(["---"] * len(head)), *map(_row, rows), ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rows(name: str, line: Line | None) -> list[list[str]]:
    """The rows of one set: its targets, then coverage and the seasonal naive's quantile loss where they were measured."""
    rows = []
    for target in TARGETS.get(name, (_MASE, _WQL)):
        value = None if line is None else next((line[key] for key in target.keys if line.get(key) is not None), None)
        peers = "" if line is None else _peers(line.get("ratios", ()), target.metric)
        rows.append([name, target.title, _shown(target.must), _shown(target.goal), _judged(value, target), peers])
    if line is not None and line.get("coverage_80") is not None:
        verdict = "" if line["coverage_ok"] else " **(off)**"
        found = f"{line['coverage_80']:.3f} ± {_shown(line['coverage_se'])}{verdict}"
        rows.append([name, "coverage of 80 %", f"{NOMINAL} ± max(0.05, 2 se)", "", found, ""])
        loss = next((line[key] for key in ("WQL", "wql") if line.get(key) is not None), None)
        rows.append([name, "WQL", "below the seasonal naive", "", _shown(loss), f"seasonal_naive {_shown(line.get('snaive_wql'))}"])
    budget = "" if line is None else str(line["arguments"].get("budget", ""))
    costs = [""] * 3 if line is None else [budget, f"{line['seconds']:.0f}", f"{line['peak_mb']:.0f}"]
    return [[*row, *(costs if first == 0 else [""] * 3)] for first, row in enumerate(rows)]


def _judged(value: float | None, target: Target) -> str:
    """The number; bold where it misses what must be."""
    missed = value is not None and target.must is not None and value > target.must
    return f"**{_shown(value)}**" if missed else _shown(value)


def _peers(ratios: Iterable[Mapping[str, Any]], metric: str) -> str:
    """The strongest peers by one metric: those with the highest ratios."""
    of_metric = [r for r in ratios if r["metric"] == metric and r["ratio"] is not None]
    strongest = sorted(of_metric, key=lambda r: -r["ratio"])[:_PEERS_SHOWN]
    return "; ".join(f"{r['peer']} {r['ratio']:.3f} [{_shown(r['low'])}, {_shown(r['high'])}]" for r in strongest)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
