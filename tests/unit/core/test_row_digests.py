"""Digests of what was read: any change is seen, what was missing counts as nothing, ranges add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from forecast.core.panel import Panel
from forecast.core.row_digests import RowDigests
from tests.unit.neural.worlds import ragged_panel


def _whole(panel: Panel) -> np.ndarray:
    return RowDigests(panel).between(panel.starts, panel.ends)


def _changed(panel: Panel, row: int, value: float, column: str = "y") -> Panel:
    values = getattr(panel, column).copy()
    values[row] = value
    return replace(panel, **{column: values})


def test_any_change_of_a_value_or_a_covariate_changes_the_digest_of_its_series_alone() -> None:
    panel = ragged_panel(covariates=True)
    before, tiny = _whole(panel), np.nextafter(panel.y, np.inf)
    for column in ("y", "known"):
        for row in range(0, panel.rows, 7):
            series = int(np.searchsorted(panel.offsets, row, side="right") - 1)
            value = 9.0 if column == "known" or np.isnan(panel.y[row]) else float(tiny[row])
            np.testing.assert_array_equal(_whole(_changed(panel, row, value, column)) != before, np.arange(len(panel)) == series)


def test_exchanged_rows_and_exchanged_columns_are_seen() -> None:
    panel = ragged_panel(covariates=True)
    first = int(panel.offsets[3])
    y = panel.y.copy()
    y[[first, first + 7]] = y[[first + 7, first]]
    assert _whole(replace(panel, y=y))[3] != _whole(panel)[3]
    exchanged = replace(panel, y=panel.known[:, 0].copy(), known=panel.y[:, None].copy())
    assert (_whole(exchanged) != _whole(panel)).all()


def test_a_later_beginning_of_the_same_values_is_another_digest() -> None:
    panel = ragged_panel()
    assert (_whole(replace(panel, starts=panel.starts + 1)) != _whole(panel)).all()


def test_digests_of_neighbouring_ranges_add_up_and_those_of_rows_without_a_value_are_nothing() -> None:
    panel = ragged_panel(covariates=True)
    digests, middle = RowDigests(panel), panel.starts + panel.lengths // 2
    both = digests.between(panel.starts, middle) + digests.between(middle + 1, panel.ends)
    np.testing.assert_array_equal(both, _whole(panel))
    np.testing.assert_array_equal(digests.between(panel.starts - 5, panel.ends + 5), _whole(panel))
    blank = replace(panel, y=np.full(panel.rows, np.nan), known=np.full(panel.known.shape, np.nan))
    assert not _whole(blank).any()


def test_both_zeros_and_all_kinds_of_nan_count_as_one() -> None:
    panel = ragged_panel()
    np.testing.assert_array_equal(_whole(_changed(panel, 0, 0.0)), _whole(_changed(panel, 0, -0.0)))
    odd = np.array([0x7FF8000000000123], dtype=np.uint64).view(np.float64)[0]
    np.testing.assert_array_equal(_whole(_changed(panel, 5, np.nan)), _whole(_changed(panel, 5, odd)))


def test_panels_longer_than_one_piece_are_digested_alike() -> None:
    panel = ragged_panel()
    many = 1 + (1 << 18) // panel.rows
    copies = replace(
        panel, ids=np.array([f"{n:09d}" for n in range(many * len(panel))], dtype=object), starts=np.tile(panel.starts, many),
        offsets=np.append((np.arange(many)[:, None] * panel.rows + panel.offsets[:-1]).ravel(), many * panel.rows),
        y=np.tile(panel.y, many), known=np.zeros((many * panel.rows, 0)), past=np.zeros((many * panel.rows, 0)),
        static=np.zeros((many * len(panel), 0)),
    )  # fmt: skip
    np.testing.assert_array_equal(_whole(copies), np.tile(_whole(panel), many))
