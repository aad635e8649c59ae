"""How fast a network learns, beside neuralforecast, beside its own bare loop and beside torch's bare kernel, in one run.

    python benchmarks/train_speed.py FOLDER --cache CACHE [--parts abcde] [--threads 1] [--output FILE.json] [--short]

FOLDER holds a panel (see README.md beside this file), CACHE the peer's environment, which is made at the first run. Hidden size,
context, horizon, quantile levels and threads are equal on both sides, everything else is each side's default. Parts:

    a  supervised origins per second of this library: SegmentData, Lightning and ForecastingModule, as in NeuralForecaster.fit
    b  the same of neuralforecast, once with as many layers as we have (1) and once with its default
    c  our network on one batch that is there already, in a plain loop: (a) / (c) is what data and Lightning leave of the speed
    d  torch's recurrent layer alone, forward and backward, on inputs of the same size: what is below every network
    e  processor seconds of training to a MASE on the last H rows of the training part that all runs of the peer reach; the
       forecasts that are judged are made after the training, from copies of the weights

A supervised origin is a forecast origin with at least one target that counts in the loss. We count those that have a past, a scale
and an observed target, in the very batches that were trained on; for the peer a window that its loss gets with at least one target
let through by its mask. The clock starts with the first batch, after the data were prepared; the first steps are left out. Every
measurement is a process of its own; those of all parts take turns, so that a busy machine is busy for all; rates are medians over
the repetitions. `per CPU second` divides by the processor time of the process: with one thread that is the rate on a free machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, final

import numpy as np
import pandas as pd

from forecast.core.arrays import FloatArray

HERE = Path(__file__).resolve().parent
PEER_PINS = ("torch==2.13.0", "neuralforecast==3.3.0")  # torch first: its own build stays, whatever else would be fetched
ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184", "OMP_WAIT_POLICY": "PASSIVE"}
CELLS = ("gru", "lstm")
LEVELS = tuple(round(0.1 * n, 1) for n in range(1, 10))
PEER_LAYERS = 2  # its default
UNLIMITED = 1e9

Tick = tuple[float, float, int]  # seconds, processor seconds and supervised origins since the first batch


@final
@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: warm-up and measured steps of ours, of the peer and of bare loops, repetitions, and what part e takes."""

    warm_up: int
    ours: int
    peer: int
    loops: int
    repetitions: int
    seeds: int
    limit: float
    peer_steps: int
    our_steps: int


FULL = Sizes(warm_up=5, ours=25, peer=60, loops=20, repetitions=3, seeds=3, limit=120.0, peer_steps=1000, our_steps=400)
SHORT = Sizes(warm_up=1, ours=2, peer=3, loops=2, repetitions=1, seeds=1, limit=8.0, peer_steps=40, our_steps=20)


@final
@dataclass(frozen=True, slots=True)
class Rate:
    """Supervised origins per second and per processor second, milliseconds per step and supervised origins per step."""

    wall: float
    cpu: float
    step_ms: float
    origins: float


def rate(ticks: Sequence[Tick], warm_up: int) -> Rate:
    """Returns the rate of the steps after the first `warm_up`.

    Raises:
        ValueError: no step is left.
    """
    if len(ticks) - 1 <= warm_up:
        raise ValueError(f"{len(ticks) - 1} steps with {warm_up} of warm-up: nothing is left to measure")
    first, last, steps = ticks[warm_up], ticks[-1], len(ticks) - 1 - warm_up
    wall, cpu, origins = (b - a for a, b in zip(first, last, strict=True))
    return Rate(origins / wall, origins / cpu, 1000 * cpu / steps, origins / steps)


def middle(rates: Sequence[Rate]) -> Rate:
    """Returns the medians of several rates, each number on its own."""
    return Rate(*(median(values) for values in zip(*(asdict(one).values() for one in rates), strict=True)))


def speed_table(rates: Mapping[str, Rate], against: str) -> list[str]:
    """Returns the lines of a table of rates; the last column is each rate per processor second over that of the row `against`."""
    lines = [f"{'':34}{'origins/s':>11}{'per CPU s':>11}{'CPU ms/step':>13}{'origins/step':>14}{'ratio':>9}"]
    for name, one in rates.items():
        share = f"{one.cpu / rates[against].cpu:9.2f}" if against in rates else f"{'-':>9}"
        lines.append(f"{name:34}{one.wall:11,.0f}{one.cpu:11,.0f}{one.step_ms:13.1f}{one.origins:14.1f}{share}")
    return lines


def mase(forecasts: FloatArray, actual: FloatArray, unit: FloatArray) -> FloatArray:
    """Returns the MASE of each copy: the mean over series of the mean absolute error of the steps over the series' own unit.

    Args:
        forecasts: Medians. Shape [copies, N, H].
        actual: Shape [N, H].
        unit: Mean absolute seasonal difference of the rows before; series where it is 0 are left out. Shape [N].
    """
    some = unit > 0
    errors = np.abs(forecasts - actual).mean(axis=-1)
    return np.asarray((errors[:, some] / unit[some]).mean(axis=1))


