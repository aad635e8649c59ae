"""Costs: weights are counted, slopes fitted, times those of the processor, memory counted storage by storage."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import final

import pytest
import torch
from torch import Tensor

from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.probing.cells import build_cell, distinct_cells
from forecast.probing.costs import (
    best_seconds,
    bidirectional_parameters,
    count_parameters,
    log_slope,
    measure_growth,
    state_floats,
    step_microseconds,
    training_seconds,
)
from forecast.probing.memory import PeakBytes, kept_bytes, measure_memory
from forecast.probing.probe import one_thread, probe_cell
from forecast.probing.results import ATTENTION
from forecast.probing.settings import QUICK
from forecast.probing.stacks import measure_stacks

CELLS = list(distinct_cells())
FLOAT = 4  # bytes


def test_parameters_and_states_of_the_plain_cells_are_those_of_the_equations() -> None:
    gates = {"elman": 1, "gru": 3, "lstm": 4}
    for name, count in gates.items():
        cell = build_cell(name, 16)
        assert count_parameters(cell) == count * (16 * 16 + 16 * 16 + 16 + 16)
        assert state_floats(cell) == (32 if name == "lstm" else 16)


def test_a_layer_that_reads_both_ways_is_counted_with_both() -> None:
    one, both = bidirectional_parameters(16)
    assert (one, both) == (3 * (2 * 16 * 16 + 2 * 16), 2 * one)


def test_the_slope_is_the_power_of_the_longer_half() -> None:
    lengths = (64, 128, 256, 512)
    assert log_slope(lengths, [n**2 * 1e-6 for n in lengths]) == pytest.approx(2.0)
    assert log_slope(lengths, [1.0, 1.0, 256e-6, 512e-6]) == pytest.approx(1.0)  # what a short series costs is mostly overhead


def test_waiting_is_not_work() -> None:
    assert best_seconds(lambda: time.sleep(0.05), 1) < 0.02
    assert best_seconds(lambda: sum(range(300_000)), 1) > 1e-4


def test_the_first_call_is_not_counted_and_the_best_of_the_others_is() -> None:
    work = iter([2_000_000, 2_000_000, 10, 2_000_000])
    assert best_seconds(lambda: sum(range(next(work))), 3) < 1e-3
    work = iter([2_000_000, 10])
    assert best_seconds(lambda: sum(range(next(work))), 1) < 1e-3


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_can_be_measured(name: str) -> None:
    found = probe_cell(name, ("other",), QUICK)
    assert (found.name, found.same) == (name, ("other",))
    assert min(found.parameters, found.microseconds, found.training, *found.growth.seconds) > 0
    assert found.growth.lengths == found.memory.lengths == QUICK.lengths
    assert (found.recall is None) == (name == ATTENTION)


@pytest.mark.parametrize("name", CELLS)
def test_a_recurrent_cell_needs_the_same_memory_after_every_step_and_attention_does_not(name: str) -> None:
    cell = build_cell(name, 16)
    memory = measure_memory(cell, 16, (2, 300, 700))
    assert memory.constant() == (name != ATTENTION)
    if name == ATTENTION:
        assert memory.kept == tuple(2 * 16 * FLOAT * steps for steps in (2, 300, 700))
    else:
        assert memory.kept[0] >= FLOAT * state_floats(cell)
        assert memory.peak[0] > memory.kept[0]


@final
class LastOfAll(Encoder):
    """Its state looks into the outputs of all steps that it was last handed."""

    causal = True
    width = 4

    def initial_state(self, batch: int) -> EncoderState:
        return (torch.zeros(batch, 4),)

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        outputs = inputs + 1
        return Encoding(outputs, None, outputs[:, :1]), (outputs[:, -1],)


def test_a_state_that_looks_into_a_chunk_is_not_held_against_single_steps() -> None:
    memory = measure_memory(LastOfAll(), 4, (2, 30, 700))
    assert (set(memory.kept), set(memory.peak)) == ({4 * FLOAT}, {8 * FLOAT})


def test_memory_counts_what_lives_at_once() -> None:
    held, weight = torch.zeros(10), torch.zeros(1000)
    with PeakBytes([held], [weight]) as mode:
        for _ in range(5):
            held = held + 1  # old and new live together
        first = mode.peak
        _ = weight.view(10, 100)  # a view of a weight is no new memory
        second = mode.peak
        big = torch.ones(100)
        del big
        _ = torch.ones(50)
    assert (first, second, mode.peak) == (2 * 10 * FLOAT, 2 * 10 * FLOAT, (10 + 100) * FLOAT)


def test_a_state_that_is_a_view_keeps_all_that_it_looks_at() -> None:
    whole = torch.zeros(7, 5)
    assert kept_bytes((whole[0], whole[1])) == 35 * FLOAT
    assert kept_bytes((whole[0].clone(), torch.zeros(3))) == 8 * FLOAT


def test_costs_are_those_of_the_hidden_size_that_was_asked_for() -> None:
    assert probe_cell("elman", (), replace(QUICK, hidden_size=32)).parameters == 2 * (32 * 32 + 32)
    slow = training_seconds("gru", replace(QUICK, hidden_size=128, batch=16, length=32))
    assert slow > training_seconds("gru", replace(QUICK, hidden_size=4))
    assert step_microseconds(build_cell("stacked", 64), 64, 1) > step_microseconds(build_cell("elman", 64), 64, 1)


def test_longer_series_take_longer() -> None:
    growth = measure_growth(build_cell("gru", 16), replace(QUICK, lengths=(8, 2000, 4000, 8000), repeats=3))
    assert growth.seconds[3] > 10 * growth.seconds[0]
    assert 0.5 < growth.slope < 1.5


def test_each_depth_is_trained_with_and_without_residuals() -> None:
    found = list(measure_stacks(replace(QUICK, layers=(2, 4), stack_steps=4)))
    assert [(stack.layers, stack.residual) for stack in found] == [(2, True), (2, False), (4, True), (4, False)]
    assert len({stack.loss for stack in found}) == 4


def test_everything_runs_on_one_thread_and_the_old_number_comes_back() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
