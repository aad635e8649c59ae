"""What carrying the state is worth: the numbers that each family carries, and a night's update beside predicting again.

    python benchmarks/state.py [--parts spec,update,step] [--series 100000] [--repeat 3] [--output LINES.jsonl]

    spec    for every encoder: shapes and floats of the carried state of one series at LAGS lags, beside states x layers x hidden +
            lags + 16, the bound for `elman`, `lstm` and `gru`
    update  one GRU of 128, daily, horizon 28, nine levels; all series have STEPS rows. In the same run, of the same rows: `update` by
            one observation, `predict` from the whole history, and a cold start from the lead and `burn_in` rows. Processor seconds of
            the whole call and of the network alone, medians over the repetitions, and the largest difference of the forecasts
    step    microseconds of one observation of one series; see state_step.py

Each line is one JSON object. One thread: OMP_NUM_THREADS=1 and what README.md says of the allocator are set where they are not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from forecast.core.arrays import FloatArray
    from forecast.core.panel import Panel
    from forecast.networks.forecasting_network import ForecastingNetwork
    from forecast.neural.forecaster import NeuralForecaster

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "OMP_WAIT_POLICY": "PASSIVE",
}
LEVELS = tuple(round(0.1 * n, 1) for n in range(1, 10))
LAGS, STEPS, HORIZON, SEASON = 168, 130, 28, 7
BOUNDED = {"elman": 1, "lstm": 2, "gru": 1}  # tensors of state of one layer
TRAINED_ON, TRAINING_STEPS = 500, 40

Line = dict[str, Any]


def spec() -> Iterator[Line]:
    """Yields what each family carries of one series, with its own defaults, hourly seasons and horizon 48."""
    from forecast.networks.build import build_model
    from forecast.networks.covariates import Columns
    from forecast.networks.settings import EncoderName
    from forecast.neural.registry import NEURAL

    for encoder in get_args(EncoderName):
        forecaster: Any = NEURAL[encoder](horizon=48, levels=LEVELS, season_lengths=(24, 168), lags=LAGS)
        network = build_model(forecaster.settings, horizon=48, levels=LEVELS, season_lengths=(24, 168), columns=Columns())
        state = network.initial_state(1)
        hidden = forecaster.settings.hidden_size
        bound = BOUNDED[encoder] * hidden + LAGS + 16 if encoder in BOUNDED else None
        yield {"part": "spec", "encoder": encoder, "floats": state.floats_per_series(), "bound": bound, "carries": network.carries,
               "parts": {name: list(shape) for name, shape in state.spec().items()}}  # fmt: skip


def daily_panel(series: int, steps: int, seed: int = 0) -> Panel:
    """Returns daily series with a weekly pattern, a wandering level and noise, of all sizes; one row in fifty is missing."""
    import numpy as np

    from forecast.core.frequency import Frequency
    from forecast.core.panel import Panel

    chance, t = np.random.default_rng(seed), np.arange(steps)
    size = 10 ** chance.uniform(0, 4, (series, 1))
    level = 5 + 0.05 * chance.normal(size=(series, steps)).cumsum(axis=1)
    week = chance.normal(size=(series, SEASON))[:, t % SEASON]
    y = size * (level + 0.5 * week + 0.2 * chance.normal(size=(series, steps)))
    y[:, 1:][chance.random((series, steps - 1)) < 0.02] = np.nan
    frequency = Frequency.parse("D", (SEASON,))
    ids = np.array([f"series-{number:07d}" for number in range(series)], dtype=object)
    nothing = np.zeros((series * steps, 0))
    return Panel(frequency, ids, np.arange(series + 1) * steps, np.full(series, 19_000), y.reshape(-1), nothing, nothing,
                 np.zeros((series, 0)))  # fmt: skip


class Clock:
    """Processor seconds inside a network's `predict`.

    Args:
        network: Whose; the method of this one object is replaced by one that is timed.
    """

    def __init__(self, network: ForecastingNetwork) -> None:
        self.inside, plain = 0.0, network.predict

        def timed(*arguments: Any) -> Any:
            begin = time.process_time()
            result = plain(*arguments)
            self.inside += time.process_time() - begin
            return result

        network.predict = timed  # type: ignore[method-assign]

    def measure(self, act: Callable[[], Any]) -> tuple[float, float, Any]:
        """Returns processor seconds of the act and of the network in it, and what the act gives."""
        self.inside, begin = 0.0, time.process_time()
        result = act()
        return time.process_time() - begin, self.inside, result


def trained(name: str = "gru") -> NeuralForecaster:
    """Returns the forecaster of part `update`, trained a little: its speed does not depend on how much."""
    from forecast.neural.registry import NEURAL

    forecaster: Any = NEURAL[name](
        horizon=HORIZON,
        levels=LEVELS,
        season_lengths=(SEASON,),
        hidden_size=128,
        max_steps=TRAINING_STEPS,
        validate_every=TRAINING_STEPS,
    )
    forecaster.fit(daily_panel(TRAINED_ON, 500, seed=1))
    return forecaster  # type: ignore[no-any-return]


def update(series: int, repeat: int) -> Iterator[Line]:
    """Yields processor seconds of a night's update, of predicting again, and of a cold start; see the module."""
    import numpy as np

    from forecast.neural.carried_state import start
    from forecast.neural.carried_state import update as fed

    forecaster, panel = trained(), daily_panel(series, STEPS)
    clock, before, rows = Clock(forecaster.network), panel.until(panel.ends - 1), panel.after(panel.ends - 1)
    begin = time.process_time()
    state = start(forecaster, before)
    started = time.process_time() - begin
    acts: Mapping[str, Callable[[], Any]] = {
        "update": lambda: fed(forecaster, state, rows)[0].quantiles,
        "predict from the whole history": lambda: forecaster.predict(panel).quantiles,
        "cold start from the lead and burn_in rows": lambda: cold(forecaster, panel),
    }
    found: dict[str, list[tuple[float, float, FloatArray]]] = {name: [] for name in acts}
    for _ in range(repeat):
        for name, act in acts.items():
            found[name].append(clock.measure(act))
    whole = median(inside for _, inside, _ in found["update"])
    expected = found["predict from the whole history"][0][2]
    unit = np.nanmax(np.abs(expected), axis=(1, 2), keepdims=True)
    for name, times in found.items():
        inside = median(inside for _, inside, _ in times)
        yield {"part": "update", "what": name, "series": series, "burn_in": forecaster.burn_in, "cpu_s": round(median(t for t, _, _ in times), 3),
               "network_cpu_s": round(inside, 3), "network_over_update": round(inside / whole, 2),
               "difference": float((np.abs(times[0][2] - expected) / unit).max()), "repetitions": repeat}  # fmt: skip
    yield {
        "part": "update",
        "what": "start",
        "series": series,
        "cpu_s": round(started, 3),
        "floats": state.network.floats_per_series(),
    }