def reachable(curves: Sequence[FloatArray]) -> float:
    """Returns the lowest MASE that every one of the curves comes down to."""
    return max(float(curve.min()) for curve in curves)


def seconds_to(target: float, seconds: Sequence[float], curve: FloatArray) -> float | None:
    """Returns the seconds at the first copy whose MASE is not above the target; None where there is none."""
    reached = np.flatnonzero(curve <= target)
    return float(seconds[int(reached[0])]) if len(reached) else None


def middle_seconds(found: Sequence[float | None]) -> float | None:
    """Returns the median of the seconds; None where the middle run did not get there, for which a limit is no number."""
    value = median([float("inf") if one is None else one for one in found])
    return None if value == float("inf") else value


def peer_python(cache: Path) -> Path:
    """Returns the interpreter of the peer's environment, which is made where it is missing or of other versions."""
    folder = cache / "-".join(PEER_PINS).replace("==", "-")
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        for pin in PEER_PINS:
            held = PEER_PINS[:1] if pin != PEER_PINS[0] else ()
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", pin, *held], check=True)
        done.write_text("\n".join(PEER_PINS))
    return python


@final
@dataclass(frozen=True, slots=True)
class Bench:
    """One run: where the tables are, what is equal on both sides, and the interpreters of the two."""

    table: Path
    shared: Mapping[str, Any]
    python: Path | None
    sizes: Sizes

    def ours(self, measure: str, cell: str, steps: int, **extra: object) -> dict[str, Any]:
        """Returns what a process of this library has measured."""
        request = self._request(cell, steps) | {"measure": measure} | extra
        environment = self._environment() | {"PYTHONPATH": str(HERE.parent)}
        return _answer([sys.executable, str(HERE / "train_speed_ours.py"), json.dumps(request)], environment)

    def peer(self, cell: str, steps: int, layers: int, **extra: object) -> dict[str, Any]:
        """Returns what a process of neuralforecast has measured."""
        request = self._request(cell, steps) | {"layers": layers} | extra
        environment = {name: value for name, value in self._environment().items() if name != "PYTHONPATH"}
        return _answer([str(self.python), str(HERE / "train_speed_peer.py"), json.dumps(request)], environment)

    def _request(self, cell: str, steps: int) -> dict[str, Any]:
        plain = {"table": str(self.table), "cell": cell, "steps": steps, "seed": 0, "copy_every": 0, "limit": UNLIMITED}
        return plain | dict(self.shared)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **ALLOCATOR, "OMP_NUM_THREADS": str(self.shared["threads"])}


