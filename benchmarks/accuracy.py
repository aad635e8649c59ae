"""Accuracy of one model on public and generated panels, with wall time and peak memory; one JSON line for each panel, and a table.

    python benchmarks/accuracy.py DATA [--model auto] [--set max_steps=200] [--made] [--table docs/accuracy.md] [--lines lines.jsonl]
    python benchmarks/accuracy.py DATA/m3_yearly --test --scorer SCRIPT --against dynamic_optimized_theta,auto_ets --keep FOLDER

DATA is a folder of panels; a folder of one panel, `DATA/etth1:96` (one horizon of it) and `made:random_walks` are cases too. By
default the last H rows of each series' training part are the judges: choices are made there. With `--test` the model learns the whole
training part and the scorer, a script `SCRIPT FOLDER FORECASTS.parquet` that shares no code with this project, reads the test part
once. Each case runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout that this script lies in is what is measured

from benchmarks.accuracy_table import render
from benchmarks.every_window import PROTOCOLS, score_windows, window_cutoffs
from benchmarks.interval_coverage import coverage_80
from benchmarks.made_panels import MADE, made_case
from benchmarks.panel_cases import LEVELS, Case, Part, read_case, read_meta
from benchmarks.peers import Contender, argument, kept, place_of, ratios, rounded, run
from benchmarks.process_memory import PeakMemory
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.panel import Panel
from forecast.ensembling.members import MEMBER_ENVIRONMENT
from forecast.evaluation.evaluation import Evaluation
from forecast.evaluation.metrics import overall_weighted_average
from forecast.evaluation.tally import truth_after
from forecast.factory import build_forecaster

NAIVE = Contender("seasonal_naive", {})
MADE_PREFIX = "made:"


def measure(case: str, options: argparse.Namespace) -> dict[str, Any]:
    """Returns the line of one case."""
    contender = Contender(options.model, dict(argument(pair) for pair in options.set))
    part: Part = "test" if options.test else "validation"
    facts = {"panel": _name(case), "part": part, "model": contender.model, "arguments": dict(contender.arguments)}
    folder, _, horizon = case.partition(":")
    began = time.perf_counter()
    if horizon and not case.startswith(MADE_PREFIX):
        with PeakMemory() as memory:
            found: dict[str, Any] = every_window(Path(folder), int(horizon), contender, part)
        return {**facts, **found, "seconds": round(time.perf_counter() - began, 3), "peak_mb": round(memory.mb)}
    made = MADE[horizon] if case.startswith(MADE_PREFIX) else None
    read = made_case(horizon) if made else read_case(Path(folder), part, options.covariates)
    with PeakMemory() as memory:
        evaluation = run(contender, read)
    costs = {"seconds": round(time.perf_counter() - began, 3), "peak_mb": round(memory.mb)}
    if options.keep is not None:
        evaluation.save(place_of(contender, read, options.keep))
    named = [text for text in (options.against or "").split(",") if text]
    judges = [*(made.judges if made else ()), *named]
    scorer = options.scorer if options.test and read.folder is not None else None
    return {**facts, "covariates": options.covariates, **scores(evaluation, read, scorer),
            **beside(contender, evaluation, read, [Contender.parse(text) for text in judges], options.keep, scorer), **costs}  # fmt: skip


def scores(found: Evaluation, case: Case, scorer: Path | None) -> dict[str, Any]:
    """Returns our own scores, OWA where Naive2 is known, the interval's coverage, and what the scorer says."""
    out: dict[str, Any] = {name: rounded(value) for name, value in found.aggregate().items()}
    if case.naive2 is not None:
        out["owa"] = rounded(overall_weighted_average(out["smape"], out["mase"], case.naive2))
    frame = ForecastFrame.concatenate(found.frames)
    positions = np.searchsorted(case.panel.ids, frame.ids)
    covered = coverage_80(frame, truth_after(case.panel, positions, frame.cutoffs, frame.horizon))
    out |= {
        "coverage_80": rounded(covered.share),
        "coverage_se": rounded(covered.standard_error),
        "coverage_ok": covered.acceptable,
    }
    return out | (said_by(scorer, case, found) if scorer is not None else {})


def beside(
    contender: Contender, found: Evaluation, case: Case, judges: list[Contender], folder: Path | None, scorer: Path | None
) -> dict[str, Any]:
    """Returns the seasonal naive's quantile loss on the same rows, and the ratios to the peers.

    For a generated panel also the MASE over that of the best peer.
    """
    naive = kept(NAIVE, case, folder)
    own = said_by(scorer, case, naive).get("WQL") if scorer is not None else None
    out: dict[str, Any] = {"snaive_wql": own if own is not None else rounded(naive.aggregate()["wql"]), "ratios": []}
    for peer in judges:
        if peer.label != contender.label:
            out["ratios"] += ratios(found, kept(peer, case, folder))
    of_mase = [row["ratio"] for row in out["ratios"] if row["metric"] == "mase" and row["ratio"] is not None]
    return out if case.folder is not None or not of_mase else {**out, "best_ratio": max(of_mase)}


