"""The command line: options to calls, nothing else. Every verb imports what it needs when it runs, so that `--help` is quick.

It must not compute: each verb is a module of its own.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Optional

import typer

from pipelines.exits import run_guarded

app = typer.Typer(
    name="forecast", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich",
    help="Recurrent networks and classical baselines for panels of time series.",
)  # fmt: skip
config_app = typer.Typer(no_args_is_help=True, help="What can be configured, and what a configuration says.")
app.add_typer(config_app, name="config")

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file, or shipped:configs/...", show_default=False)]
Overrides = Annotated[
    Optional[list[str]],
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value: --set models.0.hidden_size=64. Repeatable."),
]  # noqa: UP045 (typer reads the annotation)


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    sys.exit(run_guarded(app))


@app.command()
def benchmark(config: ConfigFile, overrides: Overrides = None) -> None:
    """Compare many models by rolling-origin backtests; one tracked run for each."""
    from pipelines import verbs

    verbs.benchmark(config, overrides or [])


@app.command()
def check(config: ConfigFile, overrides: Overrides = None) -> None:
    """Check data against the input contract: every offence with file, row, column, value and rule."""
    from pipelines import verbs

    verbs.check(config, overrides or [])


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of configuration files."""
    from pipelines import verbs

    verbs.config_schema()


@config_app.command("show")
def config_show(config: ConfigFile, overrides: Overrides = None) -> None:
    """Print a configuration with every default filled in."""
    from pipelines import verbs

    verbs.config_show(config, overrides or [])


if __name__ == "__main__":
    main()
