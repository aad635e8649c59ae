"""The claims of the textbooks: each verdict follows its own rule, and nothing measured is no verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forecast.probing.claims import judge
from forecast.probing.results import ATTENTION, CellResult, ProbeResult, StackResult
from tests.unit.probing.made_result import HORIZONS, made_cell, made_result

RESULT = made_result()


def verdict(result: ProbeResult, words: str) -> tuple[bool | None, str]:
    (claim,) = (claim for claim in judge(result) if words in claim.claim)
    return claim.holds, claim.measured


def with_cell(cell: CellResult) -> ProbeResult:
    return replace(RESULT, cells=tuple(cell if cell.name == each.name else each for each in RESULT.cells))


def stacked(*ratios: tuple[int, float]) -> ProbeResult:
    pairs = ((StackResult(layers, True, 0.1), StackResult(layers, False, 0.1 * ratio)) for layers, ratio in ratios)
    return replace(RESULT, stacks=tuple(stack for pair in pairs for stack in pair))


@pytest.mark.parametrize(("horizon", "holds"), [(9, False), (10, True), (20, True), (21, False)])
def test_an_elman_net_recalls_ten_to_twenty_steps(horizon: int, holds: bool) -> None:
    assert verdict(with_cell(made_cell("elman", horizon)), "Elman") == (holds, f"elman {horizon}")


@pytest.mark.parametrize(("gru", "holds"), [(99, False), (100, True), (4096, True)])
def test_lstm_and_gru_both_recall_hundreds(gru: int, holds: bool) -> None:
    shown = "4,096 or more" if gru == 4096 else str(gru)
    assert verdict(with_cell(made_cell("gru", gru)), "LSTM and GRU") == (holds, f"lstm 474, gru {shown}")


def test_few_cells_is_less_than_half() -> None:
    assert verdict(RESULT, "thousands") == (True, f"2 of {len(HORIZONS)} (stacked, mamba)")
    far = replace(RESULT, cells=tuple(made_cell(name, 1000 if place % 2 else 900) for place, name in enumerate(HORIZONS)))
    assert verdict(far, "thousands")[0] is False


def test_a_gru_has_three_quarters_of_the_weights_of_an_lstm() -> None:
    assert verdict(RESULT, "fewer parameters") == (True, "25.0 % fewer")
    assert verdict(with_cell(replace(made_cell("gru", 9), parameters=120_000)), "fewer parameters") == (False, "9.2 % fewer")


def test_a_gru_that_trains_slower_is_said_to() -> None:
    assert verdict(RESULT, "faster") == (False, "46.0 s against 38.0 s")
    assert verdict(with_cell(made_cell("gru", 9, 0)), "faster")[0] is True


@pytest.mark.parametrize(("slope", "holds"), [(0.9, True), (1.2, True), (1.3, False)])
def test_one_steep_cell_breaks_linear_growth(slope: float, holds: bool) -> None:
    found = verdict(with_cell(made_cell("s4d", 9, power=slope)), "linearly")
    assert found[0] is holds
    assert f"{slope:.2f}" in found[1]


@pytest.mark.parametrize(("slope", "holds"), [(1.6, False), (1.7, True)])
def test_attention_grows_quadratically_or_not(slope: float, holds: bool) -> None:
    assert verdict(with_cell(made_cell(ATTENTION, None, power=slope)), "attention") == (holds, f"slope {slope:.2f}")


def test_a_cell_whose_memory_grows_is_named() -> None:
    assert verdict(RESULT, "memory") == (True, "the same bytes after 64 and after 8,192 steps in 12 of 12 cells")
    holds, measured = verdict(with_cell(made_cell("rwkv", 5, grows=True)), "memory")
    assert (holds, measured.endswith("in 11 of 12 cells, not in rwkv")) == (False, True)


def test_twice_is_exactly_twice() -> None:
    assert verdict(RESULT, "Bidirectional") == (True, "2.00 times")
    assert verdict(replace(RESULT, bidirectional=(100, 201)), "Bidirectional")[0] is False


@pytest.mark.parametrize(
    ("ratios", "holds"),
    [(((2, 0.9), (4, 3.0), (8, 2.5)), True), (((2, 1.0), (6, 1.9), (8, 2.5)), False), (((2, 3.0), (8, 1.0)), False), (((2, 1.0), (4, 1.0)), None)],
)  # fmt: skip
def test_residuals_are_needed_where_every_deep_stack_suffers_without(
    ratios: tuple[tuple[int, float], ...], holds: bool | None
) -> None:
    assert verdict(stacked(*ratios), "residuals")[0] is holds


def test_what_was_not_measured_has_no_verdict() -> None:
    nothing = replace(RESULT, cells=(), stacks=())
    assert [claim.holds for claim in judge(nothing) if "Bidirectional" not in claim.claim] == [None] * 9
    assert {claim.measured for claim in judge(nothing) if claim.holds is None} == {"not measured in this run"}
