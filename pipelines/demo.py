"""`forecast demo`: the whole path on the sample and on a real panel: benchmark, promote the winner, score, report.

It only calls what the other commands call. It must not know a model by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import final

import numpy as np

from forecast.config.load import load_config
from forecast.config.sections import Config
from forecast.core.panel import Panel
from forecast.scoring.request import ScoreReport
from forecast.tracking.store import Store
from pipelines import benchmark as benchmarks
from pipelines.benchmark import Benchmark
from pipelines.console import Console
from pipelines.promote import Promotion, promote
from pipelines.score import score
from pipelines.shipped import locate
from pipelines.train import train

REAL, SAMPLE = "configs/benchmark/macro.yaml", "configs/benchmark/demo.yaml"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """What the demo made."""

    benchmarks: tuple[Benchmark, ...]
    promotion: Promotion
    report: ScoreReport
    tracking: str


def demo(output: Path, console: Console, overrides: tuple[str, ...] = ()) -> Demo:
    """Runs the whole path into a folder.

    Args:
        output: Of everything, the tracking store included.
        console: Told of each step.
        overrides: For all configurations, as `--set` takes them.
    """
    tracking = str(output / "mlruns")
    done = []
    for name, shipped in (("real", REAL), ("sample", SAMPLE)):
        config = _config(shipped, output / name, tracking, overrides)
        done.append(benchmarks.benchmark(config, console, name))
        benchmarks.show(done[-1], console)
        benchmarks.track(done[-1], config)
    result = done[-1]
    winner = result.board["model"].iloc[0]
    section = next(model for model in config.models if model.label == winner)
    console.note("winner of the sample", {"model": winner})
    alone = config.model_copy(update={"models": (section,)})
    trained = train(alone, console)
    promotion = promote(config, console, trained.version.version)
    report = score(config, console, _day_after(result.panel))
    return Demo(tuple(done), promotion, report, Store.at(tracking).how_to_open())


def show(made: Demo, console: Console) -> None:
    """Writes where everything is to stdout."""
    champion, metric = made.promotion.version, made.promotion.metric
    values = ", ".join(f"{role} {value:.3f}" for role, value in made.promotion.values.items())
    console.table(
        "Demo finished",
        ["what", "where"],
        [
            ("champion", f"{champion.tags.get('model', '')}, version {champion.version} of {champion.name!r} ({metric}: {values})"),
            ("forecasts", f"{made.report.place}: {made.report.summary()}"),
            *((f"report {one.title}", str(one.folder / benchmarks.REPORT)) for one in made.benchmarks),
        ],
    )
    console.result("All runs in MLflow:")
    console.result(f"  {made.tracking}")


def _config(shipped: str, output: Path, tracking: str, overrides: tuple[str, ...]) -> Config:
    own = (f'output="{output}"', f'tracking.uri="{tracking}"')
    return load_config(locate(shipped), (*own, *overrides), locate)


def _day_after(panel: Panel) -> date:
    """The first run date whose cutoff is the end of the panel."""
    last = panel.frequency.stamps(np.array([panel.last_cutoff]))[0].astype("datetime64[D]").item()
    day: date = last
    while panel.frequency.cutoff(day) < panel.last_cutoff:
        day += timedelta(days=1)
    return day
