"""Places for the labels of a scatter chart, so that no two lie on each other. It knows boxes, not charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

PLOT_WIDTH, PLOT_HEIGHT = 430.0, 255.0  # pixels of the plotting area on a desktop page
_CHARACTER, _LINE, _MARK = 6.6, 15.0, 8.0
_SIDES = ("top center", "bottom center", "middle right", "middle left", "top right", "bottom right", "top left", "bottom left")


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    right: float
    low: float
    high: float

    def meets(self, other: Box) -> bool:
        """Returns whether the rectangles overlap."""
        return self.left < other.right and other.left < self.right and self.low < other.high and other.low < self.high


def place_labels(x: Sequence[float], y: Sequence[float], texts: Sequence[str]) -> list[str | None]:
    """Returns the side of its point for each label, None where every side is taken; earlier labels choose first.

    Args:
        x: Places of the points, 0...1 of the plot's width.
        y: The same for its height.
        texts: The labels.

    Returns:
        Plotly's names of text positions.
    """
    marks = [box_of(a, b, "", "middle center") for a, b in zip(x, y, strict=True)]
    taken: list[Box] = []
    sides: list[str | None] = []
    for point, text in enumerate(texts):
        others = [mark for i, mark in enumerate(marks) if i != point]
        free = (s for s in _SIDES if not any(box_of(x[point], y[point], text, s).meets(b) for b in (*taken, *others)))
        side = next(free, None)
        sides.append(side)
        if side is not None:
            taken.append(box_of(x[point], y[point], text, side))
    return sides


def box_of(x: float, y: float, text: str, side: str) -> Box:
    """Returns the rectangle of a label on a side of its point; of the point's mark for an empty text."""
    centre, middle = x * PLOT_WIDTH, y * PLOT_HEIGHT
    if not text:
        return Box(centre - _MARK, centre + _MARK, middle - _MARK, middle + _MARK)
    width = len(text) * _CHARACTER
    vertical, horizontal = side.split()
    left = {"center": centre - width / 2, "right": centre + _MARK, "left": centre - _MARK - width}[horizontal]
    low = {"middle": middle - _LINE / 2, "top": middle + _MARK, "bottom": middle - _MARK - _LINE}[vertical]
    return Box(left, left + width, low, low + _LINE)
