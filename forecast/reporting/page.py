"""What every page is made with: templates, data that are safe inside a script, Plotly's script, and a file that appears whole."""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

_SHARED = ("style.jinja", "script.jinja")


def environment(template: str) -> Environment:
    """Returns the environment that renders a template with the shared style and script; all texts are escaped."""
    folder = resources.files("forecast.reporting")
    parts = {name: folder.joinpath(name).read_text(encoding="utf-8") for name in (template, *_SHARED)}
    return Environment(loader=DictLoader(parts), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def script_json(value: Any) -> Markup:
    """Returns JSON that may stand inside a script element: nothing in it can end the element or begin a comment."""
    plain = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        plain = plain.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(plain)


def plotly_script() -> Markup:
    """Returns Plotly's own script, which draws the charts without a network."""
    from plotly.offline import get_plotlyjs  # a second of start-up

    return Markup(str(get_plotlyjs()).replace("</script", "<\\/script"))


def write_page(path: Path, page: str) -> Path:
    """Writes a page whole, over an older one, and returns its path; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    return path
