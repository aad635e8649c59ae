"""YAML text to plain values: the only module that reads or writes YAML.

The core schema of YAML 1.2 holds, not the older one that PyYAML reads by default: `no` and `on` are text, `1e-3` is a number,
`12:30` is text and a date stays text. It must not run code (`!!python/...` is refused) nor know what the keys mean.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, TypeAlias, cast, final

import yaml

from forecast.core.errors import ConfigError

Raw: TypeAlias = dict[str, Any]

_TAG = "tag:yaml.org,2002:"
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}


@final
class _CoreLoader(yaml.SafeLoader):
    """The safe loader with the core schema of YAML 1.2; a key that comes twice is remembered, and its first value stays."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML reads this class attribute)
    twice: list[str]

    def __init__(self, stream: str) -> None:
        self.twice = []
        super().__init__(stream)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node; a reference to an anchor is refused: a few lines of them can unfold to gigabytes."""
        if self.check_event(yaml.AliasEvent):
            event: yaml.AliasEvent = self.peek_event()  # type: ignore[no-untyped-call]
            problem = f"the reference *{event.anchor} is not allowed; write the value out"
            raise yaml.composer.ComposerError(None, None, problem, cast(yaml.error.Mark | None, event.start_mark))
        return super().compose_node(parent, index)

    def plain_mapping(self, node: yaml.MappingNode) -> Raw:
        """The mapping of a node; every key must be text and stand once."""
        values: Raw = {}
        for key_node, value_node in node.value:
            key = str(self.construct_object(key_node, deep=True))
            if key in values:
                self.twice.append(f"{key}: stands twice, the second time in line {key_node.start_mark.line + 1}; keep one of them")
                continue
            values[key] = self.construct_object(value_node, deep=True)
        return values

    def core_float(self, node: yaml.ScalarNode) -> float:
        """The number of a scalar node."""
        text = str(node.value).lower()
        return _SPECIAL[text] if text in _SPECIAL else float(text)


@final
class _CoreDumper(yaml.SafeDumper):
    """Writes text in quotes exactly where the loader above would take it for something else."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (as above)


# Only what JSON knows: !!binary, !!set and !!timestamp are refused like !!python/object.
_SAFE = yaml.SafeLoader.yaml_constructors
_CoreLoader.yaml_constructors = {
    f"{_TAG}null": _SAFE[f"{_TAG}null"],
    f"{_TAG}bool": _SAFE[f"{_TAG}bool"],
    f"{_TAG}str": _SAFE[f"{_TAG}str"],
    f"{_TAG}seq": _SAFE[f"{_TAG}seq"],
    f"{_TAG}map": lambda loader, node: loader.plain_mapping(node),
    f"{_TAG}float": lambda loader, node: loader.core_float(node),
    f"{_TAG}int": lambda loader, node: int(node.value),
    None: _SAFE[None],
}
_FLOAT = (
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", _FLOAT, list("-+0123456789.")),
):
    for _side in (_CoreLoader, _CoreDumper):
        _side.add_implicit_resolver(f"{_TAG}{_tag}", re.compile(_pattern), _first)


def parse_yaml(text: str, place: str) -> tuple[Any, list[str]]:
    """Returns the value of a YAML text and a line for every key that stands twice.

    Args:
        text: The YAML.
        place: The file or option it came from, for messages.

    Raises:
        ConfigError: text that is not YAML, or a tag that would build an object.
    """
    loader = _CoreLoader(text)
    try:
        return loader.get_single_data(), loader.twice
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{place}{line}: not readable as plain YAML: {problem}; mend the text there") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: not readable as plain YAML: {error}; mend the text there") from error
    finally:
        loader.dispose()


def read_yaml(path: Path) -> tuple[Raw, list[str]]:
    """Returns the mapping in a YAML file and a line for every key that stands twice.

    Raises:
        ConfigError: no such file, not text, not YAML, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the configuration {path} cannot be read ({error.strerror}); give the path of a YAML file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the configuration {path} is not UTF-8 text (byte {error.start}); give the path of a YAML file"
        ) from error
    value, twice = parse_yaml(text, str(path))
    if not isinstance(value, dict):
        raise ConfigError(f"the configuration {path} holds {type(value).__name__}, not a mapping of sections such as data and task")
    return value, twice


def to_yaml(value: Any) -> str:
    """Returns plain values as YAML text, keys in their order."""
    return yaml.dump(value, Dumper=_CoreDumper, sort_keys=False, allow_unicode=True, width=120)
