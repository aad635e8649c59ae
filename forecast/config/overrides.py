"""`--set models.0.hidden_size=64`: changes to the plain values before they are checked, so that every leaf can be reached.

It must not know which keys exist; an override of an unknown key is refused with the file's own mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from forecast.config.text import Raw, parse_yaml
from forecast.core.errors import ConfigError


def apply_overrides(raw: Raw, overrides: Sequence[str]) -> list[str]:
    """Changes the values in place and returns one line per override that cannot be applied.

    Args:
        raw: The values of a configuration file.
        overrides: Each `path.to.key=value`; the value is YAML (`[7, 364]`, `1e-3`, `null`); numbers in the path count list items.
    """
    mistakes: list[str] = []
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not all(key.split(".")):
            mistakes.append(f"--set {override}: not of the form path.to.key=value")
            continue
        try:
            value, twice = parse_yaml(text, f"--set {key}")
        except ConfigError as error:
            mistakes.append(str(error))
            continue
        mistakes += twice
        problem = _put(raw, key.split("."), value)
        if problem:
            mistakes.append(f"{key}: --set {problem}")
    return mistakes


def _put(raw: Raw, path: list[str], value: Any) -> str:
    """Puts a value at a path; returns what is wrong, or nothing. Sections that the file leaves out are made."""
    place: Any = raw
    for depth, part in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(place, list):
            if not part.isdecimal() or int(part) >= len(place):
                return f"names item {part!r} of a list of {len(place)}; items count from 0"
            key: Any = int(part)
        elif isinstance(place, dict):
            key = part
            if not last and place.get(part) is None:
                place[part] = {}
        else:
            return f"goes into {'.'.join(path[:depth])}, which is the value {place!r} and has no keys"
        if last:
            place[key] = value
            return ""
        place = place[key]
    return ""
