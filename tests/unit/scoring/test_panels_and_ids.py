"""Series that end early are continued by missing values, and ids are compared byte for byte."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import UsageError
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles
from forecast.core.panel_extend import extend_to
from forecast.core.series_ids import coded_ids
from tests.faults.score_world import DAILY, LAST_DAY, table

ROLES = Roles(known=("promo",), past=("visits",))


def _panel() -> Panel:
    frame = pd.concat(
        [table([name], days=6, end=LAST_DAY - pd.Timedelta(days=gap)) for name, gap in (("a", 2), ("b", 0), ("c", 1))]
    )
    return Panel.from_frame(frame.assign(promo=1.0, visits=2.0), DAILY, ROLES)


def test_all_series_end_at_the_cutoff_and_keep_their_rows() -> None:
    panel = _panel()
    longer = extend_to(panel, panel.last_cutoff + 1)
    assert (longer.ends == panel.last_cutoff + 1).all()
    assert (longer.starts == panel.starts).all()
    for i in range(len(panel)):
        n = panel.lengths[i]
        np.testing.assert_array_equal(longer.series(i)[:n], panel.series(i))
        assert np.isnan(longer.series(i)[n:]).all()
    assert np.isnan(longer.known).sum() == np.isnan(longer.past).sum() == np.isnan(longer.y).sum() == 6
    for i, end in enumerate(panel.ends):
        assert (
            extend_to(panel, panel.last_cutoff + 1).take(np.array([i])).until(int(end)).fingerprint()
            == panel.take(np.array([i])).fingerprint()
        )


def test_covariates_of_the_added_steps_are_taken_where_they_are_known() -> None:
    panel = _panel()
    rows = pd.DataFrame(
        {"unique_id": ["a", "a", "c"], "ds": [LAST_DAY - pd.Timedelta(days=1), LAST_DAY, LAST_DAY], "promo": [7.0, 8.0, 9.0]}
    )
    longer = extend_to(panel, panel.last_cutoff, KnownFuture.from_frame(rows, DAILY, ("promo",)))
    assert [longer.known[longer.offsets[i] : longer.offsets[i + 1], 0].tolist() for i in range(3)] == [
        [1.0] * 6 + [7.0, 8.0], [1.0] * 6, [1.0] * 6 + [9.0],
    ]  # fmt: skip


def test_a_panel_that_ends_at_the_cutoff_is_left_alone_and_one_that_ends_after_it_is_refused() -> None:
    panel = _panel().take(np.array([1]))
    assert extend_to(panel, panel.last_cutoff) is panel
    with pytest.raises(UsageError, match="after the cutoff"):
        extend_to(panel, panel.last_cutoff - 1)


@pytest.mark.parametrize("dtype", ["object", "string"])
def test_ids_are_told_apart_after_a_nul(dtype: str) -> None:
    texts = ["a\0c", "a\0b", "a", "", "\0", "a\0c"]
    codes, ids = coded_ids(pd.Series(texts, dtype=dtype))
    assert ids.tolist() == sorted(set(texts))
    assert ids[codes].tolist() == texts


def test_missing_ids_have_no_code_and_other_kinds_become_text() -> None:
    codes, ids = coded_ids(pd.Series(["x", None, "nan", float("nan")], dtype=object))
    assert (codes.tolist(), ids.tolist()) == ([1, -1, 0, -1], ["nan", "x"])
    codes, ids = coded_ids(pd.Series([10, 9, 10]))
    assert (codes.tolist(), ids.tolist()) == ([0, 1, 0], ["10", "9"])


def test_a_panel_keeps_series_apart_that_differ_after_a_nul() -> None:
    assert Panel.from_frame(table(["a\0b", "a\0c"]), DAILY).ids.tolist() == ["a\0b", "a\0c"]
