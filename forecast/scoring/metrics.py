"""The numbers of a run for a monitoring system: a Prometheus text file, replaced whole, after failures too.

Ids of series never become labels. It must not decide whether a run is good.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from forecast.scoring.request import ScoreReport
from forecast.storage.sinks.disk import Disk

LAST_SUCCESS = "forecast_score_last_success_timestamp_seconds"


@final
@dataclass(frozen=True, slots=True)
class RunNumbers:
    """One run as a monitoring system sees it. finished: seconds since 1970; report: None after a failure."""

    exit_code: int
    finished: float
    seconds: float
    report: ScoreReport | None


def metrics_text(numbers: RunNumbers, last_success: float | None) -> bytes:
    """Returns the text of the metrics file. last_success: of an earlier run, kept when this one failed."""
    registry = CollectorRegistry()

    def gauge(name: str, meaning: str, value: float) -> None:
        Gauge(name, meaning, registry=registry).set(value)

    gauge("forecast_score_exit_code", "Exit code of the last run.", numbers.exit_code)
    gauge("forecast_score_last_run_timestamp_seconds", "When the last run ended.", numbers.finished)
    gauge("forecast_score_duration_seconds", "Duration of the last run.", numbers.seconds)
    success = numbers.finished if numbers.exit_code == 0 else last_success
    if success is not None:
        gauge(LAST_SUCCESS, "When a run last ended well.", success)
    if numbers.report is not None:
        gauge("forecast_score_data_lag_steps", "Steps from the newest observation to the cutoff.", numbers.report.lag)
        gauge("forecast_score_stale_series", "Series older than the declared warning.", numbers.report.stale)
        _labelled(registry, "forecast_score_series", "Series by what became of them.", "status", numbers.report.counts)
        _labelled(registry, "forecast_score_reasons", "Series that are not ok, by reason.", "reason", numbers.report.reasons)
    return generate_latest(registry)


def write_metrics(disk: Disk, path: Path, numbers: RunNumbers) -> None:
    """Writes the metrics file whole or not at all.

    Raises:
        SinkError: it cannot be written.
    """
    disk.write(path, metrics_text(numbers, _last_success(path)))


def _labelled(registry: CollectorRegistry, name: str, meaning: str, label: str, values: Mapping[str, int]) -> None:
    family = Gauge(name, meaning, [label], registry=registry)
    for key, value in values.items():
        family.labels(key).set(value)


def _last_success(path: Path) -> float | None:
    """The time of the last success in the file of an earlier run."""
    try:
        found = re.search(rf"^{LAST_SUCCESS} (\S+)$", path.read_text("utf-8"), re.MULTILINE)
    except (OSError, ValueError):
        return None
    return float(found[1]) if found else None
