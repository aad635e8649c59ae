"""Attention and its decoder equal plain loops written from the papers' equations; nothing is read of what is missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from forecast.networks.attention import AdditiveAttention, Attention, DotAttention
from forecast.networks.build import build_network
from forecast.networks.decoders.attention import AttentionDecoder
from forecast.networks.interfaces import Encoding, Feedback
from forecast.networks.settings import NetworkSettings
from tests.unit.networks.window_loops import (
    BATCH,
    LAGS,
    ORIGINS,
    SEASONS,
    Floats,
    affine,
    assert_close,
    cell_step,
    gapped_inputs,
    numbers,
    shaken,
)
from tests.unit.networks.worlds import COLUMNS, HORIZON, LEVELS, Reader, random_y
from tests.unit.networks.worlds import SEASONS as OF_NETWORKS

MEMORY, SUMMARY, PATHS, OUTPUTS, KNOWN, STEPS = 6, 5, 3, 6, 2, 12
KINDS = ("additive", "dot")
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(5)


def _attention(kind: str) -> Attention:
    width = MEMORY + 2 * len(SEASONS)
    return DotAttention(memory=width) if kind == "dot" else AdditiveAttention(query=width - 2, memory=width, width=3)


def _decoder(kind: str, forced_steps: int = 0) -> AttentionDecoder:
    decoder = AttentionDecoder(attention=_attention(kind), summary=SUMMARY, horizon=HORIZON, outputs=OUTPUTS, known=KNOWN,
                               seasons=SEASONS, forced_steps=forced_steps)  # fmt: skip
    shaken(decoder)
    return decoder


def _encoding(targets: bool = False) -> Encoding:
    """Random memories with the gaps of `gapped_inputs`, random paths of which one is blocked, one target missing."""
    mask = gapped_inputs()[..., LAGS : 2 * LAGS] > 0
    naive, blocked = torch.randn(BATCH, ORIGINS, HORIZON, PATHS), torch.zeros(BATCH, ORIGINS, 1, PATHS, dtype=torch.bool)
    blocked[0, 1, 0, 1] = True
    true = torch.randn(BATCH, ORIGINS, HORIZON)
    true[:, :, 2] = torch.nan
    feedback = Feedback(naive, blocked, true if targets else None)
    return Encoding(torch.randn(BATCH, ORIGINS, LAGS, MEMORY), mask, torch.randn(BATCH, ORIGINS, SUMMARY), feedback)


def _known() -> tuple[Tensor, Tensor]:
    return torch.randn(BATCH, STEPS + HORIZON, KNOWN), torch.tensor([[0, 5, 11], [11, 3, 3]])


def _read(attention: nn.Module, query: Floats, memory: Floats, mask: Floats) -> Floats:
    """c of one query over one window, states and phases."""
    scores = []
    for h in memory:
        if isinstance(attention, AdditiveAttention):
            inner = np.tanh(affine(attention.of_query, query) + affine(attention.of_memory, h))
            scores.append(float(affine(attention.score, inner)[0]))  # v' tanh(W s + U h)
        else:
            scores.append(float(query @ h))
    raised = np.array([np.exp(e) if there else 0.0 for e, there in zip(scores, mask, strict=True)])
    weights = raised / raised.sum() if mask.any() else raised
    read: Floats = weights @ memory
    return read


def _placed(memory: Floats) -> Floats:
    """The states of a window with the phases of their steps, counted from the origin."""
    phases = [[f(2 * np.pi * (t + 1 - LAGS) / season) for season in SEASONS for f in (np.sin, np.cos)] for t in range(LAGS)]
    return np.concatenate([memory, np.array(phases)], axis=1)


@every_kind
@pytest.mark.parametrize("hears", ["itself", "the truth"])
def test_every_step_reads_what_its_state_asks_for(kind: str, hears: str) -> None:
    forced = hears == "the truth"
    decoder, encoding, (known, origins) = _decoder(kind, forced_steps=10 * forced), _encoding(forced), _known()
    feedback, mask = encoding.feedback, encoding.memory_mask
    assert feedback is not None
    assert mask is not None
    raw = decoder(encoding, known, origins)
    assert raw.shape == (BATCH, ORIGINS, HORIZON, OUTPUTS)
    assert decoder.known is not None
    for b, o in np.ndindex(BATCH, ORIGINS):
        naive, window = numbers(feedback.naive[b, o]), (_placed(numbers(encoding.memory[b, o])), mask[b, o].numpy())
        state, heard = np.tanh(affine(decoder.start, numbers(encoding.summary[b, o]))), naive[0, 0]
        for h in range(HORIZON):
            before = affine(decoder.known, numbers(known[b, origins[b, o] + 1 + h]))
            phases = [f(2 * np.pi * (h + 1) / season) for season in SEASONS for f in (np.sin, np.cos)]
            x = np.array([np.sign(heard) * np.log1p(abs(heard)), *(before / (1 + np.exp(-before))), *phases])
            if kind == "additive":
                read = _read(decoder.attention, np.array([*state, *phases]), *window)
                state, _ = cell_step(decoder.kernel, "", np.concatenate([x, read]), (state, state))
            else:
                state, _ = cell_step(decoder.kernel, "", x, (state, state))
                read = _read(decoder.attention, np.array([*state, *phases]), *window)
            found = affine(decoder.out, np.tanh(affine(decoder.join, np.concatenate([read, state]))))
            assert_close(raw[b, o, h], found)
            weights = np.exp(found[:PATHS]) * ~feedback.blocked[b, o, 0].numpy()
            heard = float(weights / weights.sum() @ naive[h] + found[PATHS])
            if feedback.targets is not None and not torch.isnan(feedback.targets[b, o, h]):
                heard = float(feedback.targets[b, o, h])


@every_kind
def test_the_weights_sum_to_1_and_nothing_of_them_lies_on_missing_steps(kind: str) -> None:
    decoder, encoding, seen = _decoder(kind), _encoding(), []
    decoder.attention.register_forward_hook(lambda module, given, found: seen.append(found[1]))
    decoder(encoding, *_known())
    assert encoding.memory_mask is not None
    mask = encoding.memory_mask.flatten(0, 1)
    assert len(seen) == HORIZON, "one reading for every step of the horizon"
    for weights in seen:
        assert (weights[~mask] == 0).all()
        assert (weights[mask] > 0).all()
        torch.testing.assert_close(weights.sum(dim=-1), mask.any(dim=-1).float())


@every_kind
def test_a_window_without_any_value_is_read_as_nothing_and_gradients_stay_finite(kind: str) -> None:
    attention = _attention(kind)
    memory = torch.randn(2, LAGS, attention.memory, requires_grad=True)
    read, weights = attention(
        torch.randn(2, attention.query), attention.keys(memory), memory, torch.tensor([[False]] * 2).expand(2, LAGS)
    )
    assert (read == 0).all()
    assert (weights == 0).all()
    read.sum().backward()
    assert memory.grad is not None
    assert torch.isfinite(memory.grad).all()


@every_kind
def test_an_untrained_decoder_follows_the_first_path(kind: str) -> None:
    decoder = AttentionDecoder(
        attention=_attention(kind), summary=SUMMARY, horizon=HORIZON, outputs=OUTPUTS, known=KNOWN, seasons=SEASONS, first_path=1
    )
    expected = torch.zeros(OUTPUTS)
    expected[1] = 2.0
    raw = decoder(_encoding(), *_known())
    torch.testing.assert_close(raw, expected.expand_as(raw), rtol=0, atol=1e-6)


def test_true_values_are_heard_less_and_less_while_training_and_never_after() -> None:
    decoder, encoding, at = _decoder("additive", forced_steps=20), _encoding(targets=True), _known()
    assert encoding.feedback is not None
    assert encoding.feedback.targets is not None
    shifted = encoding._replace(feedback=encoding.feedback._replace(targets=encoding.feedback.targets + 1.0))
    shares = []
    for taken in (0, 10, 15, 20):
        raws = []
        for given in (encoding, shifted):
            decoder.trained.fill_(taken)
            torch.manual_seed(0)
            raws.append(decoder(given, *at))
        shares.append(float((raws[0] != raws[1])[:, :, 1].any(dim=-1).float().mean()))
    assert shares[:2] == [1.0, 1.0]
    assert 0 < shares[2] < 1
    assert shares[3] == 0
    assert decoder.trained.item() == 21


def _network(encoder: str, kind: str) -> Reader:
    torch.manual_seed(3)
    settings = NetworkSettings(encoder=encoder, decoder="attention", attention=kind, lags=12, hidden_size=16, layers=2)  # type: ignore[arg-type]
    network = build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=OF_NETWORKS, columns=COLUMNS)
    shaken(network)
    return Reader(network, random_y(3, 60))


@every_kind
@pytest.mark.parametrize("encoder", ["seq2seq_attention", "bidirectional", "transformer"])
def test_a_forecast_is_independent_of_what_lies_before_its_window(encoder: str, kind: str) -> None:
    """The statistics of all rows before are the floor of the scale; they are kept equal."""
    reader = _network(encoder, kind)
    last, forecasts = torch.zeros(3, 1, dtype=torch.long), []
    for shift in (0.0, 25.0):
        reader.y[:, :10] += shift
        _, state = reader.read(reader.network.initial_state(3), 0, 59, last)
        state = state._replace(statistics=torch.ones_like(state.statistics))
        forecasts.append(reader.read(state, 59, 60, last)[0].quantiles)
    assert torch.equal(*forecasts)


@every_kind
@pytest.mark.parametrize("encoder", ["seq2seq_attention", "bidirectional", "transformer"])
def test_gradients_reach_every_weight_and_every_step_sees_the_last_observation(encoder: str, kind: str) -> None:
    reader = _network(encoder, kind)
    y = reader.y = reader.y.nan_to_num(50.0).requires_grad_()
    prediction, _ = reader.read(reader.network.initial_state(3), 0, 60, torch.full((3, 1), 59))
    for step in range(HORIZON):
        (gradient,) = torch.autograd.grad(prediction.mean[:, 0, step].sum(), y, retain_graph=True)
        assert (gradient[:, -1] != 0).all()
    weights = dict(reader.network.decoder.named_parameters())
    for name, gradient in zip(weights, torch.autograd.grad(prediction.mean.sum(), list(weights.values())), strict=True):
        assert gradient.abs().sum() > 0, name