def cold(forecaster: NeuralForecaster, panel: Panel) -> FloatArray:
    """Returns the quantiles after a cold start that reads no more than the lead and the burn-in of each series."""
    import numpy as np

    from forecast.neural.burn_in import states_inside
    from forecast.neural.inference import feed_panel

    steps = forecaster.burn_in if forecaster.burn_in is not None else STEPS
    first = np.maximum(panel.lengths - steps, 0)
    block, _ = feed_panel(forecaster.network, panel.tail(steps), states_inside(forecaster.network, panel, first))
    return forecaster.frame_of(panel.tail(steps), [block]).quantiles


def step() -> Iterator[Line]:
    """Yields the lines of state_step.py, where that is."""
    if find_spec("benchmarks.state_step") is None:
        yield {"part": "step", "note": "benchmarks/state_step.py is not here"}
        return
    yield from import_module("benchmarks.state_step").measure()


def main(arguments: list[str] | None = None) -> None:
    """Runs the parts that are asked for and prints their lines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", default="spec,update,step")
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args(arguments)
    parts = {"spec": spec, "update": lambda: update(given.series, given.repeat), "step": step}
    lines = []
    for name in given.parts.split(","):
        for line in parts[name]():
            lines.append(json.dumps(line))
            print(lines[-1], flush=True)
    if given.output is not None:
        given.output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    if any(name not in os.environ for name in ENVIRONMENT):  # the allocator reads them when the process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], ENVIRONMENT | os.environ)
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()
