"""Numbers as people read them: seconds, megabytes, shares and metrics as short text. It must not know what they measure."""

from __future__ import annotations

import math

NOT_MEASURED = "–"  # noqa: RUF001  the typographic sign for no value


def number(value: float, digits: int = 3) -> str:
    """Returns a number with about that many meaningful digits: 0.0482, 1.193, 13.91, 1,204."""
    if not math.isfinite(value):
        return NOT_MEASURED
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    decimals = digits if size < 10 else max(digits - int(math.log10(size)), 0)
    return f"{value:.{decimals + (1 if 0 < size < 0.1 else 0)}f}"


def seconds(value: float) -> str:
    """Returns a duration: < 1 ms, 8 ms, 1.4 s, 2 min 5 s, 1 h 3 min."""
    if value < 0.001:
        return "< 1 ms"
    if value < 0.9995:
        return f"{1000 * value:.0f} ms"
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def megabytes(value: float) -> str:
    """Returns an amount of memory: 512 MB, 3.1 GB."""
    if value <= 0:
        return NOT_MEASURED
    return f"{value:.0f} MB" if value < 1000 else f"{value / 1000:.1f} GB"


def percent(share: float, digits: int = 0) -> str:
    """Returns a share as a percentage: 0.834 -> 83 %, with a space that does not break."""
    return f"{100 * share:.{digits}f}\u00a0%" if math.isfinite(share) else NOT_MEASURED


def p_value(value: float) -> str:
    """Returns a p-value without false precision: < 0.001, 0.032."""
    if not math.isfinite(value):
        return NOT_MEASURED
    return "<\u00a00.001" if value < 0.001 else f"{value:.3f}"
