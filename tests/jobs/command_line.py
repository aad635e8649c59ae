"""Runs the command line inside the test process, as `main` runs it, and gives back what a shell would see."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.config.text import to_yaml
from pipelines.cli import app
from pipelines.exits import run_guarded


@dataclass(frozen=True)
class Ran:
    """Exit code and both streams of a command."""

    code: int
    out: str
    err: str

    def events(self) -> list[dict[str, Any]]:
        """Returns the JSON lines on stderr."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]


def run(*arguments: object) -> Ran:
    """Runs `forecast` with the given arguments."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run_guarded(lambda: app([str(argument) for argument in arguments]))
    return Ran(code, out.getvalue(), err.getvalue())


def sales(series: int = 6, days: int = 120) -> pd.DataFrame:
    """Returns a weekly pattern with noise: columns shop, day, sold and promo."""
    rng = np.random.default_rng(5)
    week = np.resize([3.0, 4, 5, 6, 9, 12, 2], days)
    dates = pd.date_range("2026-01-05", periods=days, freq="D")
    parts = [
        pd.DataFrame({"shop": f"00{n}", "day": dates, "sold": np.round((n + 1) * week + rng.normal(0, 1, days) + 5, 2), "promo": 0})
        for n in range(series)
    ]
    return pd.concat(parts, ignore_index=True)


def write_config(folder: Path, frame: pd.DataFrame | None = None, **changes: Any) -> Path:
    """Writes the data and a configuration of quick models into a folder; returns the configuration's path."""
    (sales() if frame is None else frame).to_csv(folder / "sales.csv", index=False)
    columns = {"unique_id": "shop", "ds": "day", "y": "sold"}
    raw: dict[str, Any] = {
        "data": {"source": {"kind": "csv", "path": str(folder / "sales.csv"), "columns": columns}, "frequency": "D"},
        "task": {"horizon": 7, "windows": 2, "levels": [0.1, 0.5, 0.9]},
        "models": [{"model": "seasonal_naive"}, {"model": "mean"}],
        "tracking": {"uri": str(folder / "mlruns"), "experiment": "test", "registered_model": "test"},
        "score": {},
        "output": str(folder / "out"),
    }
    path = folder / "config.yaml"
    path.write_text(to_yaml(raw | changes))
    return path
