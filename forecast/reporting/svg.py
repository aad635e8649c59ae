"""Static pictures as SVG text: shapes and words in the colours of the palette, on a light and on a dark page from one file.

A colour is a role of the palette, never a number; the reader's page decides which set it takes. No script and no font is fetched.
It must not know what a picture shows.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from forecast.reporting.palette import DARK, LIGHT

_FONT = "Inter, ui-sans-serif, system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
_BETWEEN = 15.0  # pixels from one line of text to the next


class Axis(NamedTuple):
    """From values to pixels.

    low, high: Values at the two ends, positive on a logarithmic axis. start, end: Pixels there. logarithmic: Equal ratios are equally long.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = True

    def __call__(self, value: float) -> float:
        """Returns the pixel of a value; one outside the axis goes to its end."""
        low, high, at = (math.log(v) if self.logarithmic else v for v in (self.low, self.high, max(value, self.low)))
        share = (at - low) / (high - low) if high > low else 0.0
        return self.start + min(share, 1.0) * (self.end - self.start)


def document(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    """Returns a whole file. title: What the picture shows, for those who cannot see it."""
    style = f"{_rules(LIGHT)} @media (prefers-color-scheme: dark) {{ {_rules(DARK)} }} text {{ font-family: {_FONT}; }}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" height="{_n(height)}" role="img">'
    ground = f'<rect width="{_n(width)}" height="{_n(height)}" rx="8" fill="var(--surface)"/>'
    return "\n".join([head, f"<title>{html.escape(title)}</title>", f"<style>{style}</style>", ground, *parts, "</svg>", ""])


def text(x: float, y: float, words: str, colour: str = "muted", size: float = 12, anchor: str = "start", bold: bool = False) -> str:
    """Returns words whose middle is at height y. anchor: `start`, `middle` or `end`, which end of them is at x."""
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{_n(x)}" y="{_n(y + 0.35 * size)}" font-size="{_n(size)}" text-anchor="{anchor}"'
    return f'<text {place}{weight} fill="var(--{colour})">{html.escape(words)}</text>'


def rectangle(x: float, y: float, width: float, height: float, colour: str, opacity: float = 1.0, rounded: float = 0.0) -> str:
    """Returns a filled rectangle."""
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(max(width, 0.0))}" height="{_n(height)}"'
    return f'<rect {place} rx="{_n(rounded)}" fill="var(--{colour})" fill-opacity="{opacity:.3g}"/>'


def shaded(x: float, y: float, width: float, height: float, colour: str, stops: Sequence[tuple[float, float]], name: str) -> str:
    """Returns a rectangle whose opacity runs through stops (place, opacity), both 0...1. name: Of the gradient, once in a file."""
    marks = "".join(
        f'<stop offset="{place:.3g}" stop-color="var(--{colour})" stop-opacity="{opacity:.2g}"/>' for place, opacity in stops
    )
    gradient = f'<linearGradient id="{html.escape(name)}">{marks}</linearGradient>'
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
    return f'{gradient}<rect {place} rx="2" fill="url(#{html.escape(name)})"/>'


def polyline(points: Sequence[tuple[float, float]], colour: str, width: float = 1.5, opacity: float = 1.0, dash: str = "") -> str:
    """Returns a line through points."""
    path = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    look = f'stroke="var(--{colour})" stroke-width="{_n(width)}" stroke-opacity="{opacity:.3g}" stroke-linejoin="round"{dashes}'
    return f'<polyline points="{path}" fill="none" {look}/>'


def dot(x: float, y: float, colour: str, radius: float = 3.0) -> str:
    """Returns a filled circle."""
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="var(--{colour})"/>'


def spread(wanted: Sequence[float], low: float, high: float, between: float = _BETWEEN) -> list[float]:
    """Returns heights for lines of text that do not lie on each other, near the wanted ones, in the order given."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    edge = low
    for i in order:
        placed[i] = edge = max(wanted[i], edge)
        edge += between
    edge = high
    for i in reversed(order):
        placed[i] = edge = min(placed[i], edge)
        edge -= between
    return placed


def _rules(palette: Mapping[str, str]) -> str:
    return ":root { " + " ".join(f"--{name}: {colour};" for name, colour in palette.items()) + " }"


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
