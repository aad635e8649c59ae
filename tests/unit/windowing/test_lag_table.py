"""The lag table says what a plain loop over one origin says, and nothing from after it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from forecast.core.arrays import FloatArray
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.windowing.lag_table import LagPlan, LagTable, lag_table

PLAN = LagPlan(horizon=5, season_lengths=(3, 7), lags=4, windows=(2, 6), largest=4.0)


def panel() -> Panel:
    """Three series of 45, 20 and 2 days, the first with gaps, with one covariate of each role."""
    chance = np.random.default_rng(0)
    frames = []
    for name, rows in (("a", 45), ("b", 20), ("c", 2)):
        y = 10 + chance.normal(size=rows) * 3
        y[[r for r in (4, 5, 6, 20, 33) if name == "a"]] = np.nan
        days = pd.date_range("2026-01-01", periods=rows, freq="D")
        known, past = chance.normal(size=rows), chance.normal(size=rows)
        frames.append(pd.DataFrame({"unique_id": name, "ds": days, "y": y, "price": known, "visits": past}))
    static = pd.DataFrame({"unique_id": ["a", "b", "c"], "size": [1.0, 2.0, 3.0]})
    return Panel.from_frame(pd.concat(frames), Frequency.parse("D"), Roles(("price",), ("visits",), ("size",)), static)


def every_origin(p: Panel) -> LagTable:
    series = np.repeat(np.arange(len(p)), p.lengths)
    return lag_table(p, series, np.arange(p.rows) - p.offsets[series], PLAN)


def value(y: FloatArray, row: int) -> float:
    return float(y[row]) if 0 <= row < len(y) else np.nan


def mean_of(values: list[float]) -> float:
    observed = [v for v in values if np.isfinite(v)]
    return float(np.mean(observed)) if observed else np.nan


def by_hand(y: FloatArray, o: int, step: int) -> dict[str, float]:
    """The features of one origin and step, from the definition."""
    context = [value(y, o - back) for back in range(PLAN.context)]
    scale = mean_of([abs(a - b) for a, b in zip(context[:-3], context[3:], strict=True)])
    if np.isnan(scale):
        scale = mean_of([abs(a - b) for a, b in pairwise(context)])
    level = mean_of(context[:3]) if np.isfinite(context[:3]).any() else mean_of(context)
    seasons = {f"season {m} x {k} - base": value(y, o + step - m * (-(-step // m) + k - 1)) for m in (3, 7) for k in (1, 2, 3)}
    candidates = [seasons[f"season 3 x {k} - base"] for k in (1, 2, 3)] + context
    base = next((v for v in candidates if np.isfinite(v)), np.nan)
    scaled = {f"lag {k}": context[k] - level for k in range(4)} | {f"mean of {w}": mean_of(context[:w]) - level for w in (2, 6)}
    scaled |= {"level / scale": level, "base - level": base - level} | {name: v - base for name, v in seasons.items()}
    out = {name: float(np.clip(v / scale, -4, 4)) for name, v in scaled.items()}
    residual = (value(y, o + step) - base) / scale
    return out | {
        "scale": scale,
        "base": base,
        "residual": residual,
        "observed": float(np.isfinite(context[:4]).mean()),
        "step": step,
    }


def test_every_feature_equals_its_definition_at_every_origin() -> None:
    p = panel()
    table = every_origin(p)
    compared = 0
    for row in range(p.rows):
        series = int(np.searchsorted(p.offsets, row, side="right")) - 1
        for step in range(1, 6):
            features = dict(zip(table.names, table.features(step)[row], strict=True))
            features |= {"scale": table.scale[row], "base": table.base[row, step - 1], "residual": table.residual[row, step - 1]}
            for name, expected in by_hand(p.series(series), row - int(p.offsets[series]), step).items():
                assert features[name] == pytest.approx(expected, nan_ok=True), (row, step, name)
                compared += np.isfinite(expected)
    assert compared > 4000


def test_covariates_are_those_of_the_origin_and_of_the_target_step() -> None:
    p = panel()
    table = lag_table(p, np.array([0, 1]), np.array([10, 18]), PLAN)
    first, second = (dict(zip(table.names, table.features(2)[row], strict=True)) for row in (0, 1))
    assert (first["visits"], first["price"], first["size"]) == (p.past[10, 0], p.known[12, 0], 1)
    assert (second["visits"], second["size"]) == (p.past[45 + 18, 0], 2)
    assert np.isnan(second["price"]), "the panel ends before the target"
    future = np.full((2, 5, 1), 9.0)
    given = lag_table(p, np.array([0, 1]), np.array([10, 18]), PLAN, future)
    assert given.features(2)[:, given.names.index("price")].tolist() == [9, 9]


def test_calendar_features_are_those_of_the_target_day() -> None:
    p = panel()
    earlier, later = (lag_table(p, np.array([0]), np.array([row]), PLAN) for row in (10, 12))
    calendar = slice(earlier.names.index("step") + 1, len(earlier.names) - 1)
    assert calendar.stop > calendar.start
    assert np.array_equal(earlier.features(3)[:, calendar], later.features(1)[:, calendar])


def test_no_feature_sees_a_value_after_its_origin() -> None:
    p, cut = panel(), 30
    late = np.zeros(p.rows, dtype=bool)
    late[cut + 1 : 45] = True
    planted = replace(p, y=np.where(late, 1e9, p.y), past=np.where(late[:, None], 1e9, p.past))
    before, after = every_origin(p), every_origin(planted)
    origins = np.arange(cut + 1)
    for step in range(1, 6):
        assert np.array_equal(before.features(step)[origins], after.features(step)[origins], equal_nan=True)
    assert np.array_equal(before.base[origins], after.base[origins])
    assert not np.array_equal(before.residual[origins], after.residual[origins], equal_nan=True)


def test_no_row_older_than_the_context_matters() -> None:
    p = panel()
    cut = p.tail(PLAN.context)
    whole, short = (lag_table(q, np.arange(3), q.lengths - 1, PLAN) for q in (p, cut))
    assert p.lengths[0] > PLAN.context
    for step in (1, 5):
        assert np.array_equal(whole.features(step), short.features(step), equal_nan=True)


def test_features_do_not_know_the_unit_of_the_series() -> None:
    p = panel()
    larger = every_origin(replace(p, y=1024 * p.y))
    for step in (1, 4):
        assert np.array_equal(every_origin(p).features(step), larger.features(step), equal_nan=True)


def test_a_constant_series_has_a_scale_of_zero_features_of_zero_and_no_target() -> None:
    p = replace(panel(), y=np.full(67, 5.0))
    table = lag_table(p, np.array([0]), np.array([30]), PLAN)
    assert (table.scale[0], set(table.base[0])) == (0, {5})
    assert not table.features(1)[0, : table.names.index("observed")].any()
    assert np.isnan(table.residual).all()


def test_targets_are_clipped_wider_for_bases_further_back() -> None:
    p = panel()
    jump = replace(p, y=np.where(np.arange(p.rows) == 34, 1e6, np.where(np.arange(p.rows) == 36, 1e6, p.y)))
    table = lag_table(jump, np.array([0]), np.array([31]), PLAN)
    assert table.target[0, [2, 4]] == pytest.approx([4, 4 * np.sqrt(2)])
