"""Panels laid over each other equal a plain loop over series and steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.core.panel_splice import joined, spliced

INTEGER, ROLES = Frequency.parse("integer"), Roles(known=("promo",))


def _panel(seed: int, series: int = 7) -> Panel:
    rng, frames = np.random.default_rng(seed), []
    for number in range(series):
        begin, length = int(rng.integers(0, 12)), int(rng.integers(1, 15))
        y, promo = rng.normal(size=length), rng.normal(size=length)
        y[rng.random(length) < 0.3], promo[rng.random(length) < 0.3] = np.nan, np.nan
        frames.append(pd.DataFrame({"unique_id": f"s{number}", "ds": begin + np.arange(length), "y": y, "promo": promo}))
    return Panel.from_frame(pd.concat(frames), INTEGER, ROLES)


def _row(panel: Panel, series: int, ordinal: int) -> tuple[float, float] | None:
    row = ordinal - panel.starts[series]
    if not 0 <= row < panel.lengths[series]:
        return None
    return float(panel.series(series)[row]), float(panel.known[panel.offsets[series] + row, 0])


@pytest.mark.parametrize("blanks", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_spliced_rows_are_the_newer_ones_then_the_older_ones_then_missing(seed: int, blanks: bool) -> None:
    older, newer = _panel(seed), _panel(seed + 100)
    firsts, lasts = np.arange(7) + 1, np.arange(7) + 14
    got = spliced(older, newer, firsts, lasts, blanks)
    np.testing.assert_array_equal(got.ends, lasts)
    for series in range(7):
        for ordinal in range(firsts[series], lasts[series] + 1):
            mine = _row(newer, series, ordinal)
            counts = mine is not None and (blanks or not np.isnan(mine).all())
            expected = mine if counts else _row(older, series, ordinal)
            np.testing.assert_array_equal(_row(got, series, ordinal), expected or (np.nan, np.nan))


def test_joined_panels_have_all_series_in_the_order_of_their_ids() -> None:
    whole = _panel(3)
    parts = [whole.take(np.array([1, 4, 5])), whole.take(np.array([0, 6])), whole.take(np.array([2, 3]))]
    panel, order = joined(parts)
    assert panel.fingerprint() == whole.fingerprint()
    assert list(np.concatenate([part.ids for part in parts])[order]) == list(whole.ids)
    assert joined([whole])[0] is whole


def test_the_rows_after_a_cutoff_and_those_until_it_are_the_panel() -> None:
    panel = _panel(5)
    cutoffs = panel.starts + np.arange(7)
    late = panel.after(cutoffs)
    assert list(late.ids) == [uid for uid, end, cutoff in zip(panel.ids, panel.ends, cutoffs, strict=True) if end > cutoff]
    chosen = np.flatnonzero(panel.ends > cutoffs)
    np.testing.assert_array_equal(late.starts, cutoffs[chosen] + 1)
    for position, series in enumerate(chosen):
        np.testing.assert_array_equal(late.series(position), panel.series(int(series))[series + 1 :])
    np.testing.assert_array_equal(panel.after(-1).y, panel.y)
