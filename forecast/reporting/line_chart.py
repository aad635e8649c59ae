"""One kind of picture: lines on two logarithmic axes, each named at its right end instead of in a legend.

It must not know what the lines are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from forecast.reporting.svg import Axis, document, dot, polyline, spread, text

WIDTH, HEIGHT = 760.0, 420.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 76.0, 560.0, 74.0, 368.0
_NAMES, _EDGE = 586.0, 0.06  # where names begin; room above and below, as a share of the height


class Line(NamedTuple):
    """One line. points: x and y, both positive. front: Drawn on top, in the second colour and bold; else one among equals."""

    name: str
    points: tuple[tuple[float, float], ...]
    front: bool = False


class Labels(NamedTuple):
    """The words of a chart. unit: A value of the vertical axis as text. base: What is round there: powers of 10, or of 8 for bytes."""

    title: str
    below: str
    horizontal: str
    unit: Callable[[float], str]
    base: int = 10


def line_chart(lines: Sequence[Line], labels: Labels) -> str:
    """Returns the picture as SVG; vertical lines stand where the points are."""
    places = sorted({x for line in lines for x, _ in line.points})
    values = [y for line in lines for _, y in line.points]
    across = Axis(places[0], places[-1], _LEFT, _RIGHT)
    up = _upright(min(values), max(values))
    parts = [text(24, 28, labels.title, "ink", 16, bold=True), text(24, 50, labels.below, "muted", 12.5)]
    for tick in ticks(up.low, up.high, labels.base):
        parts += [
            polyline([(_LEFT, up(tick)), (_RIGHT, up(tick))], "line", 1),
            text(_LEFT - 10, up(tick), labels.unit(tick), anchor="end"),
        ]
    parts += [text(across(x), _BOTTOM + 16, f"{x:,.0f}", anchor="middle") for x in places]
    parts.append(text((_LEFT + _RIGHT) / 2, _BOTTOM + 36, labels.horizontal, anchor="middle"))
    ordered = sorted(lines, key=lambda line: line.front)  # what is drawn last lies on top
    heights = spread([up(line.points[-1][1]) for line in ordered], _TOP, _BOTTOM)
    for line, height in zip(ordered, heights, strict=True):
        parts += _drawn(line, across, up, height)
    return document(WIDTH, HEIGHT, labels.title, parts)


def ticks(low: float, high: float, base: int = 10) -> list[float]:
    """Returns round values from low to high for a logarithmic axis: powers, with 2 and 5 times those of ten where they are few."""
    powers = [float(base) ** k for k in range(math.floor(math.log(low, base)), math.ceil(math.log(high, base)) + 1)]
    inside = [p for p in powers if low <= p <= high]
    return inside if len(inside) > 2 or base != 10 else [p * m for p in powers for m in (1, 2, 5) if low <= p * m <= high]


def _upright(low: float, high: float) -> Axis:
    """The vertical axis with some room at both ends; it shows a doubling at least."""
    middle, half = math.sqrt(low * high), max(math.sqrt(high / low), math.sqrt(2.0))
    room = (half**2) ** _EDGE
    return Axis(middle / half / room, middle * half * room, _BOTTOM, _TOP)


def _drawn(line: Line, across: Axis, up: Axis, height: float) -> list[str]:
    """The line, a mark at each point, and its name with a thread to it."""
    colour, width = ("baseline", 2.6) if line.front else ("champion", 1.6)
    points = [(across(x), up(y)) for x, y in line.points]
    thread = polyline([points[-1], (_NAMES - 6, height)], "faint", 0.8)
    marks = [dot(x, y, colour, 3.2 if line.front else 2.2) for x, y in points]
    return [thread, polyline(points, colour, width, 1.0 if line.front else 0.75), *marks,
            text(_NAMES, height, line.name, colour if line.front else "ink", 12, bold=line.front)]  # fmt: skip
