"""The pictures of the probe: what each cell recalls, costs and keeps, as static SVG. It must not measure or judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from forecast.probing.claims import horizon_text
from forecast.probing.results import ATTENTION, CellResult, ProbeResult, Recall
from forecast.reporting.line_chart import Labels, Line, line_chart
from forecast.reporting.svg import Axis, document, polyline, rectangle, shaded, text
from forecast.reporting.wording import number

_WIDTH, _ROW, _HEAD = 760.0, 26.0, 84.0
_LEFT, _RIGHT = 112.0, 620.0
_PANELS = ((112.0, 240.0), (336.0, 460.0), (556.0, 680.0))  # where the bars of each cost begin and end
_KIB = 1024.0


def figures(result: ProbeResult) -> dict[str, str]:
    """Returns the pictures by the name of their file. Those of which nothing was measured are left out."""
    drawn = {"probe_cost.svg": _costs(result), "probe_growth.svg": _growth(result), "probe_memory.svg": _memory(result)}
    if any(cell.recall is not None for cell in result.cells):
        drawn["probe_recall.svg"] = _recall(result)
    if result.stacks:
        drawn["probe_stacks.svg"] = _stacks(result)
    return drawn


def bytes_text(count: float) -> str:
    """Returns an amount of memory: 512 B, 2 KiB, 1.5 MiB."""
    for unit in ("B", "KiB"):
        if count < _KIB:
            return f"{count:.3g} {unit}"
        count /= _KIB
    return f"{count:,.1f} MiB" if count < 100 else f"{count:,.0f} MiB"


def _recall(result: ProbeResult) -> str:
    """A strip for each cell, from one step back to the oldest, as dark as what is recalled; a mark where it ends."""
    found = [(cell.name, cell.recall) for cell in result.cells if cell.recall is not None]
    found.sort(key=lambda pair: -pair[1].horizon)
    bottom = _HEAD + _ROW * len(found)
    across = Axis(1, result.settings.oldest, _LEFT, _RIGHT)
    parts = _heading(
        "How far back a value can be recalled",
        "Shade: share of the variance explained; 75 % is one remembered bit. Mark and number: the last step above 90 %.",
    )
    for tick in (t for t in (1, 10, 100, 1000) if t <= result.settings.oldest):
        parts += [polyline([(across(tick), _HEAD - 4), (across(tick), bottom)], "line", 1),
                  text(across(tick), bottom + 14, f"{tick:,}", anchor="middle")]  # fmt: skip
    for place, (name, recall) in enumerate(found):
        parts += _strip(name, recall, across, _HEAD + _ROW * place)
    parts.append(text((_LEFT + _RIGHT) / 2, bottom + 34, "steps back", anchor="middle"))
    return document(_WIDTH, bottom + 54, "How far back a value can be recalled, for each cell", parts)


def _strip(name: str, recall: Recall, across: Axis, top: float) -> list[str]:
    parts = [text(_LEFT - 10, top + _ROW / 2, name, "ink", 12.5, "end")]
    # The square keeps three quarters and all apart.
    stops = [
        ((across(age) - _LEFT) / (_RIGHT - _LEFT), max(share, 0.0) ** 2)
        for age, share in zip(recall.ages, recall.explained, strict=True)
    ]
    parts.append(shaded(_LEFT, top + 4, _RIGHT - _LEFT, _ROW - 8, "champion", stops, f"recall-{name}"))
    if recall.horizon:
        mark = across(recall.horizon)
        parts.append(rectangle(mark - 1.25, top + 1, 2.5, _ROW - 2, "ink"))
    parts.append(text(_RIGHT + 14, top + _ROW / 2, horizon_text(recall), "ink", 12.5, bold=True))
    return parts


def _costs(result: ProbeResult) -> str:
    """Three bars for each cell: its weights, a carried step, training."""
    cells = sorted(result.cells, key=lambda cell: cell.parameters)
    measures: Sequence[tuple[str, Callable[[CellResult], float]]] = (
        ("parameters", lambda cell: cell.parameters),
        ("microseconds per step", lambda cell: cell.microseconds),
        ("seconds per 1,000 training steps", lambda cell: cell.training),
    )
    below = f"Hidden size {result.settings.hidden_size}, one thread. A step: one series, its state carried."
    parts = _heading("What a cell costs", below)
    for place, cell in enumerate(cells):
        parts.append(text(_LEFT - 10, _HEAD + 24 + _ROW * (place + 0.5), cell.name, "ink", 12.5, "end", cell.name == ATTENTION))
    for (start, end), (words, of) in zip(_PANELS, measures, strict=True):
        parts.append(text(start, _HEAD + 8, words, "muted", 11.5))
        across = Axis(0, max(of(cell) for cell in cells), start, end, logarithmic=False)
        for place, cell in enumerate(cells):
            top, colour = _HEAD + 24 + _ROW * place, "baseline" if cell.name == ATTENTION else "champion"
            parts += [rectangle(start, top + 6, max(across(of(cell)) - start, 1.5), _ROW - 12, colour, 0.85, 2),
                      text(across(of(cell)) + 7, top + _ROW / 2, number(of(cell), 1), "ink", 11.5)]  # fmt: skip
    return document(_WIDTH, _HEAD + 40 + _ROW * len(cells), "What each cell costs", parts)


def _growth(result: ProbeResult) -> str:
    lines = [Line(f"{cell.name} {cell.growth.slope:.2f}", tuple(zip(map(float, cell.growth.lengths), cell.growth.seconds, strict=True)),
                  cell.name == ATTENTION) for cell in result.cells]  # fmt: skip
    below = (
        "One series read at once, hidden size "
        + f"{result.settings.hidden_size}. Beside each name the slope: 1 is linear, 2 quadratic."
    )
    return line_chart(lines, Labels("How the cost grows with length", below, "length, steps", _short_time))


def _memory(result: ProbeResult) -> str:
    """Cells that keep the same number of bytes share a line."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for cell in result.cells:
        groups.setdefault(cell.memory.kept, []).append(cell.name)
    lengths = [float(n) for n in result.settings.lengths]
    lines = [Line(f"{_listed(names)}: {bytes_text(kept[-1])}", tuple((x, max(float(y), 1.0)) for x, y in zip(lengths, kept, strict=True)),
                  ATTENTION in names) for kept, names in groups.items()]  # fmt: skip
    below = f"The state of one series, float32, hidden size {result.settings.hidden_size}. Attention keeps keys and values of every step."
    return line_chart(lines, Labels("What is kept from step to step", below, "steps read", bytes_text, base=8))


def _stacks(result: ProbeResult) -> str:
    lines = []
    for residual in (True, False):
        points = tuple((float(s.layers), max(s.loss, 1e-9)) for s in result.stacks if s.residual == residual)
        lines.append(Line("with residuals" if residual else "without", points, not residual))
    below = f"Loss of a stack of GRU layers after {result.settings.stack_steps} equal training steps, as a share of the variance."
    return line_chart(lines, Labels("Deep stacks with and without residuals", below, "layers", lambda value: f"{value:.2g}"))


def _heading(title: str, below: str) -> list[str]:
    return [text(24, 28, title, "ink", 16, bold=True), text(24, 50, below, "muted", 12.5)]


def _listed(names: Sequence[str]) -> str:
    """Names in one line, the first ones only where there are many."""
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _short_time(value: float) -> str:
    """Round seconds: 10 µs, 2 ms, 5 s."""
    for unit in ("s", "ms"):
        if value >= 0.9:
            return f"{value:.3g} {unit}"
        value *= 1000
    return f"{value:.3g} µs"
