"""One step of a network from its carried state, beside a bare torch cell with an output product, in one run on one thread.

    python benchmarks/state_step.py [--calls 1000] [--markdown]

The network is a GRU of 128 with 168 lags, seasons of 24 and 168 hours, horizon 48 and 9 levels, its weights random: time does not
depend on them. All contenders take turns, one call each, so that a busy machine is busy for all of them; medians in microseconds.
`bare` is nn.GRU(168 -> 128) and nn.Linear(128 -> 48 * 9) on one step; `bare, own width` has as many outputs as the network makes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout that this script lies in is what is measured

import numpy as np
import torch

from forecast.core.arrays import FloatArray
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.exporting.made_panel import made_panel
from forecast.exporting.quantisation import to_int8
from forecast.exporting.replay import ExportedStep
from forecast.exporting.step_graph import StepGraph
from forecast.networks.one_step import lay_out
from forecast.neural.carried_state import CarriedState, read_step, start
from forecast.neural.fast_step import Stepper
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.registry import NEURAL

HIDDEN, LAGS, HORIZON, SEASONS = 128, 168, 48, (24, 168)
LEVELS = tuple(round(0.1 * n, 1) for n in range(1, 10))
LIMITS = {"step": 3.0, "exported": 1.5}
Call = Callable[[], object]


def measure(calls: int = 1000) -> Iterator[dict[str, Any]]:
    """Yields a line for each contender: name, median microseconds, the ratio to the bare cell, and to that of the own width."""
    contenders = _contenders()
    with torch.inference_mode():
        times = _in_turns(contenders, calls)
    middle = {name: float(np.median(taken)) for name, taken in times.items()}
    for name, microseconds in middle.items():
        yield {
            "name": name, "microseconds": round(microseconds, 1), "of_bare": round(microseconds / middle["bare"], 2),
            "of_bare_own_width": round(microseconds / middle["bare, own width"], 2), "calls": calls,
        }  # fmt: skip


def table(lines: list[dict[str, Any]]) -> str:
    """Returns the lines as a Markdown table."""
    rows = [f"| {one['name']} | {one['microseconds']} | {one['of_bare']} | {one['of_bare_own_width']} |" for one in lines]
    return "\n".join(["| What | microseconds | of bare | of bare, own width |", "|---|---|---|---|", *rows])


def _contenders() -> Mapping[str, Call]:
    panel = made_panel(Frequency.parse("h", SEASONS), Roles(), SEASONS, 400)
    one = panel.take(np.array([0]))
    plain, told = _fitted(panel, calendar=False), _fitted(panel, calendar=True)
    outputs = lay_out(plain.network, plain.settings).numbers * HORIZON
    found: dict[str, Call] = {"bare": _bare(HORIZON * len(LEVELS)), "bare, own width": _bare(outputs)}
    y = np.array([101.0])
    for name, forecaster in (("step", plain), ("step, told the calendar", told)):
        found[name] = _step_of(forecaster, start(forecaster, one), y)
    state = start(plain, one).network
    found["step by the general way"] = lambda: read_step(plain, state, y)
    model = StepGraph(lay_out(plain.network, plain.settings)).model({})
    for name, data in (("exported", model.SerializeToString()), ("exported, int8", to_int8(model).SerializeToString())):
        found |= _sessions(name, data)
    return found


def _fitted(panel: Panel, *, calendar: bool) -> NeuralForecaster:
    forecaster = NEURAL["gru"](
        horizon=HORIZON, levels=LEVELS, season_lengths=SEASONS, lags=LAGS, hidden_size=HIDDEN, calendar=calendar, max_steps=1,
        validate_every=0, batch_size=2,
    )  # fmt: skip
    forecaster.fit(panel)
    return forecaster


def _bare(outputs: int) -> Call:
    cell, product = torch.nn.GRU(LAGS, HIDDEN, batch_first=True), torch.nn.Linear(HIDDEN, outputs)
    x, h = torch.randn(1, 1, LAGS), torch.zeros(1, 1, HIDDEN)
    return lambda: product(cell(x, h)[0])


def _step_of(forecaster: NeuralForecaster, state: CarriedState, y: FloatArray) -> Call:
    stepper, ordinals = Stepper(forecaster), state.ends + 1
    return lambda: stepper.step(state.network, y, ordinals)


def _sessions(name: str, data: bytes) -> Mapping[str, Call]:
    """A session that is handed numpy arrays, and one whose inputs and outputs are bound."""
    model = ExportedStep(data)
    rng = np.random.default_rng(0)
    given = {key: rng.normal(100.0, 1.0, (1, *shape)).astype(kind) for key, (shape, kind) in model.inputs.items()}
    bound = model.bound(given)
    return {name: lambda: model.session.run(None, given), f"{name}, bound": lambda: model.session.run_with_iobinding(bound)}


def _in_turns(contenders: Mapping[str, Call], calls: int) -> Mapping[str, list[float]]:
    """Microseconds of every call. A contender has ten calls at a stretch: caches are warm as in a stream, others wait not long."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(calls // 10):
        for name, call in contenders.items():
            call()
            for _ in range(10):
                begin = time.perf_counter_ns()
                call()
                times[name].append((time.perf_counter_ns() - begin) / 1e3)
    return times


def main() -> int:
    """Prints a JSON line for each contender, or the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/export.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = list(measure(options.calls))
    print(table(lines) if options.markdown else "\n".join(map(json.dumps, lines)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
