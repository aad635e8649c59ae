"""`forecast quick`: a long table in, forecasts after the end of every series out, without a configuration.

It must not track anything, nor write anything but the one file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import pandas as pd

from forecast.config.arguments import parameter_names
from forecast.config.components import find_model
from forecast.config.values import seconds
from forecast.core.errors import SinkError, UsageError
from forecast.core.event_calendar import EventCalendar
from forecast.core.forecast_frame import FALLBACK, ForecastFrame
from forecast.core.forecaster import DEFAULT_LEVELS
from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles
from forecast.factory import build_forecaster
from forecast.storage.sources.csv_source import CsvSource
from forecast.storage.sources.evidence import naming_rows
from forecast.storage.sources.parquet_source import ParquetSource
from forecast.storage.sources.plan import Categorical
from forecast.storage.sources.source import Source
from pipelines.console import Console
from pipelines.infer import infer_frequency
from pipelines.tables import stamp_text

_PARQUET, _CSV = (".parquet", ".pq"), (".csv", ".csv.gz", ".tsv", ".txt")
DEFAULT_BUDGET = "5m"


@final
@dataclass(frozen=True, slots=True)
class QuickRequest:
    """What the options of the command line say; None and empty where they say nothing."""

    data: Path
    output: Path
    horizon: int
    frequency: str | None = None
    season_lengths: tuple[int, ...] = ()
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    future: Path | None = None
    static: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    model: str = "auto"
    budget: str | None = None
    levels: tuple[float, ...] = DEFAULT_LEVELS
    seed: int = 0
    holidays: tuple[str, ...] = ()
    events: Path | None = None


@final
@dataclass(frozen=True, slots=True)
class QuickReport:
    """What was done."""

    panel: Panel
    frame: ForecastFrame
    found_frequency: bool
    seconds: float


def quick(request: QuickRequest, console: Console) -> QuickReport:
    """Forecasts a table and writes the forecasts; the file appears whole or not at all.

    Raises:
        UsageError: options that make no sense together.
        DataError: a breach of the input contract.
        SinkError: the output cannot be written.
    """
    started = time.perf_counter()
    _require_sense(request)
    panel = _read_panel(request)
    found = request.frequency is None
    facts = {
        "series": len(panel),
        "rows": panel.rows,
        "frequency": panel.frequency.alias,
        "seasons": list(panel.frequency.season_lengths),
    }
    console.note("frequency found in the data" if found else "data read", facts)
    future = _read_future(request, panel)
    with console.working(f"training {request.model}") as progress:
        forecaster = build_forecaster(
            request.model, horizon=request.horizon, levels=request.levels, season_lengths=panel.frequency.season_lengths,
            arguments=_arguments(request, console), progress=progress,
        )  # fmt: skip
        forecaster.fit(panel)
    for event, chosen in forecaster.choices().items():
        console.note(event, chosen)
    console.note("model fitted", {"model": forecaster.name, "seconds": round(time.perf_counter() - started, 1)})
    frame = forecaster.predict(panel, future)
    _write(frame.to_frame(), request.output)
    return QuickReport(panel, frame, found, time.perf_counter() - started)


def show(report: QuickReport, request: QuickRequest, console: Console) -> None:
    """Writes the summary to stdout."""
    panel, frame = report.panel, report.frame
    cutoffs = panel.frequency.stamps(panel.ends)
    same = panel.ends.min() == panel.ends.max()
    fallbacks = int((frame.status == FALLBACK).sum())
    rows = [
        ("series, rows", f"{len(panel):,}, {panel.rows:,}"),
        ("frequency", f"{panel.frequency.alias}{' (found in the data)' if report.found_frequency else ''}"),
        ("seasons", ", ".join(map(str, panel.frequency.season_lengths)) or "none"),
        (
            "cutoff",
            stamp_text(cutoffs[0]) if same else f"each series' own end, {stamp_text(cutoffs.min())} to {stamp_text(cutoffs.max())}",
        ),
        ("model", frame.model),
        ("forecasts", f"{len(frame) * frame.horizon:,} rows" + (f", {fallbacks} series by fallback" if fallbacks else "")),
        ("seconds", f"{report.seconds:.1f}"),
        ("file", str(request.output)),
    ]
    console.table("Forecasts written", ["what", "found"], rows)


def _require_sense(request: QuickRequest) -> None:
    """Refuses what would fail only after the work is done."""
    _suffix_of(request.output, "--output")
    if not request.output.parent.is_dir():
        raise SinkError(f"the folder {request.output.parent} does not exist; make it, or choose another place for --output")
    if request.known and request.future is None:
        raise UsageError(f"known covariates {list(request.known)} need their values over the horizon; give the file with --future")
    if request.future is not None and not request.known:
        raise UsageError(f"which columns of {request.future} are to be used? name them with --known")


def _read_panel(request: QuickRequest) -> Panel:
    frame = _source(request.data, request.columns, (*request.known, *request.past)).read("history")
    seasons = request.season_lengths or None
    frequency = Frequency.parse(request.frequency, seasons) if request.frequency else infer_frequency(frame, seasons)
    static = None if request.static is None else _source(request.static, request.columns, None).read("static")
    columns = () if static is None else tuple(name for name in static.columns if name != "unique_id")
    names = (*_names(frame, (*request.known, *request.past)), *(() if static is None else _names(static, columns)))
    with naming_rows(frame):
        return Panel.from_frame(frame, frequency, Roles(request.known, request.past, columns, names), static, _calendar(request))


def _calendar(request: QuickRequest) -> EventCalendar:
    """Holidays of the countries asked for, and the events of a file with the columns event and ds."""
    if request.events is None:
        return EventCalendar.of(request.holidays)
    kind = ParquetSource if _suffix_of(request.events, str(request.events)) == "parquet" else CsvSource
    rows = kind(path=str(request.events), columns={"unique_id": "event"}).read("future")
    days = rows.groupby("unique_id")["ds"].agg(lambda stamps: [stamp.date() for stamp in stamps])
    return EventCalendar.of(request.holidays, {str(name): found for name, found in days.items()})


def _names(frame: pd.DataFrame, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that hold names: the source has left them as text."""
    return tuple(name for name in columns if frame[name].dtype == object)


