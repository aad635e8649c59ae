"""Which encoders are probed, and the attention that they are compared with."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from forecast.core.errors import UsageError
from forecast.networks.encoder_table import FAMILIES
from forecast.probing.attention import HEADS, CausalAttention
from forecast.probing.cells import build_cell, chosen_cells, distinct_cells, origins_of
from forecast.probing.results import ATTENTION


def test_every_causal_encoder_is_probed_once_under_one_name() -> None:
    cells = distinct_cells()
    named = [*cells, *(other for same in cells.values() for other in same)]
    assert sorted(named) == sorted([*(name for name, family in FAMILIES.items() if not family.windowed), ATTENTION])
    assert list(cells)[-1] == ATTENTION


def test_models_that_read_with_the_same_encoder_share_a_row() -> None:
    cells = distinct_cells()
    assert {"mqrnn", "seq2seq", "deepar"} <= set(cells["lstm"])
    assert "esrnn" in cells["dilated"]
    assert cells["gru"] == cells["elman"] == ()


def test_attention_is_always_compared_with() -> None:
    assert list(chosen_cells(["gru"])) == ["gru", ATTENTION]


def test_a_name_that_is_no_cell_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"no cell \['linear', 'lstn'\] to probe; take some of .*'gru'"):
        chosen_cells(["linear", "gru", "lstn"])


def test_attention_reads_all_steps_at_once_as_it_reads_them_one_by_one() -> None:
    torch.manual_seed(0)
    layer, inputs = CausalAttention(hidden_size=8), torch.randn(3, 11, 8)
    whole, end = layer(inputs, origins_of(inputs))
    state, parts = layer.initial_state(3), []
    for part in inputs.split([1, 4, 1, 5], dim=1):
        encoding, state = layer(part, origins_of(part), state)
        parts.append(encoding.memory)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole.memory, rtol=0, atol=1e-5)
    torch.testing.assert_close(state, end, rtol=0, atol=1e-6)


def test_attention_is_that_of_a_plain_loop() -> None:
    torch.manual_seed(1)
    layer, inputs = CausalAttention(hidden_size=8), torch.randn(1, 5, 8)
    x, found = inputs[0].numpy(), layer(inputs, origins_of(inputs))[0].memory[0].detach().numpy()
    query, key, value = np.split(x @ layer.project.weight.detach().numpy().T + layer.project.bias.detach().numpy(), 3, axis=1)
    width = 8 // HEADS
    for t in range(5):
        read = []
        for head in (slice(i * width, (i + 1) * width) for i in range(HEADS)):
            scores = np.exp(key[: t + 1, head] @ query[t, head] / np.sqrt(width))
            read.append(scores / scores.sum() @ value[: t + 1, head])
        joined = layer.join.weight.detach().numpy() @ np.concatenate(read) + layer.join.bias.detach().numpy()
        np.testing.assert_allclose(found[t], x[t] + joined, atol=1e-5)


@pytest.mark.parametrize("name", list(distinct_cells()))
def test_a_cell_reads_as_many_inputs_as_it_has_states(name: str) -> None:
    encoder, inputs = build_cell(name, 8), torch.randn(2, 6, 8)
    encoding, _ = encoder(inputs, origins_of(inputs))
    assert encoding.memory.shape == (2, 6, encoder.width)