def _answer(command: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{Path(command[1]).name} failed:\n{done.stderr[-3000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def speeds(bench: Bench, parts: str) -> dict[str, dict[str, Rate]]:
    """Returns the rates of the parts a to d, by cell and name, medians over the repetitions."""
    sizes, found = bench.sizes, {cell: dict[str, list[Rate]]() for cell in CELLS}
    for _ in range(sizes.repetitions):
        for cell in CELLS:
            for name, ticks in _one_round(bench, parts, cell):
                found[cell].setdefault(name, []).append(rate(ticks, sizes.warm_up))
    return {cell: {name: middle(rates) for name, rates in rows.items()} for cell, rows in found.items()}


def _one_round(bench: Bench, parts: str, cell: str) -> Iterator[tuple[str, list[Tick]]]:
    sizes = bench.sizes
    if "a" in parts:
        yield "a this library", bench.ours("train", cell, sizes.warm_up + sizes.ours)["ticks"]
    if "b" in parts:
        yield "b neuralforecast, 1 layer", bench.peer(cell, sizes.warm_up + sizes.peer, 1)["ticks"]
        yield f"b neuralforecast, {PEER_LAYERS} layers", bench.peer(cell, sizes.warm_up + sizes.peer, PEER_LAYERS)["ticks"]
    if "c" in parts:
        yield "c our network, bare loop", bench.ours("loop", cell, sizes.warm_up + sizes.loops)["ticks"]
    if "d" in parts:
        yield "d torch's layer alone", bench.ours("kernel", cell, sizes.warm_up + sizes.loops)["ticks"]


def races(bench: Bench, held_back: pd.DataFrame, work: Path) -> dict[str, Any]:
    """Returns part e: by cell the target, the processor seconds of each seed of each side, and their medians."""
    sizes, out = bench.sizes, {}
    actual, unit = judged_by(pd.read_parquet(bench.table), held_back, bench.shared["seasons"][0])
    for cell in CELLS:
        runs: dict[str, list[tuple[list[float], FloatArray]]] = {"peer": [], "ours": []}
        for seed in range(1, sizes.seeds + 1):
            for side in runs:
                file = work / f"{side}-{cell}-{seed}.npy"
                extra = {"seed": seed, "limit": sizes.limit, "forecasts": str(file)}
                answer = (bench.peer(cell, sizes.peer_steps, 1, copy_every=max(sizes.peer_steps // 20, 1), **extra) if side == "peer"
                          else bench.ours("train", cell, sizes.our_steps, copy_every=max(sizes.our_steps // 40, 1), **extra))  # fmt: skip
                runs[side].append(([copy[2] for copy in answer["copies"]], mase(np.load(file), actual, unit)))
        target = reachable([curve for _, curve in runs["peer"]])
        seconds = {side: [seconds_to(target, *one) for one in curves] for side, curves in runs.items()}
        curves = {side: [{"seconds": s, "mase": c.tolist()} for s, c in one] for side, one in runs.items()}
        out[cell] = {"target": target, "limit": sizes.limit, "seconds": seconds, "curves": curves,
                     "medians": {side: middle_seconds(found) for side, found in seconds.items()}}  # fmt: skip
    return out


def judged_by(before: pd.DataFrame, after: pd.DataFrame, season: int) -> tuple[FloatArray, FloatArray]:
    """Returns the values to forecast [N, H] and the mean absolute seasonal difference of the rows before [N], ids ascending."""
    actual = np.stack([rows.to_numpy() for _, rows in after.sort_values(["unique_id", "ds"]).groupby("unique_id")["y"]])
    ordered = before.sort_values(["unique_id", "ds"]).groupby("unique_id")["y"]
    return actual, np.array([np.nanmean(np.abs(np.diff(y, n=1) if season == 1 else y[season:] - y[:-season]))
                             for y in (rows.to_numpy() for _, rows in ordered)])  # fmt: skip


def race_lines(cell: str, found: Mapping[str, Any]) -> list[str]:
    """Returns what part e has to say of one cell."""

    def shown(value: float | None) -> str:
        return f"not reached within {found['limit']:.0f} CPU s" if value is None else f"{value:.1f} CPU s"

    ours, peer = (found["medians"][side] for side in ("ours", "peer"))
    ratio = "-" if ours is None or peer is None else f"{peer / ours:.1f}"
    lines = [f"{cell}: validation MASE {found['target']:.3f} after {shown(ours)} here, {shown(peer)} of the peer, ratio {ratio}"]
    return lines + [f"  {side:5} by seed: {', '.join(map(shown, found['seconds'][side]))}" for side in ("ours", "peer")]


def split(folder: Path, horizon: int, work: Path) -> tuple[Path, pd.DataFrame]:
    """Returns the table of the training part without the last H rows of each series, and those rows."""
    frame = pd.read_parquet(folder / "train.parquet").sort_values(["unique_id", "ds"])
    last = frame.groupby("unique_id").cumcount(ascending=False) < horizon
    file = work / "before.parquet"
    frame[~last].to_parquet(file, index=False)
    return file, frame[last]


def sizes_of(options: argparse.Namespace) -> Sizes:
    """Returns how much is measured: the full or the short amounts, with what the command line changes."""
    changes = {name: getattr(options, name) for name in ("repetitions", "seeds", "limit") if getattr(options, name) is not None}
    if options.steps is not None:
        changes |= {"ours": options.steps, "loops": options.steps, "peer": 2 * options.steps}
    return replace(SHORT if options.short else FULL, **changes)


def run(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Measures the parts that are asked for, prints their tables and returns everything."""
    meta, sizes = json.loads((options.folder / "meta.json").read_text()), sizes_of(options)
    needs_peer = bool(set("be") & set(options.parts))
    shared = {"frequency": meta["frequency"], "seasons": meta["seasons"], "horizon": meta["horizon"], "levels": LEVELS,
              "context": 168, "hidden_size": 128, "threads": options.threads}  # fmt: skip
    table, held_back = split(options.folder, meta["horizon"], work)
    bench = Bench(table, shared, peer_python(options.cache) if needs_peer else None, sizes)
    result: dict[str, Any] = {"panel": options.folder.name, **shared, "peer": PEER_PINS, "sizes": asdict(sizes)}
    if set("abcd") & set(options.parts):
        found = speeds(bench, options.parts)
        result["speeds"] = {cell: {name: asdict(one) for name, one in rows.items()} for cell, rows in found.items()}
        for cell, rows in found.items():
            print("\n".join([f"\n{cell}", *speed_table(rates=rows, against="b neuralforecast, 1 layer")]), flush=True)
    if "e" in options.parts:
        result["races"] = races(bench, held_back, work)
        print("\n" + "\n".join(line for cell, found in result["races"].items() for line in race_lines(cell, found)), flush=True)
    return result


def main() -> int:
    """Reads the command line, measures, and writes the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="where the peer's environment is kept")
    parser.add_argument("--parts", default="abcde")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--short", action="store_true", help="a few steps of everything, to see that it runs")
    parser.add_argument("--steps", type=int, help="steps measured in the parts a to d; the peer takes twice as many")
    parser.add_argument("--repetitions", type=int, help="of the parts a to d")
    parser.add_argument("--seeds", type=int, help="of part e")
    parser.add_argument("--limit", type=float, help="processor seconds of training that each run of part e may take")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        result = run(options, Path(work))
    if options.output is not None:
        options.output.write_text(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
