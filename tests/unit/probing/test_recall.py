"""The recall task, and what counts as recalled."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import final

import pytest
import torch
from torch import Tensor

from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.timeline import gather_steps
from forecast.probing.recall import Reader, explained_by_age, final_loss, marked_stream, measure_recall, train
from forecast.probing.recall_rule import RECALLED, recall_of
from forecast.probing.settings import QUICK

SETTINGS = replace(QUICK, oldest=600, rows=32)


@final
class Latch(Encoder):
    """Keeps the value of the last marked step for so many steps; its inputs are the value and the mark."""

    causal = True
    width = 1

    def __init__(self, keeps: int) -> None:
        super().__init__()
        self.keeps = keeps

    def initial_state(self, batch: int) -> EncoderState:
        return torch.zeros(batch, 2), torch.zeros(batch, 2)

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        held = (self.initial_state(len(inputs)) if state is None else state)[0]
        outputs = []
        for value, mark in _pairs(inputs):
            kept, age = torch.where(mark > 0.5, value, held[:, 0]), torch.where(mark > 0.5, 0.0, held[:, 1] + 1)
            held = torch.stack([kept, age], dim=1)
            outputs.append(torch.where(age <= self.keeps, kept, 0.0))
        memory = torch.stack(outputs, dim=1)[..., None]
        return Encoding(memory, None, gather_steps(memory, origins)), (held, held)


def _pairs(inputs: Tensor) -> list[tuple[Tensor, Tensor]]:
    return [(step[:, 0], step[:, 1]) for step in inputs.unbind(dim=1)]


def plain_reader(encoder: Encoder) -> Reader:
    """A reader whose two linear maps change nothing."""
    reader = Reader(encoder, 2)
    with torch.no_grad():
        for layer in (reader.embed, reader.readout):
            layer.weight.copy_(torch.eye(*layer.weight.shape))
            layer.bias.zero_()
    return reader


@pytest.mark.parametrize("keeps", [0, 3, 300])
def test_the_horizon_of_a_latch_is_how_long_it_keeps(keeps: int) -> None:
    recall = recall_of(explained_by_age(plain_reader(Latch(keeps)), SETTINGS), 0.01, 0.0)
    assert (recall.horizon, recall.capped) == (keeps, False)
    assert max(recall.explained) == pytest.approx(1.0 if keeps else 0.0, abs=0.1)


def test_a_latch_that_keeps_for_ever_is_said_to_reach_the_greatest_age_tested() -> None:
    recall = recall_of(explained_by_age(plain_reader(Latch(10_000)), SETTINGS), 0.01, 0.0)
    assert (recall.horizon, recall.capped, recall.ages[-1]) == (600, True, 600)


def test_one_remembered_bit_does_not_count_as_a_value() -> None:
    values = 2 * torch.rand(100_000, generator=torch.Generator().manual_seed(0)) - 1
    explained = float(1 - (values - values.sign() / 2).square().mean() / values.var())
    assert explained == pytest.approx(0.75, abs=0.01)
    assert recall_of([explained] * 9, 0.01, 0.0).horizon == 0
    assert explained < RECALLED


def test_the_asked_value_is_the_last_marked_one_at_every_step() -> None:
    inputs, asked = marked_stream(5, 60, 16, torch.Generator().manual_seed(3))
    for row in range(5):
        last, since = math.nan, 0
        for t in range(60):
            value, mark = inputs[row, t].tolist()
            last, since = (value, 0) if mark == 1 else (last, since + 1)
            assert asked[row, t] == last
            assert since < 16
    assert (inputs[:, 0, 1] == 1).all()
    assert 5 < inputs[..., 1].sum() < 150


def test_training_teaches_a_cell_to_recall() -> None:
    settings = replace(QUICK, recall_size=16, steps=150, batch=16, length=16, longest_gap=4, rates=(0.02,), oldest=8, rows=64)
    assert measure_recall("gru", settings).horizon >= 2
    assert measure_recall("gru", replace(settings, steps=2)).horizon == 0


def test_the_rate_that_brought_the_loss_lowest_counts() -> None:
    settings = replace(QUICK, steps=40)
    alone = {rate: measure_recall("elman", replace(settings, rates=(rate,))) for rate in (1e-6, 0.02)}
    both = measure_recall("elman", replace(settings, rates=(1e-6, 0.02)))
    assert alone[0.02].loss < alone[1e-6].loss
    assert both == alone[0.02]


def test_the_same_seed_gives_the_same_recall() -> None:
    assert measure_recall("lstm", QUICK) == measure_recall("lstm", QUICK)
    assert measure_recall("lstm", QUICK) != measure_recall("lstm", replace(QUICK, seed=1))


def test_a_training_that_went_astray_never_wins() -> None:
    assert final_loss([1.0, math.nan]) == math.inf
    assert final_loss([*[1.0] * 18, 0.4, 0.2]) == pytest.approx(0.3)


def test_losses_are_shares_of_the_variance() -> None:
    torch.manual_seed(0)
    reader = plain_reader(Latch(-1))  # says 0 whatever it reads
    losses = train(reader, 20, 1e-12, replace(QUICK, batch=64))
    assert sum(losses) / 20 == pytest.approx(1.0, abs=0.1)
