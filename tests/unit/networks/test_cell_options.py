"""Options of the cells: peepholes equal a plain loop written from the equations, starts are what they are called, state carries over."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from forecast.core.errors import ModelError
from forecast.networks.build import build_network
from forecast.networks.encoders.fused import CellName, CellOptions, FusedRecurrent, RecurrentWeights
from forecast.networks.encoders.peephole_pass import peephole_pass
from forecast.networks.network import Network
from forecast.networks.settings import NetworkSettings
from tests.unit.networks.worlds import COLUMNS, HORIZON, LEVELS, SEASONS, Reader, random_y

Floats = NDArray[np.float64]
ROWS, STEPS, INPUTS, WIDTH = 3, 9, 4, 5

VARIANTS = [
    NetworkSettings("elman", activation="relu", recurrent_weights="identity", initial_state="learned"),
    NetworkSettings("lstm", peepholes=True, initial_state="learned"),
    NetworkSettings("gru", initial_state="learned", recurrent_weights="identity"),
    NetworkSettings("stacked", cell="lstm", initial_state="learned", peepholes=True, forget_bias=2.0),
    NetworkSettings("stacked", cell="elman", activation="relu", residual=False, layer_norm=False),
    NetworkSettings("dilated", cell="elman", initial_state="learned"),
    NetworkSettings("esrnn", peepholes=True),
]
every_variant = pytest.mark.parametrize("settings", VARIANTS, ids=lambda s: f"{s.encoder}-{s.cell}")


def _network(settings: NetworkSettings) -> Network:
    torch.manual_seed(3)
    sized = NetworkSettings(
        **{name: getattr(settings, name) for name in settings.__slots__} | {"hidden_size": 8, "lags": 12, "mixer": 4}
    )
    network = build_network(sized, horizon=HORIZON, levels=LEVELS, season_lengths=SEASONS, columns=COLUMNS)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return network.eval()


def _peephole_world() -> tuple[nn.LSTM, Tensor, Tensor, tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    kernel, peepholes = nn.LSTM(INPUTS, WIDTH, batch_first=True).double(), torch.randn(3, WIDTH, dtype=torch.float64)
    before = torch.randn(2, ROWS, WIDTH, dtype=torch.float64)
    return kernel, peepholes.requires_grad_(), torch.randn(ROWS, STEPS, INPUTS, dtype=torch.float64).requires_grad_(), (
        before[0].requires_grad_(), before[1].requires_grad_()
    )  # fmt: skip


def _sigmoid(x: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-x))
    return found


def test_an_lstm_with_peepholes_equals_a_plain_loop() -> None:
    kernel, peepholes, inputs, before = _peephole_world()
    outputs, cells = peephole_pass(inputs, before, kernel.all_weights[0], peepholes)
    w, r, b, again = (p.detach().numpy() for p in kernel.all_weights[0])
    p_i, p_f, p_o = peepholes.detach().numpy()
    for row in range(ROWS):
        h, c = (s[row].detach().numpy() for s in before)
        for t in range(STEPS):
            i, f, z, o = np.split(w @ inputs[row, t].detach().numpy() + r @ h + b + again, 4)
            i, f, z = _sigmoid(i + p_i * c), _sigmoid(f + p_f * c), np.tanh(z)
            c = z * i + c * f
            h = np.tanh(c) * _sigmoid(o + p_o * c)
            np.testing.assert_allclose(outputs[row, t].detach().numpy(), h, rtol=1e-12)
            np.testing.assert_allclose(cells[row, t].detach().numpy(), c, rtol=1e-12)


def test_the_gradients_of_the_peephole_pass_are_those_of_its_steps() -> None:
    kernel, peepholes, inputs, before = _peephole_world()
    leaves = [inputs, *before, *kernel.parameters(), peepholes]
    gradients = [torch.randn(ROWS, STEPS, WIDTH, dtype=torch.float64) for _ in range(2)]
    mine = torch.autograd.grad(peephole_pass(inputs, before, kernel.all_weights[0], peepholes), leaves, gradients)
    w, r, b, again = kernel.all_weights[0]
    (h, c), every = before, []
    for t in range(STEPS):
        i, f, z, o = (inputs[:, t] @ w.T + h @ r.T + b + again).chunk(4, dim=-1)
        fresh = torch.sigmoid(i + peepholes[0] * c) * torch.tanh(z) + torch.sigmoid(f + peepholes[1] * c) * c
        h, c = torch.tanh(fresh) * torch.sigmoid(o + peepholes[2] * fresh), fresh
        every.append((h, c))
    stacked = [torch.stack(states, dim=1) for states in zip(*every, strict=True)]
    for found, expected in zip(mine, torch.autograd.grad(stacked, leaves, gradients), strict=True):
        torch.testing.assert_close(found, expected)


def test_without_weight_on_them_peepholes_change_nothing() -> None:
    torch.manual_seed(0)
    plain = FusedRecurrent(cell="lstm", inputs=INPUTS, hidden_size=WIDTH)
    peeping = FusedRecurrent(cell="lstm", inputs=INPUTS, hidden_size=WIDTH, options=CellOptions(peepholes=True))
    peeping.load_state_dict(plain.state_dict(), strict=False)
    inputs, every = torch.randn(ROWS, STEPS, INPUTS), torch.arange(STEPS).expand(ROWS, -1)
    for lengths in (None, torch.tensor([4, 0, STEPS])):
        (mine, after), (theirs, expected) = (encoder(inputs, every, None, lengths) for encoder in (peeping, plain))
        torch.testing.assert_close(after, expected)
        if lengths is None:
            torch.testing.assert_close(mine.memory, theirs.memory)


@every_variant
def test_one_pass_equals_step_by_step_with_the_carried_state(settings: NetworkSettings) -> None:
    reader = Reader(_network(settings), random_y(3, 30))
    at_once, final = reader.whole()
    state, here = reader.network.initial_state(3), torch.zeros(3, 1, dtype=torch.long)
    for step in range(30):
        one, state = reader.read(state, step, step + 1, here)
        torch.testing.assert_close(one.quantiles[:, 0], at_once.quantiles[:, step], rtol=1e-5, atol=1e-4)
    for mine, theirs in zip(state.encoder, final.encoder, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


@every_variant
def test_padding_on_the_right_leaves_each_rows_state_as_if_it_had_ended_there(settings: NetworkSettings) -> None:
    reader = Reader(_network(settings), random_y(3, 30))
    zero, last = reader.network.initial_state(3), torch.zeros(3, 1, dtype=torch.long)
    _, padded = reader.read(zero, 0, 30, last, torch.tensor([7, 0, 30]))
    for row, length in enumerate((7, 0, 30)):
        expected = reader.read(zero, 0, length, last)[1] if length else zero
        for mine, theirs in zip(padded.encoder, expected.encoder, strict=True):
            torch.testing.assert_close(mine[row], theirs[row], rtol=1e-6, atol=1e-6)


@every_variant
def test_gradients_reach_every_parameter(settings: NetworkSettings) -> None:
    network = _network(settings).train()
    reader = Reader(network, random_y(4, 30).nan_to_num(50.0))
    lead = torch.full((4, network.lead), torch.nan, dtype=torch.float64)
    batch = reader.batch(0, 30 - HORIZON, reader.every(0, 30 - HORIZON))
    network.loss(batch._replace(y=torch.cat([lead, reader.y], dim=1))).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("cell", ["elman", "lstm", "gru"])
def test_recurrent_weights_are_orthogonal_or_the_identity_in_every_gate(cell: CellName) -> None:
    for kind in get_args(RecurrentWeights):
        options = CellOptions(recurrent_weights=kind)
        for gate in FusedRecurrent(cell=cell, inputs=3, hidden_size=6, options=options).kernel.all_weights[0][1].data.split(6):
            torch.testing.assert_close(gate @ gate.T, torch.eye(6))
            assert torch.equal(gate, torch.eye(6)) == (kind == "identity")


def test_an_identity_network_of_rectified_units_keeps_its_state_where_nothing_comes_in() -> None:
    encoder = FusedRecurrent(
        cell="elman", inputs=INPUTS, hidden_size=WIDTH, options=CellOptions(recurrent_weights="identity", activation="relu")
    )
    assert encoder.kernel.all_weights[0][0].abs().max() < 0.01
    before = torch.rand(2, WIDTH)
    _, (after,) = encoder(torch.zeros(2, 500, INPUTS), torch.zeros(2, 1, dtype=torch.long), (before,))
    assert torch.equal(after, before)


def test_an_identity_network_remembers_over_steps_over_which_a_tanh_network_forgets() -> None:
    kept = {}
    for options in (CellOptions(recurrent_weights="identity", activation="relu"), CellOptions()):
        torch.manual_seed(0)
        encoder = FusedRecurrent(cell="elman", inputs=INPUTS, hidden_size=32, options=options)
        inputs = torch.randn(4, 300, INPUTS, requires_grad=True)
        encoding, _ = encoder(inputs, torch.full((4, 1), 299))
        (gradient,) = torch.autograd.grad(encoding.summary.sum(), inputs)
        kept[options.activation] = float(gradient[:, 0].norm() / gradient[:, -1].norm())
    assert kept["relu"] > 0.05
    assert kept["tanh"] < 0.005


def test_a_learned_initial_state_is_where_every_series_begins_and_is_learned() -> None:
    network = _network(NetworkSettings("lstm", initial_state="learned"))
    encoder = network.encoder
    assert isinstance(encoder, FusedRecurrent)
    assert encoder.start is not None
    before, y = network.initial_state(2), random_y(2, 20)
    assert torch.equal(before.encoder[1], encoder.start[1].detach().expand(2, -1))
    assert not before.encoder[0].requires_grad, "a carried state is a value"
    first = Reader(network, y).whole()[0].mean
    with torch.no_grad():
        encoder.start.add_(1.0)
    assert not torch.equal(Reader(network, y).whole()[0].mean[:, 0], first[:, 0])


def test_the_forget_gate_begins_with_its_bias() -> None:
    encoder = FusedRecurrent(cell="lstm", inputs=3, hidden_size=6, options=CellOptions(forget_bias=2.5))
    assert torch.equal(encoder.kernel.all_weights[0][2].view(4, 6)[1], torch.full((6,), 2.5))
    assert encoder.kernel.all_weights[0][3].abs().sum() == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (NetworkSettings("gru", peepholes=True), "the cell 'gru' was given peepholes True, which the lstm alone has; leave peepholes out"),
        (NetworkSettings("lstm", activation="relu"), "which the elman alone has"),
        (NetworkSettings("elman", forget_bias=0.0), "the cell 'elman' was given forget_bias 0.0"),
        (NetworkSettings("linear", initial_state="learned"), "the encoder 'linear' is not made of Elman, LSTM or GRU cells"),
    ],
)  # fmt: skip
def test_an_option_that_a_cell_does_not_have_is_refused(settings: NetworkSettings, message: str) -> None:
    with pytest.raises(ModelError, match=message.replace("(", r"\(")):
        build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=SEASONS, columns=COLUMNS)
