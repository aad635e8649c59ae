"""One function for each verb: reads the configuration, calls the job, shows its result.

It must not hold a job's logic. Each function imports the job that it calls: a verb pays for its own libraries only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.core.errors import DataError
from pipelines.console import Console
from pipelines.memory import prepare_process
from pipelines.quiet import quiet_libraries
from pipelines.shipped import locate

if TYPE_CHECKING:
    from forecast.config.sections import Config
    from pipelines.export import ExportRequest
    from pipelines.quick import QuickRequest


def read_config(file: Path, overrides: Sequence[str]) -> Config:
    """Returns the checked configuration of a file, which may be a shipped one."""
    from forecast.config.load import SHIPPED, load_config

    path = locate(str(file).removeprefix(SHIPPED)) if str(file).startswith(SHIPPED) else file
    return load_config(path, overrides, locate)


def demo(output: Path, overrides: Sequence[str]) -> None:
    """`forecast demo`."""
    _prepare()
    from pipelines import demo as job

    console = Console("demo")
    job.show(job.demo(output, console, tuple(overrides)), console)


def quick(request: QuickRequest) -> None:
    """`forecast quick`."""
    _prepare()
    from pipelines import quick as job

    console = Console("quick")
    job.show(job.quick(request, console), request, console)


def check(file: Path, overrides: Sequence[str]) -> None:
    """`forecast check`."""
    _prepare()
    from pipelines import check as job

    console, config = Console("check"), read_config(file, overrides)
    try:
        panel = job.check(config)
    except DataError as error:
        job.show_offences(error, console)
        raise
    job.show_summary(panel, console)


def train(file: Path, overrides: Sequence[str]) -> None:
    """`forecast train`."""
    _prepare()
    from pipelines import train as job

    console, config = Console("train"), read_config(file, overrides)
    made = job.train(config, console)
    rows = [("model", config.models[0].label), ("registered", f"version {made.version.version} of {made.version.name!r}"),
            ("bundle", f"{made.folder} ({made.version.digest[:12]})"), ("seconds", f"{made.seconds:.1f}")]  # fmt: skip
    console.table("Model trained", ["what", "found"], rows)


def benchmark(file: Path, overrides: Sequence[str]) -> None:
    """`forecast benchmark`."""
    _prepare()
    from forecast.tracking.store import Store
    from pipelines import benchmark as job

    console, config = Console("benchmark"), read_config(file, overrides)
    result = job.benchmark(config, console, file.stem)
    job.show(result, console)
    job.track(result, config)
    console.result(f"report {result.folder / job.REPORT}; runs: {Store.at(config.tracking.uri).how_to_open()}")


def promote(file: Path, overrides: Sequence[str], version: int | None, back: bool) -> None:
    """`forecast promote`."""
    _prepare()
    from pipelines import promote as job

    console, config = Console("promote"), read_config(file, overrides)
    if back:
        restored = job.roll_back(config)
        console.result(f"version {restored.version} of {restored.name!r} is champion again")
        return
    made = job.promote(config, console, version)
    if not made.moved:
        console.result(f"version {made.version.version} of {made.version.name!r} is champion already")
        return
    rows = [("champion", f"version {made.version.version} of {made.version.name!r}")]
    rows += [(f"{made.metric} of the {role}", f"{value:.4f}") for role, value in made.values.items()]
    rows += [
        (
            "way back",
            f"version {made.previous.version}: forecast promote --back" if made.previous is not None else "none: the first",
        )
    ]
    console.table("Promoted", ["what", "found"], rows)


def score(file: Path, overrides: Sequence[str], run_date: date | None) -> None:
    """`forecast score`."""
    _prepare()
    from pipelines import score as job

    console, config = Console("score"), read_config(file, overrides)
    report = job.score(config, console, run_date)
    rows = [
        ("run date, cutoff", f"{report.run_date}, {report.cutoff}"),
        ("model", f"{report.model}, {report.model_version}"),
        ("series", report.summary()),
        ("reasons", ", ".join(f"{reason}: {count}" for reason, count in report.reasons.items()) or "none"),
        ("newest observation", f"{report.lag} steps before the cutoff"),
        ("place", report.place),
    ]
    console.table("Published" if report.published else "Published before, nothing to do", ["what", "found"], rows)


def attention(file: Path, overrides: Sequence[str], series: str | None, bundle: Path | None) -> None:
    """`forecast attention`."""
    _prepare()
    from pipelines import attention as job

    console, config = Console("attention"), read_config(file, overrides)
    shown = job.attention(config, series, bundle)
    console.table(f"What the forecast of {shown.unique_id} looks at", ["steps before", "weight"], job.rows(shown))
    console.result(f"page {shown.page}; table {shown.table}")


def export(request: ExportRequest) -> None:
    """`forecast export`."""
    _prepare()
    from pipelines import export as job

    job.show(job.export(request), request, Console("export"))


def config_schema() -> None:
    """`forecast config schema`."""
    from forecast.config.show import json_schema

    Console("config").result(json.dumps(json_schema(), indent=2))


def config_show(file: Path, overrides: Sequence[str]) -> None:
    """`forecast config show`."""
    from forecast.config.show import resolved
    from forecast.config.text import to_yaml

    Console("config").result(to_yaml(resolved(read_config(file, overrides))).rstrip())


def probe(output: Path, cells: Sequence[str], hidden_size: int | None, seed: int, fast: bool) -> None:
    """`forecast probe`."""
    _prepare()
    from pipelines import probe as job

    console = Console("probe")
    job.show(job.probe(output, cells, job.settings_of(hidden_size, seed, fast), console), console)


def doctor(uri: str, folder: Path) -> None:
    """`forecast doctor`."""
    quiet_libraries()
    from pipelines import doctor as job

    job.show(job.examine(uri, folder), Console("doctor"))


def _prepare() -> None:
    """Threads, memory and silence, before the first heavy import."""
    quiet_libraries()
    prepare_process()
