"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forecast.reporting import wording


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (wording.number, 1.1934, "1.193"),
        (wording.number, 13.9123, "13.91"),
        (wording.number, 137.26, "137.3"),
        (wording.number, 0.04823, "0.0482"),
        (wording.number, 12044.4, "12,044"),
        (wording.number, 0.0, "0.000"),
        (wording.number, -1.5, "-1.500"),
        (wording.number, float("nan"), "–"),  # noqa: RUF001
        (wording.seconds, 0.0002, "< 1 ms"),
        (wording.seconds, 0.0081, "8 ms"),
        (wording.seconds, 0.9997, "1.0 s"),
        (wording.seconds, 1.44, "1.4 s"),
        (wording.seconds, 59.7, "1 min 0 s"),
        (wording.seconds, 125.0, "2 min 5 s"),
        (wording.seconds, 3780.0, "1 h 3 min"),
        (wording.megabytes, 512.3, "512 MB"),
        (wording.megabytes, 3104.0, "3.1 GB"),
        (wording.megabytes, 0.0, "–"),  # noqa: RUF001
        (wording.percent, 0.834, "83\u00a0%"),
        (wording.percent, float("nan"), "–"),  # noqa: RUF001
        (wording.p_value, 0.0004, "<\u00a00.001"),
        (wording.p_value, 0.0321, "0.032"),
    ],
)
def test_a_figure_reads_as_people_write_it(write: Callable[[float], str], value: float, text: str) -> None:
    assert write(value) == text
