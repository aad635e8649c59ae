"""The sections of a configuration file, typed and frozen; their field descriptions are the reference that `config schema` prints.

It must not read files, nor build what the sections describe. Components (sources, models) take the arguments of their own
constructors beside the keys named here; `forecast.config.load` checks those.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal, final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from forecast.config.rules import BoundsSection, GatesSection, PoliciesSection, StalenessSection
from forecast.config.values import FrequencyAlias, Levels, Positive, Seconds, Share
from forecast.core.forecaster import DEFAULT_LEVELS


class Section(BaseModel):
    """What all sections share: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Component(BaseModel):
    """A section that takes a component's own arguments beside its keys."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    @property
    def arguments(self) -> dict[str, Any]:
        """The component's arguments, as the file has them until `load_config` has typed them."""
        return dict(self.model_extra or {})


@final
class SourceSection(Component):
    """A table: which kind of source, and that source's arguments (path, columns, ...)."""

    kind: str = Field(description="Kind of source: csv, parquet, ...")


@final
class SinkSection(Component):
    """Where forecasts are published: which kind of sink, and that sink's arguments."""

    kind: str = Field(description="Kind of sink: sql, ...")


@final
class ModelSection(Component):
    """A model: its name in the registry, how to list it, its limits, and its own arguments."""

    model: str = Field(description="Name in the registry: gru, lstm, seasonal_naive, auto_arima, ...")
    name: str | None = Field(
        default=None, description="Shown in leaderboards; the model's own name by default. Each must be another one."
    )
    time_limit: Seconds | None = Field(
        default=None, description="A benchmark stops it after this time and the row says so: seconds, or 90s, 5m."
    )

    @property
    def label(self) -> str:
        """What leaderboards call it."""
        return self.name or self.model


@final
class RolesSection(Section):
    """Covariate columns, by what is known of them when a forecast is made."""

    known: tuple[str, ...] = Field(default=(), description="Known over the horizon too: promotions, prices, holidays.")
    past: tuple[str, ...] = Field(default=(), description="Known up to the cutoff only: customers, weather as measured.")
    static: tuple[str, ...] = Field(default=(), description="One value per series: floor area, store type.")
    categorical: tuple[str, ...] = Field(
        default=(), description="Those of the above whose values are names, not amounts: store type."
    )

    @model_validator(mode="after")
    def _once(self) -> RolesSection:
        names = (*self.known, *self.past, *self.static)
        again = sorted({name for name in names if names.count(name) > 1})
        if again:
            raise ValueError(f"columns {again} have more than one role; give each column one role")
        stray = sorted(set(self.categorical) - set(names))
        if stray:
            raise ValueError(f"categorical columns {stray} have no role; name them in known, past or static too")
        return self


@final
class DataSection(Section):
    """Where the panel comes from and what its grid is."""

    source: SourceSection = Field(description="The history: one row per series and step.")
    frequency: FrequencyAlias = Field(description="Grid of time: h, 30min, D, W-SUN, MS, QE, B, ... or integer.")
    season_lengths: tuple[Positive, ...] | None = Field(
        default=None, description="Seasons in steps; the usual ones of the frequency by default."
    )
    roles: RolesSection = Field(default=RolesSection(), description="Covariate columns.")
    holidays: tuple[str, ...] = Field(
        default=(), description="Countries whose public holidays the models are told of: DE, or US-CA for a part of one."
    )
    events: dict[str, tuple[date, ...]] = Field(
        default_factory=dict,
        description="Further days that are not as usual, past and to come, by name: {Black Friday: [2026-11-27]}.",
    )
    future: SourceSection | None = Field(default=None, description="Known covariates of the steps after the history.")
    static: SourceSection | None = Field(default=None, description="One row per series with the static columns.")

    @model_validator(mode="after")
    def _static_has_a_table(self) -> DataSection:
        if self.roles.static and self.static is None:
            raise ValueError(f"static columns {list(self.roles.static)} need a table; give data.static a source")
        return self