def _read_future(request: QuickRequest, panel: Panel) -> KnownFuture | None:
    """The known covariates, complete over the horizon of every series."""
    if request.future is None:
        return None
    names = tuple(name for name in panel.roles.categorical if name in request.known)
    rows = _source(request.future, request.columns, request.known, names).read("future")
    future = KnownFuture.from_frame(rows, panel.frequency, request.known, names)
    future.require(panel.ids, panel.ends + 1, request.horizon)
    return future


def _source(
    path: Path, columns: Mapping[str, str], covariates: tuple[str, ...] | None, categorical: Categorical = "auto"
) -> Source:
    kind = ParquetSource if path.is_dir() or _suffix_of(path, str(path)) == "parquet" else CsvSource
    return kind(path=str(path), columns=columns, covariates=covariates, categorical=categorical)


def _suffix_of(path: Path, what: str) -> str:
    if path.name.endswith(_PARQUET):
        return "parquet"
    if path.name.endswith(_CSV):
        return "csv"
    raise UsageError(f"{what}: {path.name!r} ends neither with {', '.join(_PARQUET)} nor with {', '.join(_CSV)}")


def _arguments(request: QuickRequest, console: Console) -> dict[str, Any]:
    """Seed and budget, for models that take them."""
    maker = find_model(request.model)
    taken = parameter_names(maker) if maker is not None else frozenset[str]()
    try:
        given = {"seed": request.seed, "budget": seconds(request.budget or DEFAULT_BUDGET)}
    except ValueError as error:
        raise UsageError(f"--budget: {error}") from error
    if request.budget is not None and "budget" not in taken:
        console.warn("the model has no budget", {"model": request.model})
    return {name: value for name, value in given.items() if name in taken}


def _write(frame: pd.DataFrame, output: Path) -> None:
    partial = output.with_name(f".{output.name}.{os.getpid()}.partial")
    try:
        if _suffix_of(output, "--output") == "parquet":
            frame.to_parquet(partial, index=False)
        else:
            compression: Any = "gzip" if output.name.endswith(".gz") else None
            frame.to_csv(partial, index=False, sep="\t" if output.name.endswith(".tsv") else ",", compression=compression)
        partial.replace(output)
    except OSError as error:
        raise SinkError(f"{output} cannot be written ({error}); choose another place with --output") from error
    finally:
        partial.unlink(missing_ok=True)


def parse_levels(text: str | None) -> tuple[float, ...]:
    """Returns quantile levels from text such as `0.1,0.5,0.9`; the usual ones where there is none.

    Raises:
        UsageError: not ascending numbers between 0 and 1.
    """
    if text is None:
        return DEFAULT_LEVELS
    try:
        levels = tuple(float(part) for part in text.split(","))
    except ValueError:
        levels = ()
    if not levels or any(not 0 < level < 1 for level in levels) or list(levels) != sorted(set(levels)):
        raise UsageError(f"--levels {text!r}: give ascending numbers between 0 and 1, as in 0.1,0.5,0.9")
    return levels
