"""The transformer encoder equals a plain loop written from the paper's equations; missing steps are attended to by none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from forecast.networks.encoders.transformer import TransformerLayer, WindowTransformer, default_heads, positions
from tests.unit.networks.window_loops import (
    BATCH,
    CONTEXT,
    LAGS,
    ORIGINS,
    SEASONS,
    Floats,
    affine,
    assert_close,
    gapped_inputs,
    numbers,
    read_steps,
    shaken,
)

WIDTH, NOWHERE = 8, torch.zeros(BATCH, ORIGINS, dtype=torch.long)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(5)


def _encoder() -> WindowTransformer:
    encoder = WindowTransformer(lags=LAGS, hidden_size=WIDTH, layers=2, context=CONTEXT, seasons=SEASONS, dropout=0.3)
    shaken(encoder)
    return encoder


def _norm(layer: nn.Module, x: Floats) -> Floats:
    weights = {name: numbers(weight) for name, weight in layer.named_parameters()}
    centred = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
    result: Floats = centred * weights["weight"] + weights["bias"]
    return result


def _attended(layer: TransformerLayer, x: Floats, mask: NDArray[np.bool_]) -> Floats:
    """MultiHead(x, x, x) of one window [LAGS, WIDTH], head by head and step by step."""
    heads, size = layer.heads, WIDTH // layer.heads
    queries, keys, values = np.split(np.array([affine(layer.queries_keys_values, step) for step in x]), 3, axis=1)
    out = []
    for t in range(LAGS):
        joined = []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            scores = np.array([queries[t, part] @ keys[s, part] / np.sqrt(size) if mask[s] else -np.inf for s in range(LAGS)])
            weights = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
            joined.append(weights @ values[:, part])
        out.append(affine(layer.join, np.concatenate(joined)))
    return np.array(out)


def test_the_layers_equal_a_plain_loop() -> None:
    encoder, inputs = _encoder(), gapped_inputs()
    encoding, state = encoder(inputs, NOWHERE)
    assert state == ()
    assert encoding.summary.shape == (BATCH, ORIGINS, encoder.width)
    for place in np.ndindex(BATCH, ORIGINS):
        given = numbers(inputs[place])
        seen = given[LAGS : 2 * LAGS] > 0
        mask = seen if seen.any() else np.ones(LAGS, dtype=bool)
        x = np.array([affine(encoder.embed, step) for step in read_steps(given)]) * np.sqrt(WIDTH)
        x = x + np.array([_position(LAGS - 1 - t) for t in range(LAGS)])
        for layer in encoder.layers:
            assert isinstance(layer, TransformerLayer)
            x = np.array([_norm(layer.norms[0], row) for row in x + _attended(layer, x, mask)])
            x = np.array([_norm(layer.norms[1], r + affine(layer.outer, np.maximum(affine(layer.inner, r), 0))) for r in x])
        assert_close(encoding.memory[place], x)
        assert_close(encoding.summary[place], np.concatenate([x[-1], given[2 * LAGS :]]))


def _position(lag: int) -> Floats:
    angles = [lag / 10_000 ** (2 * i / WIDTH) for i in range(WIDTH // 2)]
    return np.array([f(angle) for angle in angles for f in (np.sin, np.cos)])


def test_the_newest_step_has_position_0_whatever_the_length_of_the_window() -> None:
    assert torch.equal(positions(3, WIDTH), positions(9, WIDTH)[-3:])
    assert positions(4, 7).shape == (4, 7)


def test_what_is_missing_is_attended_to_by_none() -> None:
    encoder, inputs = _encoder(), gapped_inputs()
    before, _ = encoder(inputs, NOWHERE)
    inputs[1, 0, :6] = 50.0  # no value stands there, so nothing of it may be read
    after, _ = encoder(inputs, NOWHERE)
    assert torch.equal(before.summary, after.summary)
    assert not torch.equal(before.memory[1, 0, :6], after.memory[1, 0, :6])


@pytest.mark.parametrize(("width", "heads"), [(64, 4), (8, 4), (6, 2), (7, 1)])
def test_the_heads_share_the_width_evenly(width: int, heads: int) -> None:
    assert default_heads(width) == heads


def test_dropout_is_for_training_alone() -> None:
    encoder, inputs = _encoder(), gapped_inputs()
    once, again = (encoder(inputs, NOWHERE)[0].summary for _ in range(2))
    assert torch.equal(once, again)
    encoder.train()
    assert not torch.equal(encoder(inputs, NOWHERE)[0].summary, encoder(inputs, NOWHERE)[0].summary)
