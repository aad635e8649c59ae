"""Value types that sections share: durations, frequencies, names, dates. It must not know a section."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from forecast.core.errors import ConfigError
from forecast.core.frequency import Frequency

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(s|m|h|d)?$")
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: Any) -> float:
    """Returns a duration in seconds: a number, or text such as `90s`, `5m`, `2h`, `1d`.

    Raises:
        ValueError: anything else, or nothing at all.
    """
    text = str(value).strip().lower()
    match = _DURATION.match(text) if not isinstance(value, bool) else None
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{value!r} is no duration above zero; write seconds, or 90s, 5m, 2h, 1d")
    return float(match[1]) * _SECONDS[match[2]]


def _frequency(alias: str) -> str:
    try:
        Frequency.parse(alias)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return alias


def _levels(levels: tuple[float, ...]) -> tuple[float, ...]:
    if not levels or any(not 0 < level < 1 for level in levels) or list(levels) != sorted(set(levels)):
        raise ValueError(f"quantile levels {list(levels)} must ascend between 0 and 1, each once, as in [0.1, 0.5, 0.9]")
    return levels


Seconds: TypeAlias = Annotated[float, BeforeValidator(seconds, json_schema_input_type=float | str)]
FrequencyAlias: TypeAlias = Annotated[str, AfterValidator(_frequency)]
Levels: TypeAlias = Annotated[tuple[float, ...], AfterValidator(_levels)]
Positive: TypeAlias = Annotated[int, Field(ge=1)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Folder: TypeAlias = Path
