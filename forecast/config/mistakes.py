"""What a reader of a configuration mistake sees: the path of the key, what is wrong with the value found, the nearest known name.

It must not decide what is a mistake; the sections and the components' signatures do.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

_SHOWN = 60


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns what to do about an unknown name: the nearest known one, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(names)}" if names else "there is none"


def explain(error: ValidationError, raw: Any, model: type[BaseModel], prefix: Sequence[str | int] = ()) -> list[str]:
    """Returns one line per key that a validation found wrong, in the order of the keys.

    Args:
        error: What pydantic found.
        raw: The values that were validated.
        model: The model that refused them; names its fields for the nearest-name advice.
        prefix: Path of `raw` inside the whole configuration.
    """
    found: dict[tuple[str | int, ...], list[str]] = {}
    for detail in error.errors(include_url=False):
        path = _real_path(detail["loc"], raw, missing=detail["type"] == "missing")
        message = _message(detail, path, raw, model)
        lines = found.setdefault(path, [])
        if message not in lines:
            lines.append(message)
    return [f"{dotted([*prefix, *path])}: {' or '.join(lines)}" for path, lines in found.items()]


def dotted(path: Iterable[str | int]) -> str:
    """Returns the path of a key as `--set` takes it: `models.0.hidden_size`."""
    return ".".join(str(part) for part in path) or "(top)"


def _real_path(loc: tuple[str | int, ...], raw: Any, missing: bool) -> tuple[str | int, ...]:
    """The part of pydantic's location that exists in the values: union members and validators add names of their own."""
    path: list[str | int] = []
    for part in loc:
        inside = isinstance(raw, dict) and part in raw
        listed = isinstance(raw, list) and isinstance(part, int) and part < len(raw)
        if not (inside or listed):
            return (*path, part) if missing else tuple(path)
        path.append(part)
        raw = raw[part]
    return tuple(path)


def _message(detail: ErrorDetails, path: tuple[str | int, ...], raw: Any, model: type[BaseModel]) -> str:
    if detail["type"] == "extra_forbidden":
        return f"unknown key; {nearest(str(path[-1]), _fields_at(model, path[:-1]))}"
    if detail["type"] == "missing":
        return "missing; give a value"
    text = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    text = text[:1].lower() + text[1:]
    if detail["type"] == "value_error":  # written by this project: already says what was found
        return text
    return f"{text}, found {_shown(_at(raw, path))}"


def _fields_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Names of the fields of the section at a path."""
    from pydantic import BaseModel

    for part in path:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        inner = [annotation, *_arguments(annotation)]
        sections = [a for a in inner if isinstance(a, type) and issubclass(a, BaseModel)]
        if not sections:
            return []
        model = sections[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _arguments(annotation: Any) -> list[Any]:
    """The types inside `X | None` and `tuple[X, ...]`, at any depth."""
    from typing import get_args

    found: list[Any] = []
    for inner in get_args(annotation):
        found += [inner, *_arguments(inner)]
    return found


def _at(raw: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        raw = raw[part]
    return raw


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
