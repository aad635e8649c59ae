"""What a fit keeps back of its own panel."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.core.frequency import Frequency
from forecast.core.holdout import WINDOWS_WANTED, hold_out, targets_after
from forecast.core.panel import Panel


def _panel(*lengths: int) -> Panel:
    frames = [
        pd.DataFrame({"unique_id": f"s{i:03d}", "ds": pd.date_range("2024-01-01", periods=n, freq="D"), "y": np.arange(n) + 1.0})
        for i, n in enumerate(lengths)
    ]
    return Panel.from_frame(pd.concat(frames), Frequency.parse("D", (7,)))


def test_a_series_gives_up_a_horizon_or_a_third_of_its_rows() -> None:
    panel = _panel(1, 2, 5, 9, 40)
    split = hold_out(panel, 4)
    np.testing.assert_array_equal(panel.ends - split.ends, [0, 1, 1, 3, 4])
    series, cutoffs = split.rows(panel)
    np.testing.assert_array_equal(series, [1, 2, 3, 4])
    np.testing.assert_array_equal(panel.ends[series] - cutoffs, [1, 1, 3, 4])


def test_few_long_series_give_up_more_windows_but_a_fifth_of_their_length_at_most() -> None:
    split = hold_out(_panel(1000, 1000), 10)
    assert split.cutoffs.shape == (2, 20)
    many = hold_out(_panel(*[100] * WINDOWS_WANTED), 10)
    assert many.cutoffs.shape == (WINDOWS_WANTED, 1)


def test_nothing_that_judges_is_learned_from() -> None:
    panel = _panel(3, 8, 30, 300)
    split = hold_out(panel, 5)
    series, cutoffs = split.rows(panel)
    assert (cutoffs >= split.ends[series]).all()
    assert (split.ends >= panel.starts).all()


def test_targets_are_the_rows_after_the_cutoff_and_missing_beyond_the_end() -> None:
    panel = _panel(6, 10)
    found = targets_after(panel, np.array([0, 1]), np.array([panel.starts[0] + 3, panel.starts[1] + 8]), 3)
    np.testing.assert_array_equal(found, [[5, 6, np.nan], [10, np.nan, np.nan]])


def test_a_series_without_a_value_before_its_cutoff_judges_nothing() -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=9, freq="D"), "y": [np.nan] * 7 + [1.0, 2.0]})
    panel = Panel.from_frame(frame, Frequency.parse("D", (7,)))
    assert not len(hold_out(panel, 3).rows(panel)[0])


def test_an_empty_panel_holds_nothing_back() -> None:
    panel = _panel(5).take(np.zeros(0, dtype=np.int64))
    assert not len(hold_out(panel, 3).rows(panel)[0])
