"""The command line: options to calls, nothing else. Every verb imports what it needs when it runs, so that `--help` is quick.

It must not compute: each verb is a module of its own.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

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
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value: models.0.hidden_size=64. Repeatable.")
]
Columns = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Repeatable.")]


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    sys.exit(run_guarded(app))


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder of everything.")] = Path("demo-output"), overrides: Overrides = None
) -> None:
    """Run the whole path on shipped data: benchmark, promote, score, report."""
    from pipelines import verbs

    verbs.demo(output, overrides or [])


@app.command()
def quick(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Long CSV or Parquet.", show_default=False)],
    horizon: Annotated[int, typer.Option(min=1, help="Steps to forecast.")],
    output: Annotated[Path, typer.Option(help="CSV or Parquet to write, by its suffix.")],
    freq: Annotated[str | None, typer.Option(help="h, 30min, D, W-SUN, MS, ..., integer; found in the data if left out.")] = None,
    season: Annotated[list[int] | None, typer.Option(min=1, help="Season length in steps. Repeatable.")] = None,
    known: Columns = None,
    past: Columns = None,
    future: Annotated[Path | None, typer.Option(help="Values of the known columns after the history.")] = None,
    static: Annotated[Path | None, typer.Option(help="One row per series with its attributes: numbers or names.")] = None,
    holidays: Annotated[
        list[str] | None, typer.Option(metavar="COUNTRY", help="Public holidays of DE, US-CA, ... Repeatable.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="Table of event and ds: days, past and to come, that are not as usual.")
    ] = None,
    unique_id: Annotated[str, typer.Option("--id", metavar="COLUMN", help="Column of the series.")] = "unique_id",
    ds: Annotated[str, typer.Option("--time", metavar="COLUMN", help="Column of the time.")] = "ds",
    y: Annotated[str, typer.Option("--target", metavar="COLUMN", help="Column of the values.")] = "y",
    model: Annotated[str, typer.Option(help="auto, gru, seasonal_naive, ...")] = "auto",
    budget: Annotated[str | None, typer.Option(metavar="TIME", help="Time that training may take, 5m if not given.")] = None,
    levels: Annotated[str | None, typer.Option(help="Quantile levels: 0.1,0.5,0.9.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same forecasts.")] = 0,
) -> None:
    """Forecast a table without a configuration."""
    from pipelines import verbs
    from pipelines.quick import QuickRequest, parse_levels

    renamed = {"unique_id": unique_id, "ds": ds, "y": y}
    verbs.quick(
        QuickRequest(
            data=data, output=output, horizon=horizon, frequency=freq, season_lengths=tuple(season or ()), known=tuple(known or ()),
            past=tuple(past or ()), future=future, static=static, columns=renamed, model=model, budget=budget,
            levels=parse_levels(levels), seed=seed, holidays=tuple(holidays or ()), events=events,
        )
    )  # fmt: skip


@app.command()
def check(config: ConfigFile, overrides: Overrides = None) -> None:
    """Check data against the input contract: every offence with file, row, column, value and rule."""
    from pipelines import verbs

    verbs.check(config, overrides or [])


@app.command()
def train(config: ConfigFile, overrides: Overrides = None) -> None:
    """Fit one model on all rows, track it and register it."""
    from pipelines import verbs

    verbs.train(config, overrides or [])


@app.command()
def benchmark(config: ConfigFile, overrides: Overrides = None) -> None:
    """Compare many models by rolling-origin backtests; one tracked run for each."""
    from pipelines import verbs

    verbs.benchmark(config, overrides or [])


@app.command()
def promote(
    config: ConfigFile,
    version: Annotated[int | None, typer.Option(min=1, help="Candidate; the newest by default.")] = None,
    back: Annotated[bool, typer.Option("--back", help="Make the previous champion the champion again.")] = False,
    overrides: Overrides = None,
) -> None:
    """Gate a candidate against champion and seasonal naive, and move the champion alias."""
    from pipelines import verbs

    verbs.promote(config, overrides or [], version, back)


@app.command()
def score(
    config: ConfigFile,
    run_date: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The cutoff is the last step before it.")] = None,
    overrides: Overrides = None,
) -> None:
    """Publish the champion's forecasts of one run date: whole and checked, or not at all."""
    from pipelines import verbs

    verbs.score(config, overrides or [], run_date.date() if run_date is not None else None)


@app.command()
def probe(
    output: Annotated[Path, typer.Option(help="Folder of the page probe.md and of its figures.")] = Path("probe"),
    cell: Annotated[list[str] | None, typer.Option(help="Encoder to probe; all by default. Repeatable.")] = None,
    hidden_size: Annotated[int | None, typer.Option(min=4, help="Width at which costs are measured; 128 by default.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and data.")] = 0,
    fast: Annotated[
        bool, typer.Option("--quick", help="Seconds instead of minutes: to see that it works, not to learn from.")
    ] = False,
) -> None:
    """Measure what each recurrent cell remembers and costs, beside what textbooks claim."""
    from pipelines import verbs

    verbs.probe(output, cell or [], hidden_size, seed, fast)


@app.command()
def attention(
    config: ConfigFile,
    series: Annotated[str | None, typer.Option(help="The series to look at; the first of the panel by default.")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of the trained model; by default where `forecast train` left it.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Show which past steps the forecast of a series looks at, as a page and a table."""
    from pipelines import verbs

    verbs.attention(config, overrides or [], series, bundle)


@app.command()
def export(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A bundle's folder, or NAME@ALIAS of the registry.", show_default=False)
    ],
    output: Annotated[Path, typer.Option(help="Folder to write to.")],
    int8: Annotated[bool, typer.Option("--int8", help="A quantised model too.")] = False,
    data: Annotated[Path | None, typer.Option(help="Long CSV or Parquet to compare on; made up if not given.")] = None,
    tracking: Annotated[str, typer.Option(metavar="URI", help="Store of the registry.")] = "mlruns",
) -> None:
    """Write a network as ONNX that takes one observation and its state, compared with the original first."""
    from pipelines import verbs
    from pipelines.export import ExportRequest

    verbs.export(ExportRequest(model=model, output=output, int8=int8, data=data, tracking=tracking))


@app.command()
def doctor(
    uri: Annotated[str, typer.Option(help="Tracking store to reach.")] = "mlruns",
    output: Annotated[Path, typer.Option(help="Where outputs would go.")] = Path(),
) -> None:
    """Look at the environment, line by line."""
    from pipelines import verbs

    verbs.doctor(uri, output)


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
