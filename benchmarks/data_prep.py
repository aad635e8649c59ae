"""Seconds and memory from a Parquet file to the first training batch, with pandas' bare reading of the same file beside it.

    python benchmarks/data_prep.py CACHE [--series 100000] [--rows 130] [--covariates 0 4] [--output FILE.json]

CACHE keeps the generated tables: daily series, ids as text, `y` and covariates as doubles. Each measurement is a process of its own,
so that its memory is its own; what the interpreter and the imports hold before the first byte is read is shown as `empty`. Stages of
this library: `read` (ParquetSource: the long frame), `panel` (checks and columns), `arrays` (SegmentBatches: what training reads
from), `batch` (the first one). The frame is given up before the arrays are made, as in the jobs. Processor seconds are those of
the process: on a busy machine they say more than the wall.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from forecast.evaluation.backtest import peak_memory_mb

DAY = 86_400_000_000_000  # nanoseconds
STAGES = ("read", "panel", "arrays", "batch")


def names_of(count: int) -> list[str]:
    """Returns the names of so many covariates."""
    return [f"x{number}" for number in range(count)]


def make_table(file: Path, series: int, rows: int, covariates: int) -> None:
    """Writes the generated table: `series` daily series of `rows` rows, in order, with a weekly season and noise."""
    rng = np.random.default_rng(0)
    day = np.arange(rows)
    wave = 100 + 20 * np.sin(2 * np.pi * day / 7)
    ids = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(np.arange(series, dtype=np.int32), rows)), pa.array([f"item-{number:07d}" for number in range(series)])
    )
    first = np.datetime64("2025-01-01", "ns").astype(np.int64)
    columns: dict[str, Any] = {
        "unique_id": ids.cast(pa.string()),
        "ds": pa.array(np.tile(first + DAY * day, series)).cast(pa.timestamp("ns")),
        "y": (wave + 10 * rng.standard_normal((series, rows))).reshape(-1),
    }
    columns |= {name: rng.standard_normal(series * rows) for name in names_of(covariates)}
    pq.write_table(pa.table(columns), file)


def stage_times(marks: Sequence[tuple[str, float, float, float]]) -> list[dict[str, Any]]:
    """Returns each stage's seconds, processor seconds and the peak up to its end, from the clocks read at the ends of the stages.

    Args:
        marks: Name, wall clock, processor clock and peak memory in MB; the first is the start.
    """
    return [
        {"stage": name, "seconds": round(wall - before[1], 2), "cpu_seconds": round(cpu - before[2], 2), "peak_mb": round(peak)}
        for before, (name, wall, cpu, peak) in pairwise(marks)
    ]


def measure_ours(file: Path, covariates: Sequence[str]) -> dict[str, Any]:
    """Returns the stages of this library, from the file to the first batch."""
    from forecast.core.frequency import Frequency
    from forecast.core.panel import Panel, Roles
    from forecast.neural.data import SegmentBatches, SegmentPlan
    from forecast.storage.sources.parquet_source import ParquetSource

    marks = [_mark("empty")]
    frame = ParquetSource(str(file)).read()
    marks.append(_mark("read"))
    panel = Panel.from_frame(frame, Frequency.parse("D"), Roles(known=tuple(covariates)))
    del frame
    marks.append(_mark("panel"))
    plan = SegmentPlan(lead=70, horizon=28, batch_size=64, steps=100, stride=1, season_length=7, seed=0)
    batches = SegmentBatches(panel, plan)
    marks.append(_mark("arrays"))
    batches.batch(0)
    marks.append(_mark("batch"))
    held = sum(a.nbytes for a in (panel.y, panel.known, panel.past, panel.offsets, panel.starts))
    return {"stages": stage_times(marks), "empty_mb": round(marks[0][3]), "bytes_per_row": round(held / panel.rows, 2)}


def measure_pandas(file: Path, covariates: Sequence[str]) -> dict[str, Any]:
    """Returns what pandas takes to read the same columns, and nothing else."""
    marks = [_mark("empty")]
    frame = pd.read_parquet(file, columns=["unique_id", "ds", "y", *covariates])
    marks.append(_mark("read"))
    held = int(frame.memory_usage(deep=False).sum())
    return {"stages": stage_times(marks), "empty_mb": round(marks[0][3]), "bytes_per_row": round(held / len(frame), 2)}


def _mark(name: str) -> tuple[str, float, float, float]:
    return name, time.perf_counter(), time.process_time(), peak_memory_mb()


SIDES = {"ours": measure_ours, "pandas": measure_pandas}


def lines_of(name: str, found: Mapping[str, Any], rows: int) -> list[str]:
    """Returns the lines of one measurement: its stages, and what it was altogether."""
    stages = found["stages"]
    lines = [
        f"{name:28}{one['stage']:8}{one['seconds']:9.2f} s{one['cpu_seconds']:9.2f} CPU s{one['peak_mb']:8,} MB" for one in stages
    ]
    seconds, cpu = (sum(one[key] for one in stages) for key in ("seconds", "cpu_seconds"))
    peak = max(one["peak_mb"] for one in stages)
    return [*lines, f"{name:28}{'all':8}{seconds:9.2f} s{cpu:9.2f} CPU s{peak:8,} MB, {found['empty_mb']:,} of them empty; "
                    f"{found['bytes_per_row']} bytes a row held, {1e6 * (peak - found['empty_mb']) / rows:.0f} at the peak"]  # fmt: skip


def main() -> int:
    """Makes the tables where they are missing and measures each, or one where it is told to by itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=130, help="of each series")
    parser.add_argument("--covariates", type=int, nargs="+", default=[0, 4])
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--side", choices=["make", *sorted(SIDES)], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side == "make":
        make_table(options.cache, options.series, options.rows, options.covariates[0])
        return 0
    if options.side is not None:
        print(json.dumps(SIDES[options.side](options.cache, names_of(options.covariates[0]))))
        return 0
    result = {}
    for count in options.covariates:
        file = options.cache / f"{options.series}x{options.rows}x{count}.parquet"
        command = [sys.executable, __file__, str(file), "--covariates", str(count)]
        if not file.exists():  # in a process of its own too: a child's peak begins at what its parent holds
            size = ["--series", str(options.series), "--rows", str(options.rows)]
            subprocess.run([*command, *size, "--side", "make"], check=True)
        for side in SIDES:
            said = subprocess.run([*command, "--side", side], check=True, capture_output=True, text=True).stdout
            result[f"{side}, {count} covariates"] = json.loads(said.splitlines()[-1])
            name = f"{side}, {count} covariates"
            print("\n".join(lines_of(name, result[name], options.series * options.rows)), flush=True)
    if options.output is not None:
        options.output.write_text(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
