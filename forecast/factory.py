"""The one composition root: configuration and recipes to sources, panels and forecasters, through closed registries.

Nothing is imported by a name that a file gives: a name is looked up, never a class path. It must not know MLflow nor files of jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from forecast.config.arguments import INJECTED, TASK_ARGUMENTS, check_arguments, parameter_names
from forecast.config.components import find_model, model_names, sink_kinds, source_kinds
from forecast.config.load import task_of
from forecast.config.mistakes import nearest
from forecast.config.sections import Config, DataSection, ModelSection, SinkSection, SourceSection
from forecast.core.errors import ConfigError, ModelError
from forecast.core.event_calendar import EventCalendar
from forecast.core.forecaster import Forecaster, MetricSink, Progress, Recipe, Weights
from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles
from forecast.evaluation.task import Task
from forecast.storage.bundle import LoadedBundle, load_bundle
from forecast.storage.sinks.sink import Sink
from forecast.storage.sources.evidence import naming_rows
from forecast.storage.sources.source import Source
from forecast.storage.state_files import read_state, write_state

if TYPE_CHECKING:
    from forecast.neural.state_value import CarriedState

__all__ = [
    "build_calendar", "build_forecaster", "build_frequency", "build_model", "build_roles", "build_sink", "build_source", "build_task",
    "future_source", "history_source", "load_forecaster", "load_state", "model_names", "read_future", "read_panel", "rebuild",
    "save_state", "static_source",
]  # fmt: skip


def build_forecaster(
    model: str, *, horizon: int, levels: tuple[float, ...], season_lengths: tuple[int, ...], arguments: Mapping[str, Any] | None = None,
    name: str | None = None, sink: MetricSink | None = None, progress: Progress | None = None,
) -> Forecaster:  # fmt: skip
    """Returns an unfitted forecaster.

    Args:
        model: Name in a registry.
        horizon: Steps of a forecast.
        levels: Quantile levels, ascending.
        season_lengths: Seasons of the data in steps, shortest first.
        arguments: Further arguments of the model's constructor, plain values.
        name: What the forecasts are called; the model's own name by default.
        sink: Where a model that is trained reports its curve; the others leave it alone.
        progress: Is told how far a long fit is, by models that can tell.

    Raises:
        ConfigError: an unknown model, or arguments that it does not take, all at once.
    """
    maker = find_model(model)
    if maker is None:
        raise ConfigError(f"there is no model {model!r}; {nearest(model, model_names())}")
    checked = check_arguments(maker, dict(arguments or {}), reserved=TASK_ARGUMENTS)
    if checked.mistakes:
        raise ConfigError(f"model {model!r}: {len(checked.mistakes)} wrong arguments; mend them", checked.mistakes)
    taken = parameter_names(maker)
    extra = {
        key: value for key, value in (("name", name), ("sink", sink), ("progress", progress)) if value is not None and key in taken
    }
    return maker(horizon=horizon, levels=levels, season_lengths=season_lengths, **extra, **checked.values)


def build_model(config: Config, section: ModelSection, sink: MetricSink | None = None) -> Forecaster:
    """Returns the unfitted forecaster of a model section, for the configuration's task and data.

    The configuration's seed and budget reach models that take them and have none of their own.
    """
    task, frequency = build_task(config), build_frequency(config.data)
    maker = find_model(section.model)
    taken = parameter_names(maker) if maker is not None else frozenset[str]()
    shared = {"seed": config.seed, "budget": config.budget}
    arguments = {key: value for key, value in shared.items() if key in taken and value is not None} | section.arguments
    return build_forecaster(
        section.model, horizon=task.horizon, levels=task.levels, season_lengths=frequency.season_lengths, arguments=arguments,
        name=section.label, sink=sink,
    )  # fmt: skip


def rebuild(recipe: Recipe, weights: Weights) -> Forecaster:
    """Returns the fitted forecaster that a recipe and its weights came from.

    Raises:
        ModelError: a recipe of an unknown kind or with arguments that the kind does not take; weights that do not fit.
    """
    arguments = dict(recipe)
    kind = arguments.pop("kind", None)
    maker = find_model(kind) if isinstance(kind, str) else None
    if maker is None:
        raise ModelError(f"the recipe's kind {kind!r} is not one of {', '.join(model_names())}; it was saved by another version")
    checked = check_arguments(maker, arguments, reserved=INJECTED)
    if checked.mistakes:
        raise ModelError(f"the recipe of {kind!r} cannot be used: {'; '.join(checked.mistakes)}; it was saved by another version")
    forecaster = maker(**checked.values)
    forecaster.restore(weights)
    return forecaster


def load_forecaster(directory: Path) -> tuple[Forecaster, LoadedBundle]:
    """Returns the fitted forecaster of a bundle, and the bundle.

    Raises:
        ModelNotFound: no such folder.
        ModelError: a damaged bundle, or one of another version.
    """
    bundle = load_bundle(directory)
    return rebuild(bundle.recipe, bundle.weights), bundle


def save_state(directory: Path, state: CarriedState) -> None:
    """Writes a carried state to a folder, which appears whole or not at all and replaces an older one of that name.

    Raises:
        SinkError: the folder cannot be written.
    """
    from forecast.neural.state_arrays import state_arrays, state_facts

    write_state(directory, state_arrays(state), state_facts(state))


def load_state(directory: Path) -> CarriedState:
    """Returns the carried state of a folder, every byte verified before any is used.

    Raises:
        ModelNotFound: no such folder.
        StateDamaged: a file missing, added, cut off or changed, or another format.
    """
    from forecast.neural.state_arrays import state_from

    arrays, facts = read_state(directory)
    return state_from(arrays, facts, str(directory))


def build_source(section: SourceSection, covariates: tuple[str, ...] | None = None, categorical: tuple[str, ...] = ()) -> Source:
    """Returns the source that a section describes.

    Args:
        section: Kind and arguments.
        covariates: Columns to read beside the required ones, where the section does not say it itself.
        categorical: Columns that hold names; those of them that are read are read as text.

    Raises:
        ConfigError: an unknown kind, or arguments that it does not take.
    """
    kinds = source_kinds()
    if section.kind not in kinds:
        raise ConfigError(f"there is no source {section.kind!r}; {nearest(section.kind, kinds)}")
    component = kinds[section.kind]
    taken = parameter_names(component)
    wanted = {"covariates": list(covariates)} if covariates is not None and "covariates" in taken else {}
    names = [name for name in categorical if covariates is None or name in covariates]
    wanted |= {"categorical": names} if names and "categorical" in taken else {}
    checked = check_arguments(component, wanted | section.arguments)
    if checked.mistakes:
        raise ConfigError(f"source {section.kind!r}: {len(checked.mistakes)} wrong arguments; mend them", checked.mistakes)
    return cast(Source, component(**checked.values))


def build_sink(section: SinkSection) -> Sink:
    """Returns the sink that a section describes.

    Raises:
        ConfigError: an unknown kind, or arguments that it does not take.
    """
    kinds = sink_kinds()
    if section.kind not in kinds:
        raise ConfigError(f"there is no sink {section.kind!r}; {nearest(section.kind, kinds)}")
    checked = check_arguments(kinds[section.kind], section.arguments)
    if checked.mistakes:
        raise ConfigError(f"sink {section.kind!r}: {len(checked.mistakes)} wrong arguments; mend them", checked.mistakes)
    return cast(Sink, kinds[section.kind](**checked.values))


def history_source(data: DataSection) -> Source:
    """Returns the source of the history, which reads the covariates that have a role and no other column."""
    return build_source(data.source, (*data.roles.known, *data.roles.past), data.roles.categorical)


def future_source(data: DataSection) -> Source | None:
    """Returns the source of the known covariates after the history; None where the section names none."""
    return None if data.future is None else build_source(data.future, data.roles.known, data.roles.categorical)


def static_source(data: DataSection) -> Source | None:
    """Returns the source of the static columns; None where the section names none."""
    return None if data.static is None else build_source(data.static, data.roles.static, data.roles.categorical)


def build_frequency(data: DataSection) -> Frequency:
    """Returns the grid of the panel."""
    return Frequency.parse(data.frequency, data.season_lengths)


def build_roles(data: DataSection) -> Roles:
    """Returns the covariates of the panel by what is known of them."""
    return Roles(known=data.roles.known, past=data.roles.past, static=data.roles.static, categorical=data.roles.categorical)


def build_calendar(data: DataSection) -> EventCalendar:
    """Returns the holidays and events of the panel."""
    return EventCalendar.of(data.holidays, data.events)


def build_task(config: Config) -> Task:
    """Returns the task of a configuration.

    Raises:
        ConfigError: it has none.
    """
    return task_of(config, build_frequency(config.data))


def read_panel(data: DataSection) -> Panel:
    """Returns the panel that a data section describes.

    Raises:
        DataError: a breach of the input contract; every offence with row, column, value and rule.
    """
    static = static_source(data)
    table = None if static is None else static.read("static")
    rows = history_source(data).read("history")
    with naming_rows(rows):
        return Panel.from_frame(rows, build_frequency(data), build_roles(data), table, build_calendar(data))


def read_future(data: DataSection) -> KnownFuture | None:
    """Returns the known covariates after the history; None where the section names none."""
    future = future_source(data)
    if future is None:
        return None
    rows = future.read("future")
    with naming_rows(rows):
        return KnownFuture.from_frame(rows, build_frequency(data), data.roles.known, data.roles.categorical)
