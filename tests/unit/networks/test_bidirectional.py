"""The bidirectional encoder equals two plain loops over the window and knows nothing outside of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from forecast.networks.encoders.bidirectional import BidirectionalCell, BidirectionalRecurrent
from forecast.networks.lag_window import few_windows
from tests.unit.networks.window_loops import (
    BATCH,
    CONTEXT,
    LAGS,
    ORIGINS,
    SEASONS,
    assert_close,
    cell_step,
    gapped_inputs,
    numbers,
    read_steps,
    shaken,
)
from tests.unit.networks.worlds import Reader, random_network, random_y

SIZE, NOWHERE = 5, torch.zeros(BATCH, ORIGINS, dtype=torch.long)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(5)


def _encoder(cell: BidirectionalCell = "lstm") -> BidirectionalRecurrent:
    encoder = BidirectionalRecurrent(cell=cell, lags=LAGS, hidden_size=SIZE, context=CONTEXT, seasons=SEASONS, dropout=0.5)
    shaken(encoder)
    return encoder


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_one_layer_reads_the_window_forwards_and_one_backwards(cell: BidirectionalCell) -> None:
    encoder, inputs = _encoder(cell), gapped_inputs()
    encoding, state = encoder(inputs, NOWHERE)
    assert state == ()
    assert encoding.memory.shape == (BATCH, ORIGINS, LAGS, 2 * SIZE)
    assert encoding.summary.shape == (BATCH, ORIGINS, encoder.width)
    for place in np.ndindex(BATCH, ORIGINS):
        x = numbers(inputs[place])
        steps = read_steps(x)
        both = np.zeros((LAGS, 2 * SIZE))
        for suffix, order, part in (("_l0", range(LAGS), slice(0, SIZE)), ("_l0_reverse", range(LAGS)[::-1], slice(SIZE, None))):
            carried = (np.zeros(SIZE), np.zeros(SIZE))
            for t in order:
                carried = cell_step(encoder.kernel, suffix, steps[t], carried)
                both[t, part] = carried[0]
        assert_close(encoding.memory[place], both)
        assert_close(encoding.summary[place], np.concatenate([both[-1, :SIZE], both[0, SIZE:], x[2 * LAGS :]]))


def test_the_memory_says_which_steps_were_observed() -> None:
    inputs = gapped_inputs()
    encoding, _ = _encoder()(inputs, NOWHERE)
    assert encoding.memory_mask is not None
    assert torch.equal(encoding.memory_mask, inputs[..., LAGS : 2 * LAGS] == 1)


def test_a_missing_step_is_not_read_as_a_zero() -> None:
    inputs = gapped_inputs()
    zero = inputs.clone()
    zero[0, 1, 2 * LAGS - 1] = 1.0  # the same value 0, but observed
    before, after = (_encoder_of_one_seed()(x, NOWHERE)[0].summary for x in (inputs, zero))
    assert not torch.equal(before[0, 1], after[0, 1])
    assert torch.equal(before[1], after[1])


def _encoder_of_one_seed() -> BidirectionalRecurrent:
    torch.manual_seed(7)
    return _encoder()


def test_it_has_twice_the_weights_of_one_direction() -> None:
    one_way = torch.nn.LSTM(2 + 2 * len(SEASONS), SIZE)
    assert sum(p.numel() for p in _encoder().parameters()) == 2 * sum(p.numel() for p in one_way.parameters())


@pytest.mark.parametrize("encoder", ["bidirectional", "seq2seq_attention", "transformer"])
def test_many_origins_are_read_a_few_windows_at_a_time_with_the_same_forecasts(
    encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(random_network(encoder), random_y(3, 40))  # type: ignore[arg-type]
    at_once, _ = reader.whole()
    monkeypatch.setattr("forecast.networks.lag_window.STEPS_AT_ONCE", 12 * 3 * 7)
    in_parts, _ = reader.whole()
    torch.testing.assert_close(in_parts.quantiles, at_once.quantiles, rtol=1e-5, atol=1e-4)
    batch = reader.batch(0, 40, reader.every(0, 40))
    assert [part.origins.shape[1] for part in few_windows(batch, 12)] == [7, 7, 7, 7, 7, 5]


def test_no_window_is_read_where_no_origin_is_wanted() -> None:
    reader = Reader(random_network("bidirectional"), random_y(3, 40))
    batch = reader.batch(0, 40, reader.every(0, 40))
    (nothing,) = few_windows(batch._replace(wanted=torch.zeros(3, 40, dtype=torch.bool)), 12)
    assert nothing.origins.shape == (3, 0)
    assert len(few_windows(batch._replace(wanted=torch.eye(3, 40, dtype=torch.bool)), 12)) == 1
