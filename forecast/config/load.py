"""A configuration file, with `--set` overrides, to a typed `Config`: every mistake is found before anything runs, all in one message.

Paths are relative to the working directory; `shipped:` names what travels with the project (`shipped:data/sample/sales.parquet`).
It must not open what the configuration names, nor import the library of a model that is not configured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from forecast.config.arguments import TASK_ARGUMENTS, check_arguments, validate_plain
from forecast.config.components import find_model, model_names, sink_kinds, source_kinds
from forecast.config.mistakes import dotted, explain, nearest
from forecast.config.overrides import apply_overrides
from forecast.config.sections import Config, ModelSection
from forecast.config.text import Raw, read_yaml
from forecast.core.errors import ConfigError, ForecastError
from forecast.core.frequency import Frequency

if TYPE_CHECKING:
    from forecast.evaluation.task import Task

SHIPPED = "shipped:"

Locate = Callable[[str], Path]


def load_config(path: Path, overrides: Sequence[str] = (), locate: Locate | None = None) -> Config:
    """Returns the checked configuration of a YAML file.

    Args:
        path: The file.
        overrides: Each `path.to.key=value`.
        locate: Finds what stands behind `shipped:`; without it such paths are a mistake.

    Raises:
        ConfigError: with all mistakes at once, each beginning with the path of its key.
    """
    raw, mistakes = read_yaml(path)
    mistakes += apply_overrides(raw, overrides)
    return check_config(raw, str(path), mistakes, locate)


def check_config(raw: Raw, place: str, mistakes: Sequence[str] = (), locate: Locate | None = None) -> Config:
    """Returns the checked configuration of plain values; see `load_config`.

    Args:
        raw: The values.
        place: Where they came from, for the message.
        mistakes: Mistakes already found, to be reported with the others.
        locate: As in `load_config`.
    """
    found = list(mistakes)
    raw = _located(raw, locate, found, ())
    config: Config | None = None
    try:
        config = validate_plain(Config, raw)
    except ValidationError as error:
        found += explain(error, raw, Config)
    for keys, section in _sources(raw):
        found += _kind_mistakes(section, keys, "source", source_kinds())
    for keys, section in _sinks(raw):
        found += _kind_mistakes(section, keys, "sink", sink_kinds())
    for position, section in enumerate(_list(raw.get("models"))):
        found += _model_mistakes(section, ("models", position))
    if config is not None:
        found += _meaning_mistakes(config)
    if found or config is None:
        noun, pronoun = ("mistake", "it") if len(found) == 1 else ("mistakes", "them")
        raise ConfigError(f"{place}: {len(found)} {noun}; mend {pronoun} there", found)
    return config


def task_of(config: Config, frequency: Frequency) -> Task:
    """Returns the task of a configuration; where it names no season lengths or metrics, the frequency's and all of them.

    Raises:
        ConfigError: no task section, or one that makes no sense.
    """
    from forecast.evaluation.task import DEFAULT_METRICS, Task  # brings pandas: only where there is a task to check

    require_sections(config, "benchmark", "task")
    assert config.task is not None
    chosen = config.task.model_dump()
    chosen["season_lengths"] = frequency.season_lengths if chosen["season_lengths"] is None else chosen["season_lengths"]
    chosen["metrics"] = chosen["metrics"] or DEFAULT_METRICS
    return Task(**chosen)


def require_sections(config: Config, command: str, *names: str) -> None:
    """Checks that a configuration has the sections that a command needs.

    Raises:
        ConfigError: naming every section that is not there.
    """
    absent = [f"{name}: missing; `forecast {command}` needs it" for name in names if not getattr(config, name)]
    if absent:
        raise ConfigError(
            f"the configuration lacks {len(absent)} of the sections that `forecast {command}` needs; add them", absent
        )


def _located(value: Any, locate: Locate | None, found: list[str], path: tuple[str | int, ...]) -> Any:
    """The values with `shipped:` paths replaced by real ones."""
    if isinstance(value, dict):
        return {key: _located(inner, locate, found, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_located(inner, locate, found, (*path, index)) for index, inner in enumerate(value)]
    if not (isinstance(value, str) and value.startswith(SHIPPED)):
        return value
    try:
        if locate is None:
            raise ConfigError(f"{value!r} needs the files that travel with the project; give a path of your own")
        return str(locate(value.removeprefix(SHIPPED)))
    except ConfigError as error:
        found.append(f"{dotted(path)}: {error}")
        return value


def _sources(raw: Raw) -> Iterator[tuple[tuple[str | int, ...], Raw]]:
    """The sections of the values that describe a source."""
    data = raw.get("data")
    for name in ("source", "future", "static"):
        section = data.get(name) if isinstance(data, dict) else None
        if isinstance(section, dict):
            yield ("data", name), section


def _sinks(raw: Raw) -> Iterator[tuple[tuple[str | int, ...], Raw]]:
    """The section of the values that describes a sink, where there is one."""
    score = raw.get("score")
    section = score.get("sink") if isinstance(score, dict) else None
    if isinstance(section, dict):
        yield ("score", "sink"), section


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _kind_mistakes(section: Raw, path: tuple[str | int, ...], what: str, kinds: Mapping[str, Callable[..., object]]) -> list[str]:
    kind = section.get("kind")
    if not isinstance(kind, str):
        return []  # the section's own type says so
    if kind not in kinds:
        return [f"{dotted([*path, 'kind'])}: unknown {what} {kind!r}; {nearest(kind, kinds)}"]
    arguments = {key: value for key, value in section.items() if key != "kind"}
    checked = check_arguments(kinds[kind], arguments, prefix=path)
    return list(checked.mistakes) or _refusals(kinds[kind], checked.values, path)


def _model_mistakes(section: Any, path: tuple[str | int, ...]) -> list[str]:
    name = section.get("model") if isinstance(section, dict) else None
    if not isinstance(name, str):
        return []  # the section's own type says so
    maker = find_model(name)
    if maker is None:
        return [f"{dotted([*path, 'model'])}: unknown model {name!r}; {nearest(name, model_names())}"]
    arguments = {key: value for key, value in section.items() if key not in ModelSection.model_fields}
    return list(check_arguments(maker, arguments, reserved=TASK_ARGUMENTS, prefix=path).mistakes)


def _refusals(component: Callable[..., object], arguments: Mapping[str, Any], path: tuple[str | int, ...]) -> list[str]:
    """What a component itself refuses, beyond the types of its arguments: constructors read nothing, so that they can be tried."""
    try:
        component(**arguments)
    except (ForecastError, ValueError) as error:
        inner = getattr(error, "mistakes", ())
        return [f"{dotted(path)}.{mistake}" for mistake in inner] or [f"{dotted(path)}: {error}"]
    return []


def _meaning_mistakes(config: Config) -> list[str]:
    """What the task and the models refuse, once every value has the right type."""
    if config.task is None:
        return []
    frequency = Frequency.parse(config.data.frequency, config.data.season_lengths)
    try:
        task = task_of(config, frequency)
    except ConfigError as error:
        return list(error.mistakes) or [f"task: {error}"]
    given = {"horizon": task.horizon, "levels": task.levels, "season_lengths": frequency.season_lengths}
    found: list[str] = []
    for position, section in enumerate(config.models):
        maker = find_model(section.model)
        checked = check_arguments(maker, section.arguments, reserved=TASK_ARGUMENTS) if maker is not None else None
        if maker is not None and checked is not None and not checked.mistakes:
            found += _refusals(maker, {**given, **checked.values}, ("models", position))
    return found
