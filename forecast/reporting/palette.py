"""The colours of the report and of the plots, one set for a light and one for a dark page.

A colour says what a mark is and never only decorates: the champion, the baseline, the truth, everything else. Charts name a colour by
token (`@champion`, `@champion/0.2` with an opacity) and do not know which page they stand on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LIGHT: Mapping[str, str] = {
    "page": "#f5f6f8",
    "surface": "#ffffff",
    "ink": "#161b26",
    "muted": "#5f6b7c",
    "faint": "#a5afbd",
    "line": "#e3e7ed",
    "champion": "#0b7a75",
    "baseline": "#c2610c",
    "worse": "#c2410c",
}
DARK: Mapping[str, str] = {
    "page": "#0d1117",
    "surface": "#151b24",
    "ink": "#e9eef5",
    "muted": "#9aa7b8",
    "faint": "#5d6a7c",
    "line": "#263040",
    "champion": "#3ddbc7",
    "baseline": "#f5a552",
    "worse": "#f08a5d",
}
_TOKEN = re.compile(r"^@([a-z]+)(?:/([0-9.]+))?$")


def resolve(value: Any, palette: Mapping[str, str]) -> Any:
    """Returns a chart with each colour token in it replaced by a colour of the palette.

    Args:
        value: A chart or any part of one: dicts, lists, texts and numbers.
        palette: `LIGHT` or `DARK`.
    """
    if isinstance(value, dict):
        return {key: resolve(part, palette) for key, part in value.items()}
    if isinstance(value, list):
        return [resolve(part, palette) for part in value]
    token = _TOKEN.match(value) if isinstance(value, str) else None
    return _rgba(palette[token[1]], float(token[2] or 1)) if token else value


def _rgba(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