@final
class TaskSection(Section):
    """What a benchmark measures, and what a model is trained for."""

    horizon: Positive = Field(description="Steps of a forecast.")
    windows: Positive = Field(default=1, description="Cutoffs per series.")
    step: Positive | None = Field(default=None, description="Steps between cutoffs; the horizon by default.")
    anchor: Literal["series_end", "calendar"] = Field(
        default="series_end", description="Cutoffs count back from each series' end, or the panel's."
    )
    season_lengths: tuple[Positive, ...] | None = Field(
        default=None, description="The first scales MASE; the data's seasons by default."
    )
    levels: Levels = Field(default=DEFAULT_LEVELS, description="Quantile levels.")
    metrics: tuple[str, ...] | None = Field(
        default=None, description="Metrics of the leaderboard, the first one ranks; all by default."
    )
    refit: Literal["never", "each"] = Field(default="never", description="Fit once before the first cutoff, or again at each.")


@final
class TrackingSection(Section):
    """Where runs and models are recorded."""

    uri: str = Field(default="mlruns", description="MLflow store: a folder (SQLite inside), sqlite:///PATH or a server's address.")
    experiment: str = Field(default="forecast", min_length=1, description="Name of the experiment.")
    registered_model: str = Field(default="forecast", min_length=1, description="Name in the model registry.")


@final
class PromoteSection(Section):
    """The gates that a candidate must pass to become champion."""

    metric: str | None = Field(default=None, description="Metric to compare; the task's first one by default.")
    better_than_naive: float = Field(
        default=0.0, lt=1, description="Share by which it must beat the seasonal naive: 0.05 is 5 % lower."
    )
    worse_than_champion: float = Field(default=0.0, ge=0, description="Share by which it may fall behind the champion.")
    coverage_error: Share | None = Field(
        default=None, description="Largest distance of the outer interval's coverage from its nominal one."
    )


@final
class ScoreSection(Section):
    """The batch job."""

    model: Path | None = Field(default=None, description="Folder of a bundle; by default the registered model's alias.")
    alias: str = Field(default="champion", min_length=1, description="Alias in the registry.")
    output: Path | None = Field(
        default=None, description="Folder of the published forecasts; `forecasts` below `output` by default."
    )
    sink: SinkSection | None = Field(
        default=None, description="Where forecasts are published instead of a file below `output`, which keeps the run's own files."
    )
    run_date: date | None = Field(default=None, description="The cutoff is the last step that ends before it; `--run-date` too.")
    cutoff: int | None = Field(default=None, description="The last known step, for integer time.")
    policies: PoliciesSection = Field(default_factory=PoliciesSection, description="What happens to series that break a rule.")
    staleness: StalenessSection = Field(
        default_factory=StalenessSection, description="How old the newest observation may be, in steps."
    )
    gates: GatesSection = Field(default_factory=GatesSection, description="What a run must keep to be published.")
    bounds: BoundsSection = Field(default_factory=BoundsSection, description="Which series and forecasts are believed.")
    shard_series: Positive = Field(default=4096, description="Series per shard, a multiple of 256.")


@final
class Config(Section):
    """A whole configuration file. Each command says which sections it needs."""

    data: DataSection = Field(description="The panel.")
    task: TaskSection | None = Field(default=None, description="Horizon, cutoffs, metrics.")
    models: tuple[ModelSection, ...] = Field(default=(), description="Models to benchmark, or the one to train.")
    tracking: TrackingSection = Field(default=TrackingSection(), description="MLflow.")
    promote: PromoteSection = Field(default=PromoteSection(), description="Gates of promotion.")
    score: ScoreSection | None = Field(default=None, description="The batch job.")
    output: Path = Field(default=Path("out"), description="Folder for reports, bundles and forecasts.")
    seed: int = Field(default=0, ge=0, description="Seed of every model that uses chance.")
    budget: Seconds | None = Field(default=None, description="Time that a model with a budget may take.")

    @model_validator(mode="after")
    def _names_differ(self) -> Config:
        labels = [model.label for model in self.models]
        again = sorted({label for label in labels if labels.count(label) > 1})
        if again:
            raise ValueError(f"models {again} stand more than once; give each a `name` of its own")
        return self
