"""What a scoring run is asked and what it answers: frozen values, so that a run can be written down and repeated.

It must not read data or decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal, final

from forecast.core.errors import UsageError
from forecast.core.event_calendar import EventCalendar
from forecast.core.forecaster import ModelSource
from forecast.core.frequency import Frequency
from forecast.core.panel import Roles
from forecast.storage.sinks.sink import Sink
from forecast.storage.sources.source import Source

BATCH_SERIES = 256
"""Series of one call of `predict`. Batches are cut in the order of the ids and never across this number: same batches, same bytes."""

Duplicates = Literal["error", "quarantine", "last", "mean"]
Damage = Literal["error", "quarantine"]
TooFew = Literal["fallback", "quarantine"]
NoCovariates = Literal["error", "quarantine", "fallback"]
Ended = Literal["forecast", "exclude", "quarantine"]


@final
@dataclass(frozen=True, slots=True)
class Policies:
    """What happens to a series whose rows break a rule of the input contract. `error` publishes nothing and exits with 65.

    duplicates: two rows of one series and step. `last` keeps the later row of the table, `mean` averages their numbers.
    off_grid: a time stamp that is missing or not on the grid of the frequency.
    not_a_number: an infinite value or text where a number belongs. A missing value is no offence.
    few_observed: fewer observed values than the least number, but at least one.
    no_covariates: a known covariate is missing inside the horizon.
    ended: the last observation is older than `Staleness.error_after`, though the panel's newest one is not.
    """

    duplicates: Duplicates = "error"
    off_grid: Damage = "quarantine"
    not_a_number: Damage = "quarantine"
    few_observed: TooFew = "fallback"
    no_covariates: NoCovariates = "error"
    ended: Ended = "forecast"


@final
@dataclass(frozen=True, slots=True)
class Staleness:
    """How many steps the newest observation may lie before the cutoff. None: any number.

    warn_after: older ones are reported.
    error_after: when the newest observation of the whole panel is older, nothing is published and the run exits with 81.
    """

    warn_after: int | None = None
    error_after: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Gates:
    """What a run must keep to be published; else it exits with 80. Shares are of the series in the input."""

    max_fallback_share: float = 0.2
    max_quarantine_share: float = 0.2
    min_series: int = 1


@final
@dataclass(frozen=True, slots=True)
class Bounds:
    """Which series and forecasts are believed.

    minimum_observed: a series with fewer observed values is handled by `Policies.few_observed`.
    longest_series: a series that spans more steps is quarantined: one false stamp must not fill the memory with a gap.
    absurd_factor: a forecast is absurd when it leaves the range of the observed values by more than this many times the width of
        the range (or the largest absolute value, or `absurd_floor`, whichever is largest).
    absurd_floor: data units.
    """

    minimum_observed: int = 2
    longest_series: int = 2_000_000
    absurd_factor: float = 10.0
    absurd_floor: float = 1.0


@final
@dataclass(frozen=True, slots=True)
class Rules:
    """All declared decisions of a run. They are part of its key."""

    policies: Policies = field(default_factory=Policies)
    staleness: Staleness = field(default_factory=Staleness)
    gates: Gates = field(default_factory=Gates)
    bounds: Bounds = field(default_factory=Bounds)


@final
@dataclass(frozen=True, slots=True)
class Inputs:
    """Where the rows come from and how to read them.

    source: the history, a long frame with unique_id, ds, y and the covariates of `roles`.
    known_future: known covariates after the cutoff. Without it they are taken from the history's own later rows.
    static: one row per series with the static columns.
    cutoff: ordinal of the last known step, for integer time only; dates follow from the run date.
    calendar: holidays and events; where there are none, those of the model's training stand in.
    """

    source: Source
    frequency: Frequency
    roles: Roles = field(default_factory=Roles)
    known_future: Source | None = None
    static: Source | None = None
    cutoff: int | None = None
    calendar: EventCalendar = field(default_factory=EventCalendar)

    def cutoff_for(self, run_date: date) -> int:
        """Returns the ordinal of the last step that the run may know.

        Raises:
            UsageError: a cutoff is missing with integer time, or given beside dates.
        """
        if self.frequency.is_integer and self.cutoff is None:
            raise UsageError(
                "integer time has no calendar: a run date does not say where the history ends; give the cutoff as a number"
            )
        if not self.frequency.is_integer and self.cutoff is not None:
            raise UsageError(f"cutoff {self.cutoff} given, but with dates the cutoff follows from the run date; leave it out")
        return self.frequency.cutoff(run_date) if self.cutoff is None else self.cutoff


@final
@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """One run of the scoring job.

    output: folder of the published forecasts and of everything that the job keeps.
    run_date: the forecasts of this date are made, or made again.
    configuration: the resolved configuration as text; part of the run's key.
    code_version: version of the program; part of the run's key.
    shard_series: series per shard, a multiple of 256. It decides how much work a crash can cost and how much memory a run takes,
        and never the output.
    sink: where the forecasts are published; None for a file below `output`.

    Raises:
        UsageError: a shard size that is not a positive multiple of 256.
    """

    output: Path
    run_date: date
    inputs: Inputs
    model: ModelSource
    configuration: str
    code_version: str
    rules: Rules = field(default_factory=Rules)
    shard_series: int = 16 * BATCH_SERIES
    sink: Sink | None = None

    def __post_init__(self) -> None:
        if self.shard_series < BATCH_SERIES or self.shard_series % BATCH_SERIES:
            raise UsageError(f"a shard of {self.shard_series} series: give a positive multiple of {BATCH_SERIES}")


@final
@dataclass(frozen=True, slots=True)
class ScoreReport:
    """What is published now, read back from the footer: the same for the run that published it and for one that found it done.

    published: False when this very result had been published before and nothing was left to do.
    place: where readers find the rows.
    counts: series by `input`, `ok`, `fallback`, `quarantined` and `excluded`; the first is the sum of the others.
    reasons: series by reason, for those that are not ok.
    lag: steps between the newest observation and the cutoff.
    stale: series whose last observation is older than `Staleness.warn_after`.
    """

    published: bool
    key: str
    run_date: date
    cutoff: str
    place: str
    model: str
    model_version: str
    counts: Mapping[str, int]
    reasons: Mapping[str, int]
    lag: int
    stale: int

    @classmethod
    def from_footer(cls, footer: Mapping[str, Any], place: str, published: bool) -> ScoreReport:
        """Returns the report of a published footer."""
        return cls(published, footer["key"], date.fromisoformat(footer["run_date"]), footer["cutoff"], place, footer["model"],
                   footer["model_version"], footer["counts"], footer["reasons"], footer["lag"], footer["stale"])  # fmt: skip

    def summary(self) -> str:
        """Returns the accounting in one line: `60 series = 57 ok + 2 fallback + 1 quarantined + 0 excluded`."""
        parts = " + ".join(f"{self.counts[name]} {name}" for name in ("ok", "fallback", "quarantined", "excluded"))
        return f"{self.counts['input']} series = {parts}"
