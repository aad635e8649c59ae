"""Accuracy of one model on folders of public panels, with wall time and peak memory; one JSON line for each panel.

    python benchmarks/accuracy.py FOLDER [FOLDER ...] [--model auto] [--set max_steps=200] [--test --scorer SCRIPT]

By default the last H rows of each series' training part are the judges: choices are made there. With `--test` the model learns the
whole training part and the scorer, a script `SCRIPT FOLDER FORECASTS.parquet` that shares no code with this project, reads the test
part once. Each panel runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.core.frequency import INTEGER_ALIAS, Frequency
from forecast.core.panel import Panel
from forecast.evaluation.backtest import evaluate, peak_memory_mb
from forecast.evaluation.metrics import overall_weighted_average
from forecast.evaluation.task import Task
from forecast.factory import build_forecaster

LEVELS = tuple(round(0.1 * n, 1) for n in range(1, 10))
METRICS = ("mase", "smape", "wql", "coverage_80")


def read_meta(folder: Path) -> tuple[Mapping[str, Any], Frequency]:
    """Returns what a panel's folder says of it, and its frequency."""
    meta = json.loads((folder / "meta.json").read_text())
    alias = meta["frequency"] if not meta["frequency"].startswith("integer") else INTEGER_ALIAS
    return meta, Frequency.parse(alias, tuple(meta.get("seasons", [meta["season_length"]])))


def on_validation(folder: Path, model: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the scores on the last H rows of the training part."""
    meta, frequency = read_meta(folder)
    panel = Panel.from_frame(pd.read_parquet(folder / "train.parquet"), frequency)
    season = int(meta.get("mase_season", meta["season_length"]))
    task = Task(horizon=meta["horizon"], season_lengths=(season,) if season > 1 else (), levels=LEVELS, metrics=METRICS)
    forecaster = build_forecaster(
        model, horizon=task.horizon, levels=LEVELS, season_lengths=frequency.season_lengths, arguments=arguments
    )
    found = evaluate(forecaster, panel, task, keep_forecasts=False)
    scores = {name: round(float(value), 4) for name, value in found.aggregate().items()}
    if "naive2" in meta:
        scores["owa"] = round(overall_weighted_average(scores["smape"], scores["mase"], tuple(meta["naive2"])), 4)
    return scores


def on_test(folder: Path, model: str, arguments: Mapping[str, Any], scorer: Path) -> dict[str, Any]:
    """Returns what the scorer says of the forecasts after the training part."""
    meta, frequency = read_meta(folder)
    panel = Panel.from_frame(pd.read_parquet(folder / "train.parquet"), frequency)
    forecaster = build_forecaster(
        model, horizon=meta["horizon"], levels=LEVELS, season_lengths=frequency.season_lengths, arguments=arguments
    )
    forecaster.fit(panel)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "forecasts.parquet"
        forecaster.predict(panel).to_frame().to_parquet(file, index=False)
        said = subprocess.run([sys.executable, str(scorer), str(folder), str(file)], check=True, capture_output=True, text=True)
    scores: dict[str, Any] = json.loads(said.stdout)
    return scores


def plain_value(text: str) -> Any:
    """Returns the JSON value of a text, and the text itself where it is none: 0.1, true, gru."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Prints the line of one panel."""
    arguments = dict(pair.split("=", 1) for pair in options.set)
    plain = {name: plain_value(value) for name, value in arguments.items()}
    began = time.perf_counter()
    judge = partial(on_test, scorer=options.scorer) if options.test else on_validation
    scores = judge(folder, options.model, plain)
    line = {"panel": folder.name, "part": "test" if options.test else "validation", "model": options.model, **plain, **scores}
    print(json.dumps({**line, "seconds": round(time.perf_counter() - began, 1), "peak_mb": round(peak_memory_mb())}), flush=True)


def main() -> int:
    """Runs the panels one after the other, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="an argument of the model")
    parser.add_argument("--test", action="store_true", help="read the test part, once")
    parser.add_argument("--scorer", type=Path, help="the script that scores the test part")
    options = parser.parse_args()
    if options.test and options.scorer is None:
        parser.error("--test needs --scorer")
    if len(options.folders) == 1:
        measure(options.folders[0], options)
        return 0
    rest = [argument for argument in sys.argv[1:] if Path(argument) not in options.folders]
    return max(subprocess.run([sys.executable, __file__, str(folder), *rest]).returncode for folder in options.folders)


if __name__ == "__main__":
    sys.exit(main())
