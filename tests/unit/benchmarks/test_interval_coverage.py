"""The coverage of intervals and its clustered error, against numbers worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.interval_coverage import Coverage, clustered, coverage_80
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.frequency import Frequency

DAILY = Frequency.parse("D")


def test_the_standard_error_is_that_of_the_dates() -> None:
    # Hits 1 1 | 0 1 on two dates: share 3/4, sums of the residuals 1/2 and -1/2, so se^2 = 2/1 * (1/4 + 1/4) / 4^2 = 1/16.
    found = clustered(np.array([True, True, False, True]), np.array([7, 7, 9, 9]))
    assert (found.share, found.dates) == (0.75, 2)
    assert found.standard_error == pytest.approx(0.25)


def test_a_date_that_hits_all_series_alike_counts_once() -> None:
    hits = np.random.default_rng(0).random(50) < 0.8
    once = clustered(hits, np.arange(50))
    often = clustered(np.repeat(hits, 40), np.repeat(np.arange(50), 40))
    assert often.standard_error == pytest.approx(once.standard_error)
    assert once.standard_error == pytest.approx(math.sqrt(hits.var(ddof=1) / 50))
    assert math.isnan(clustered(np.array([True, False]), np.array([1, 1])).standard_error)


def test_coverage_is_read_between_the_outer_levels_by_date_without_missing_targets() -> None:
    mean = np.zeros((2, 3))
    quantiles = np.broadcast_to(np.array([-1.0, 0.0, 1.0]), (2, 3, 3)).copy()
    ids = np.array(["a", "b"], dtype=object)
    frame = ForecastFrame.build(DAILY, "m", (0.1, 0.5, 0.9), ids, np.array([10, 11]), mean, quantiles)
    found = coverage_80(frame, np.array([[0.5, 2.0, -1.0], [2.0, np.nan, 1.0]]))
    # dates 11, 12, 13 of the first series; 12, 13 (missing), 14 of the second: 12 is outside for both
    assert found.share == pytest.approx(3 / 5)
    assert found.dates == 4
    sums = [1 - 0.6, 2 * (0 - 0.6), 1 - 0.6, 1 - 0.6]
    assert found.standard_error == pytest.approx(math.sqrt(4 / 3 * sum(s**2 for s in sums)) / 5)


@pytest.mark.parametrize(
    ("share", "error", "fine"), [(0.76, 0.0, True), (0.74, 0.0, False), (0.7, 0.051, True), (0.7, 0.04, False)]
)
def test_coverage_may_be_off_by_a_twentieth_or_two_standard_errors(share: float, error: float, fine: bool) -> None:
    assert Coverage(share, error, 10).acceptable is fine
