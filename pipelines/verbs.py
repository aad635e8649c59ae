"""One function for each verb: reads the configuration, calls the job, shows its result.

It must not hold a job's logic.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from forecast.config.load import SHIPPED, load_config
from forecast.config.sections import Config
from pipelines.console import Console
from pipelines.quiet import quiet_libraries
from pipelines.shipped import locate


def read_config(file: Path, overrides: Sequence[str]) -> Config:
    """Returns the checked configuration of a file, which may be a shipped one."""
    path = locate(str(file).removeprefix(SHIPPED)) if str(file).startswith(SHIPPED) else file
    return load_config(path, overrides, locate)


def benchmark(file: Path, overrides: Sequence[str]) -> None:
    """`forecast benchmark`."""
    quiet_libraries()
    console, config = Console("benchmark"), read_config(file, overrides)
    from pipelines import benchmark as job

    result = job.benchmark(config, console, file.stem)
    job.show(result, console)


def config_schema() -> None:
    """`forecast config schema`."""
    from forecast.config.show import json_schema

    Console("config").result(json.dumps(json_schema(), indent=2))


def config_show(file: Path, overrides: Sequence[str]) -> None:
    """`forecast config show`."""
    from forecast.config.show import resolved
    from forecast.config.text import to_yaml

    Console("config").result(to_yaml(resolved(read_config(file, overrides))).rstrip())
