"""What the textbooks say of recurrent cells, beside what was measured. Each verdict follows a rule that is shown beside it.

It must not measure, and not excuse: a claim that does not hold here says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from forecast.probing.results import ATTENTION, CellResult, ProbeResult, Recall

ELMAN_STEPS, HUNDREDS, THOUSANDS = (10, 20), 100, 1000
FEWER, FEWER_WITHIN = 0.25, 0.01
LINEAR_UP_TO, QUADRATIC_FROM = 1.2, 1.7  # slopes of log time on log length
WORSE = 2.0  # ratio of losses from which a stack is clearly worse; one seed is worth some tens of per cent
DEEP = 4


class Claim(NamedTuple):
    """One claim.

    claim: In words. rule: When it counts as confirmed. measured: In words. holds: None where nothing was measured to tell.
    """

    claim: str
    rule: str
    measured: str
    holds: bool | None


def judge(result: ProbeResult) -> tuple[Claim, ...]:
    """Returns all claims with their verdicts."""
    return (
        _elman(result), _gated(result), _few_thousands(result), _fewer_parameters(result), _trains_faster(result), _linear(result),
        _quadratic(result), _constant_memory(result), _bidirectional(result), _deep_stacks(result),
    )  # fmt: skip


def horizon_text(recall: Recall) -> str:
    """Returns how far back a cell recalls in words: 0, 12, 1,071, "4,096 or more"."""
    return f"{recall.horizon:,}{' or more' if recall.capped else ''}"


def _elman(result: ProbeResult) -> Claim:
    low, high = ELMAN_STEPS
    found = _recalls(result, ["elman"])
    holds = all(low <= recall.horizon <= high for recall in found.values()) if found else None
    return Claim("An Elman net uses 10 to 20 steps of history", f"{low} to {high} steps recalled", _horizons(found), holds)


def _gated(result: ProbeResult) -> Claim:
    found = _recalls(result, ["lstm", "gru"])
    holds = all(recall.horizon >= HUNDREDS for recall in found.values()) if found else None
    return Claim("LSTM and GRU use hundreds of steps", f"{HUNDREDS} steps or more recalled by both", _horizons(found), holds)


def _few_thousands(result: ProbeResult) -> Claim:
    found = _recalls(result, [cell.name for cell in result.recurrent()])
    far = {name: recall for name, recall in found.items() if recall.horizon >= THOUSANDS}
    holds = 2 * len(far) < len(found) if found else None
    measured = f"{len(far)} of {len(found)}" + (f" ({', '.join(far)})" if far else "") if found else _NOTHING
    return Claim("Few cells use thousands of steps", f"less than half of the cells recall {THOUSANDS:,} steps", measured, holds)


def _fewer_parameters(result: ProbeResult) -> Claim:
    gru, lstm = result.cell("gru"), result.cell("lstm")
    claim, rule = "GRU has 25 % fewer parameters than LSTM", "24 to 26 % fewer"
    if gru is None or lstm is None:
        return Claim(claim, rule, _NOTHING, None)
    fewer = 1 - gru.parameters / lstm.parameters
    return Claim(claim, rule, f"{100 * fewer:.1f} % fewer", abs(fewer - FEWER) <= FEWER_WITHIN)


def _trains_faster(result: ProbeResult) -> Claim:
    gru, lstm = result.cell("gru"), result.cell("lstm")
    claim, rule = "GRU trains faster than LSTM", "less time for 1,000 training steps"
    if gru is None or lstm is None:
        return Claim(claim, rule, _NOTHING, None)
    return Claim(claim, rule, f"{gru.training:.1f} s against {lstm.training:.1f} s", gru.training < lstm.training)


def _linear(result: ProbeResult) -> Claim:
    cells = result.recurrent()
    steepest = max(cells, key=lambda cell: cell.growth.slope, default=None)
    measured = _NOTHING if steepest is None else f"slopes {_slopes(cells)}; the steepest is {steepest.name}"
    holds = None if steepest is None else steepest.growth.slope <= LINEAR_UP_TO
    return Claim("Recurrent cost grows linearly with length", f"slope up to {LINEAR_UP_TO} for every cell", measured, holds)


def _quadratic(result: ProbeResult) -> Claim:
    attention = result.cell(ATTENTION)
    measured = _NOTHING if attention is None else f"slope {attention.growth.slope:.2f}"
    holds = None if attention is None else attention.growth.slope >= QUADRATIC_FROM
    return Claim("The cost of attention grows quadratically", f"slope {QUADRATIC_FROM} or more", measured, holds)


def _constant_memory(result: ProbeResult) -> Claim:
    cells = result.recurrent()
    growing = [cell.name for cell in cells if not cell.memory.constant()]
    first, last = result.settings.lengths[0], result.settings.lengths[-1]
    measured = f"the same bytes after {first} and after {last:,} steps in {len(cells) - len(growing)} of {len(cells)} cells"
    measured += f", not in {', '.join(growing)}" if growing else ""
    holds = not growing if cells else None
    return Claim(
        "Inference memory is constant", "not one byte more after more steps, in every cell", measured if cells else _NOTHING, holds
    )


def _bidirectional(result: ProbeResult) -> Claim:
    one, both = result.bidirectional
    return Claim("Bidirectional doubles the parameters", "exactly twice", f"{both / one:.2f} times", both == 2 * one)


def _deep_stacks(result: ProbeResult) -> Claim:
    """Every stack beyond four layers is clearly worse without residual connections."""
    ratios = {}
    for layers in sorted({stack.layers for stack in result.stacks}):
        loss = {stack.residual: stack.loss for stack in result.stacks if stack.layers == layers}
        ratios[layers] = loss[False] / loss[True]
    claim, rule = (
        f"Stacks beyond {DEEP} layers need residuals",
        f"loss without them over {WORSE:g} times as high at every depth beyond {DEEP}",
    )
    measured = "loss without over with: " + ", ".join(f"{ratio:.2f} at {layers} layers" for layers, ratio in ratios.items())
    if not any(layers > DEEP for layers in ratios):
        return Claim(claim, rule, _NOTHING, None)
    return Claim(claim, rule, measured, all(ratio > WORSE for layers, ratio in ratios.items() if layers > DEEP))


_NOTHING = "not measured in this run"


def _recalls(result: ProbeResult, names: Iterable[str]) -> dict[str, Recall]:
    """The recalls of the named cells, none if one of them was not measured."""
    cells = [result.cell(name) for name in names]
    found = {cell.name: cell.recall for cell in cells if cell is not None and cell.recall is not None}
    return found if len(found) == len(cells) else {}


def _horizons(found: dict[str, Recall]) -> str:
    return ", ".join(f"{name} {horizon_text(recall)}" for name, recall in found.items()) or _NOTHING


def _slopes(cells: Iterable[CellResult]) -> str:
    slopes = sorted(cell.growth.slope for cell in cells)
    return f"{slopes[0]:.2f} to {slopes[-1]:.2f}"
