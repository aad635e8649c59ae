"""ForecastFrame: complete, finite and in order, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import ModelError
from forecast.core.forecast_frame import FALLBACK, OK, ForecastFrame, quantile_column
from forecast.core.frequency import Frequency

LEVELS = (0.1, 0.5, 0.9)


def frame_of(
    ids: tuple[str, ...] = ("001", "NA"), horizon: int = 3, model: str = "naive", levels: tuple[float, ...] = LEVELS
) -> ForecastFrame:
    rng = np.random.default_rng(7)
    mean = rng.normal(size=(len(ids), horizon))
    quantiles = mean[:, :, None] + np.linspace(-1, 1, len(levels))
    return ForecastFrame.build(
        Frequency.parse("D"), model, levels, np.array(ids, dtype=object), np.arange(len(ids)), mean, quantiles
    )


def test_there_is_one_row_for_each_series_cutoff_and_step() -> None:
    frame = frame_of()
    table = frame.to_frame()
    assert list(table.columns) == ["unique_id", "cutoff", "ds", "step", "mean", "q0.1", "q0.5", "q0.9", "model", "status", "reason"]
    assert len(table) == 6
    assert not table.isna().any(axis=None)
    assert table["unique_id"].tolist() == ["001"] * 3 + ["NA"] * 3
    assert (table["ds"] == table["cutoff"] + pd.to_timedelta(table["step"], unit="D")).all()
    for column, level in enumerate(LEVELS):
        np.testing.assert_array_equal(table[quantile_column(level)], frame.quantiles[:, :, column].reshape(-1))
    assert set(table["status"]) == {OK}
    assert set(table["reason"]) == {""}


def test_build_puts_quantiles_in_order() -> None:
    quantiles = np.array([[[3.0, 1.0, 2.0]]])
    frame = ForecastFrame.build(
        Frequency.parse("D"), "m", LEVELS, np.array(["a"], dtype=object), np.zeros(1, np.int64), np.ones((1, 1)), quantiles
    )
    assert frame.quantiles.tolist() == [[[1.0, 2.0, 3.0]]]
    assert quantiles.tolist() == [[[3.0, 1.0, 2.0]]]  # what the caller holds stays as it is


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["mean", "quantiles"])
def test_a_value_that_is_not_finite_is_refused(field: str, value: float) -> None:
    frame = frame_of()
    values = getattr(frame, field).copy()
    values[1, 2] = value
    with pytest.raises(ModelError, match=r"1 forecasts are not finite, among them \['NA'\]"):
        replace(frame, **{field: values})


def test_quantiles_that_cross_are_refused() -> None:
    frame = frame_of()
    crossed = frame.quantiles.copy()
    crossed[0, 1] = crossed[0, 1, ::-1]
    with pytest.raises(ModelError, match=r"quantiles cross in 1 forecasts, among them \['001'\]"):
        replace(frame, quantiles=crossed)


def test_equal_quantiles_do_not_cross() -> None:
    frame = frame_of()
    assert len(replace(frame, quantiles=np.zeros_like(frame.quantiles))) == 2


@pytest.mark.parametrize("field", ["ids", "cutoffs", "status", "reason", "quantiles"])
def test_columns_of_other_lengths_are_refused(field: str) -> None:
    frame = frame_of()
    with pytest.raises(ModelError, match="2 means of 3 steps"):
        replace(frame, **{field: getattr(frame, field)[:1]})


def test_take_and_concatenate_are_inverse() -> None:
    frame = frame_of(("a", "b", "c"))
    frame = replace(frame, status=np.array([OK, FALLBACK, OK], dtype=object), reason=np.array(["", "short", ""], dtype=object))
    again = ForecastFrame.concatenate([frame.take(np.array([i])) for i in range(3)])
    pd.testing.assert_frame_equal(again.to_frame(), frame.to_frame())


@pytest.mark.parametrize("other", [{"model": "drift"}, {"horizon": 4}, {"levels": (0.2, 0.5, 0.9)}])
def test_only_forecasts_of_one_kind_can_be_put_end_to_end(other: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="same levels and horizon"):
        ForecastFrame.concatenate([frame_of(), frame_of(**other)])  # type: ignore[arg-type]


def test_nothing_cannot_be_put_end_to_end() -> None:
    with pytest.raises(ModelError, match="put end to end"):
        ForecastFrame.concatenate([])


def test_a_frame_without_levels_has_no_quantile_columns() -> None:
    assert "q0.5" not in frame_of(levels=()).to_frame()


@pytest.mark.parametrize(("level", "name"), [(0.1, "q0.1"), (0.5, "q0.5"), (0.025, "q0.025"), (0.99, "q0.99")])
def test_a_level_names_its_column(level: float, name: str) -> None:
    assert quantile_column(level) == name


def test_whole_number_time_stays_whole() -> None:
    frame = replace(frame_of(), frequency=Frequency.parse("integer"))
    assert frame.to_frame()["ds"].tolist() == [1, 2, 3, 2, 3, 4]