def said_by(scorer: Path, case: Case, found: Evaluation) -> dict[str, Any]:
    """Returns what the scorer says of the forecasts of the test part; None in the place of what is no number."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "forecasts.parquet"
        ForecastFrame.concatenate(found.frames).to_frame().to_parquet(file, index=False)
        told = subprocess.run(
            [sys.executable, str(scorer), str(case.folder), str(file)], check=True, capture_output=True, text=True
        )
    scored: dict[str, Any] = json.loads(told.stdout)
    return {name: None if value != value else value for name, value in scored.items() if not name.startswith("coverage")}


def every_window(folder: Path, horizon: int, contender: Contender, part: Part) -> dict[str, Any]:
    """Returns the errors of a model that is fitted once and forecasts from every row before the part's last H, in one pass."""
    protocol, (_, frequency) = PROTOCOLS[folder.name], read_meta(folder)
    files = ("train.parquet", "test.parquet") if part == "test" else ("train.parquet",)
    panel = Panel.from_frame(pd.concat([pd.read_parquet(folder / name) for name in files], ignore_index=True), frequency)
    rows = protocol.test_rows if part == "test" else protocol.validation_rows
    first = int(panel.lengths.min()) - rows
    forecaster = build_forecaster(
        contender.model, horizon=horizon, levels=LEVELS, season_lengths=frequency.season_lengths, arguments=contender.arguments
    )
    forecaster.fit(panel.until(panel.starts + first - 1))
    cutoffs = window_cutoffs(panel, first, rows, horizon)
    found = score_windows(forecaster.backtest(panel, cutoffs), panel, cutoffs, horizon, protocol.scale_rows)
    return {name: rounded(value) if isinstance(value, float) else value for name, value in asdict(found).items()}


def cases_of(given: list[str], made: bool) -> Iterator[str]:
    """Yields the single cases of what was given on the command line, those of a data folder in order of their names."""
    for text in given:
        folder = Path(text)
        singles = sorted(f for f in folder.iterdir() if (f / "meta.json").exists()) if folder.is_dir() else []
        for single in singles or [folder]:
            horizons = PROTOCOLS[single.name].horizons if single.name in PROTOCOLS else ()
            yield from [f"{single}:{horizon}" for horizon in horizons] or [str(single)]
    yield from [f"{MADE_PREFIX}{name}" for name in MADE if made]


def _name(case: str) -> str:
    """What a case is called in its line: `m3_yearly`, `etth1/96`, `random_walks`."""
    return case.removeprefix(MADE_PREFIX) if case.startswith(MADE_PREFIX) else Path(case).name.replace(":", "/")


def measured(case: str, options: argparse.Namespace) -> str | None:
    """Returns the line of a case, measured in a process of its own; None where that failed, which has said why."""
    command = [sys.executable, __file__, case, "--here", f"--model={options.model}", *(f"--set={pair}" for pair in options.set)]
    command += [f"--{name}" for name in ("test", "covariates") if getattr(options, name)]
    command += [f"--{name}={value}" for name in ("scorer", "against", "keep") if (value := getattr(options, name)) is not None]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**MEMBER_ENVIRONMENT, **os.environ})
    return done.stdout.strip().splitlines()[-1] if done.returncode == 0 else None


def arguments() -> argparse.ArgumentParser:
    """Returns the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="a folder of panels or of one, FOLDER:HORIZON, made:NAME")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an argument of the model")
    parser.add_argument("--made", action="store_true", help="the generated panels too")
    parser.add_argument("--test", action="store_true", help="read the test part, once")
    parser.add_argument("--scorer", type=Path, help="the script that scores the test part")
    parser.add_argument("--covariates", action="store_true", help="read the columns that meta.json calls known or past")
    parser.add_argument("--against", metavar="NAMES", help="peers, `name,name:argument=value,...`, run on the same part")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="where forecasts and errors by series stay; peers are taken from it"
    )
    parser.add_argument("--lines", type=Path, metavar="FILE", help="where the JSON lines are added; the table is made of all in it")
    parser.add_argument("--table", type=Path, metavar="FILE", help="the Markdown table to write")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser


def main() -> int:
    """Runs the cases one after the other, each in a process of its own; 1 where one of them failed."""
    parser = arguments()
    options = parser.parse_args()
    if options.test and options.scorer is None:
        parser.error("--test needs --scorer")
    if options.here:
        print(json.dumps(measure(options.cases[0], options)), flush=True)
        return 0
    lines, failed = [], 0
    for case in cases_of(options.cases, options.made):
        line = measured(case, options)
        failed += line is None
        if line is None:
            continue
        print(line, flush=True)
        lines.append(line)
        if options.lines is not None:
            with options.lines.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
    if options.table is not None:
        known = (
            options.lines.read_text(encoding="utf-8").splitlines()
            if options.lines is not None and options.lines.exists()
            else lines
        )
        options.table.write_text(render(json.loads(line) for line in known), encoding="utf-8")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
