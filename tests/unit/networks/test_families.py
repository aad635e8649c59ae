"""Linear, segment, context and unrolled parts equal plain NumPy loops written from the papers' equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from forecast.networks.decoders.context import ContextDecoder
from forecast.networks.decoders.known_steps import at_targets
from forecast.networks.decoders.low_rank import GAIN, LowRankDecoder, smooth_basis
from forecast.networks.decoders.segments import SegmentDecoder
from forecast.networks.decoders.unrolled import UnrolledDecoder
from forecast.networks.encoder_table import FAMILIES, WINDOWED, default_patch, window_lags
from forecast.networks.encoders.linear_window import LinearWindow, moving_average
from forecast.networks.encoders.segments import SegmentRecurrent
from forecast.networks.interfaces import Decoder, Encoding, Feedback
from tests.unit.networks.worlds import HORIZON, Reader, random_network, random_y

Floats = NDArray[np.float64]
BATCH, ORIGINS, LAGS, CONTEXT, PATHS, OUTPUTS, KNOWN, SIZE = 2, 3, 10, 4, 3, 6, 2, 5
STEPS = 12


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(5)


def _shaken(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return module.eval()


def _inputs(missing: bool = True) -> Tensor:
    """Windows with the oldest values, the last one and one in the middle missing in some of them; 0 where missing."""
    seen = torch.ones(BATCH, ORIGINS, LAGS)
    if missing:
        seen[0, 1, -1], seen[1, 0, :6], seen[1, 2, 4], seen[1, 1] = 0, 0, 0, 0
    values = torch.randn(BATCH, ORIGINS, LAGS) * seen
    return torch.cat([values, seen, torch.randn(BATCH, ORIGINS, CONTEXT)], dim=-1)


def _origins() -> Tensor:
    return torch.tensor([[0, 5, 11], [11, 3, 3]])


def _numbers(tensor: Tensor) -> Floats:
    return tensor.detach().numpy().astype(np.float64)


def _affine(layer: nn.Module, x: Floats) -> Floats:
    assert isinstance(layer, nn.Linear)
    weights = {name: _numbers(weight) for name, weight in layer.named_parameters()}
    product: Floats = weights["weight"] @ x + weights.get("bias", 0.0)
    return product


def _silu(x: Floats) -> Floats:
    found: Floats = x / (1 + np.exp(-x))
    return found


def _gru(kernel: nn.GRU, x: Floats, h: Floats) -> Floats:
    """One step in torch's form: r, z, n in this order."""
    weights = {name: _numbers(weight) for name, weight in kernel.named_parameters()}
    given, carried = (weights[f"weight_{k}_l0"] @ v + weights[f"bias_{k}_l0"] for k, v in (("ih", x), ("hh", h)))
    (xr, xz, xn), (hr, hz, hn) = np.split(given, 3), np.split(carried, 3)
    r, z = 1 / (1 + np.exp(-(xr + hr))), 1 / (1 + np.exp(-(xz + hz)))
    fresh = np.tanh(xn + r * hn)
    state: Floats = (1 - z) * fresh + z * h
    return state


def _less_last(values: Floats, seen: Floats) -> Floats:
    observed = [v for v, there in zip(values, seen, strict=True) if there]
    return np.array([v - observed[-1] if there else 0.0 for v, there in zip(values, seen, strict=True)])


def _closely(found: Tensor, expected: Floats) -> None:
    np.testing.assert_allclose(_numbers(found), expected, rtol=1e-4, atol=1e-5)


def test_nlinear_is_the_last_value_plus_a_matrix_times_the_window_less_the_last_value() -> None:
    encoder, inputs = LinearWindow(kind="nlinear", lags=LAGS, context=CONTEXT).eval(), _inputs()
    encoding, state = encoder(inputs, _origins())
    assert state == ()
    assert encoding.summary.shape == (BATCH, ORIGINS, encoder.width)
    for place in np.ndindex(BATCH, ORIGINS):
        x = _numbers(inputs[place])
        _closely(encoding.summary[place], np.concatenate([_less_last(x[:LAGS], x[LAGS : 2 * LAGS]), x[2 * LAGS :]]))


def test_dlinear_parts_a_window_into_the_mean_of_25_steps_and_the_rest() -> None:
    window = torch.randn(1, 1, 40)
    encoding, _ = LinearWindow(kind="dlinear", lags=40, context=1).eval()(
        torch.cat([window, torch.ones(1, 1, 41)], dim=-1), torch.zeros(1, 1, dtype=torch.long)
    )
    x = _numbers(window[0, 0])
    continued = np.concatenate([np.full(12, x[0]), x, np.full(12, x[-1])])
    trend = np.array([continued[t : t + 25].mean() for t in range(40)])
    _closely(encoding.summary[0, 0], np.concatenate([x - trend, trend, [1.0]]))


@pytest.mark.parametrize("length", [1, 2, 8, 25])
def test_the_moving_average_of_a_short_window_keeps_its_length_and_a_constant(length: int) -> None:
    assert torch.allclose(moving_average(torch.full((1, 1, length), 3.0)), torch.tensor(3.0))


def test_the_basis_is_constant_first_and_complete_when_it_is_as_long_as_the_horizon() -> None:
    basis = smooth_basis(30, 6)
    assert (basis[:, 0] == 1).all()
    step = basis.diff(dim=0).abs().sum(dim=1)
    assert step[0] > 3 * step[-1], "near steps differ more than far ones"
    assert torch.linalg.matrix_rank(smooth_basis(HORIZON, HORIZON)) == HORIZON


def test_the_low_rank_decoder_has_a_residual_for_every_step_and_the_rest_from_the_context_through_the_basis() -> None:
    width = LAGS + CONTEXT
    decoder = LowRankDecoder(summary=width, horizon=HORIZON, outputs=OUTPUTS, paths=PATHS, known=KNOWN, context=CONTEXT, rank=3)
    _shaken(decoder)
    summary, known, origins = torch.randn(BATCH, ORIGINS, width), torch.randn(BATCH, STEPS + HORIZON, KNOWN), _origins()
    raw = decoder(Encoding(summary, None, summary), known, origins)
    assert raw.shape == (BATCH, ORIGINS, HORIZON, OUTPUTS)
    assert decoder.effect is not None
    for b, o, h in np.ndindex(BATCH, ORIGINS, HORIZON):
        x = _numbers(summary[b, o])
        basis = [GAIN * np.cos(np.pi * j * np.sqrt((h + 0.5) / HORIZON)) for j in range(3)]
        rest = basis @ _affine(decoder.rest, x[LAGS:]).reshape(3, OUTPUTS - 1)
        expected = np.insert(rest, PATHS, _affine(decoder.out, x)[h])
        covariates = _silu(_affine(decoder.effect.embed, _numbers(known[b, origins[b, o] + 1 + h])))
        _closely(raw[b, o, h], expected + covariates @ _affine(decoder.effect.coefficients, x[LAGS:]).reshape(-1, OUTPUTS))


def test_the_numbers_beside_the_residual_do_not_grow_with_the_horizon() -> None:
    sizes = {horizon: sum(p.numel() for p in _decoder(horizon).parameters()) for horizon in (96, 720)}
    assert sizes[720] - sizes[96] == (720 - 96) * (336 + 1)


def _decoder(horizon: int) -> LowRankDecoder:
    return LowRankDecoder(summary=336, horizon=horizon, outputs=OUTPUTS, paths=PATHS, known=0)


def test_the_segment_encoder_reads_the_look_back_less_its_last_value_in_segments() -> None:
    kernel, inputs = nn.GRU(SIZE, SIZE, batch_first=True), _inputs(missing=True)
    inputs[1, 1, LAGS] = 1.0  # a window without any value is not in the paper
    encoder = SegmentRecurrent(kernel=kernel, lags=LAGS, patch=4, context=CONTEXT)
    _shaken(encoder)
    encoding, _ = encoder(inputs, _origins())
    for place in np.ndindex(BATCH, ORIGINS):
        x = _numbers(inputs[place])
        values, seen = _less_last(x[:LAGS], x[LAGS : 2 * LAGS]), x[LAGS : 2 * LAGS]
        values, seen = np.concatenate([[0, 0], values]), np.concatenate([[0, 0], seen])  # 10 lags are 3 segments of 4
        h = np.tanh(_affine(encoder.start, x[2 * LAGS :]))
        for segment in range(3):
            part = slice(4 * segment, 4 * segment + 4)
            h = _gru(kernel, np.maximum(_affine(encoder.project, np.concatenate([values[part], seen[part]])), 0), h)
        _closely(encoding.summary[place], h)


def test_the_segment_decoder_writes_every_segment_by_one_step_from_the_same_state() -> None:
    kernel = nn.GRU(SIZE, SIZE, batch_first=True)
    decoder = SegmentDecoder(kernel=kernel, horizon=HORIZON, patch=4, outputs=OUTPUTS, known=0)
    _shaken(decoder)
    summary = torch.randn(BATCH, ORIGINS, SIZE)
    raw = decoder(Encoding(summary, None, summary), torch.zeros(BATCH, STEPS + HORIZON, 0), _origins())
    assert raw.shape == (BATCH, ORIGINS, HORIZON, OUTPUTS)
    for b, o, h in np.ndindex(BATCH, ORIGINS, HORIZON):
        state = _gru(kernel, _numbers(decoder.positions[h // 4]), _numbers(summary[b, o]))
        _closely(raw[b, o, h], _affine(decoder.out, state).reshape(4, OUTPUTS)[h % 4])


def test_the_context_decoder_is_a_global_network_and_the_same_local_one_at_every_step() -> None:
    decoder = ContextDecoder(summary=SIZE, horizon=HORIZON, outputs=OUTPUTS, known=KNOWN, hidden=7, context=3, local=4)
    _shaken(decoder)
    summary, known, origins = torch.randn(BATCH, ORIGINS, SIZE), torch.randn(BATCH, STEPS + HORIZON, KNOWN), _origins()
    raw = decoder(Encoding(summary, None, summary), known, origins)
    assert decoder.known is not None
    assert decoder.ahead is not None
    assert decoder.step is not None
    for b, o in np.ndindex(BATCH, ORIGINS):
        first = int(origins[b, o]) + 1
        ahead = [_silu(_affine(decoder.known, _numbers(known[b, first + h]))) for h in range(HORIZON)]
        layer = _affine(decoder.summary, _numbers(summary[b, o])) + _affine(decoder.ahead, np.concatenate(ahead))
        contexts = _affine(decoder.contexts, _silu(layer)).reshape(HORIZON + 1, 3)
        for h in range(HORIZON):
            local = _affine(decoder.own, contexts[h]) + _affine(decoder.shared, contexts[-1]) + _affine(decoder.step, ahead[h])
            _closely(raw[b, o, h], _affine(decoder.out, _silu(local)))


def _feedback(targets: bool) -> Feedback:
    """Random paths of which the second is blocked in one row, and targets of which one step is missing."""
    naive, blocked = torch.randn(BATCH, ORIGINS, HORIZON, PATHS), torch.zeros(BATCH, ORIGINS, 1, PATHS, dtype=torch.bool)
    blocked[0, 1, 0, 1] = True
    true = torch.randn(BATCH, ORIGINS, HORIZON)
    true[:, :, 2] = torch.nan
    return Feedback(naive, blocked, true if targets else None)


def _unrolled(forced_steps: int = 0) -> UnrolledDecoder:
    decoder = UnrolledDecoder(summary=SIZE, horizon=HORIZON, outputs=OUTPUTS, known=KNOWN, hidden=4, forced_steps=forced_steps)
    _shaken(decoder)
    return decoder


@pytest.mark.parametrize("hears", ["itself", "the truth"])
def test_the_unrolled_decoder_hears_its_own_last_centre_or_the_true_value(hears: str) -> None:
    decoder, feedback = _unrolled(forced_steps=0 if hears == "itself" else 10), _feedback(targets=hears == "the truth")
    summary, known, origins = torch.randn(BATCH, ORIGINS, SIZE), torch.randn(BATCH, STEPS + HORIZON, KNOWN), _origins()
    raw = decoder(Encoding(summary, None, summary, feedback), known, origins)
    assert decoder.known is not None
    for b, o in np.ndindex(BATCH, ORIGINS):
        naive = _numbers(feedback.naive[b, o])
        state, heard = np.tanh(_affine(decoder.start, _numbers(summary[b, o]))), naive[0, 0]
        for h in range(HORIZON):
            covariates = _silu(_affine(decoder.known, _numbers(known[b, origins[b, o] + 1 + h])))
            state = _gru(decoder.kernel, np.array([np.sign(heard) * np.log1p(abs(heard)), *covariates]), state)
            numbers = _affine(decoder.out, state)
            _closely(raw[b, o, h], numbers)
            weights = np.exp(numbers[:PATHS]) * ~feedback.blocked[b, o, 0].numpy()
            heard = float(weights / weights.sum() @ naive[h] + numbers[PATHS])
            if feedback.targets is not None:
                true = float(feedback.targets[b, o, h])
                heard = naive[h, 0] if np.isnan(true) else true


def test_the_true_values_are_heard_always_then_less_and_less_and_in_the_end_never() -> None:
    decoder, feedback = _unrolled(forced_steps=20), _feedback(targets=True)
    summary, known = torch.randn(BATCH, ORIGINS, SIZE), torch.randn(BATCH, STEPS + HORIZON, KNOWN)

    def moved() -> float:
        """Share of the origins of which the forecast of step 2 answers to the true value of step 1."""
        raws = []
        for shift in (0.0, 1.0):
            torch.manual_seed(0)
            assert feedback.targets is not None
            shifted = feedback._replace(targets=feedback.targets + shift)
            raws.append(decoder(Encoding(summary, None, summary, shifted), known, _origins()))
            decoder.trained -= 1
            assert torch.isfinite(raws[-1]).all(), "a missing value is not heard"
        return float((raws[0] != raws[1])[:, :, 1].any(dim=-1).float().mean())

    found = []
    for taken in (0, 10, 15, 20, 100):
        decoder.trained.fill_(taken)
        found.append(moved())
    assert found[:2] == [1.0, 1.0]
    assert 0 < found[2] < 1
    assert found[3:] == [0.0, 0.0]


def test_every_training_step_is_counted_and_a_forecast_is_not() -> None:
    decoder = _unrolled(forced_steps=5)
    summary, known = torch.randn(BATCH, ORIGINS, SIZE), torch.randn(BATCH, STEPS + HORIZON, KNOWN)
    for targets in (True, False, True):
        decoder(Encoding(summary, None, summary, _feedback(targets)), known, _origins())
    assert decoder.trained.item() == 2


def test_only_a_network_in_training_shows_true_values_to_its_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    network, shown = random_network("seq2seq"), []
    original = UnrolledDecoder.forward

    def spy(self: UnrolledDecoder, encoding: Encoding, known: Tensor, origins: Tensor) -> Tensor:
        assert encoding.feedback is not None
        shown.append(encoding.feedback.targets is not None)
        return original(self, encoding, known, origins)

    monkeypatch.setattr(UnrolledDecoder, "forward", spy)
    reader = Reader(network, random_y(2, 30))
    reader.whole()
    batch = reader.batch(0, 30 - HORIZON, reader.every(0, 30 - HORIZON))
    batch = batch._replace(y=torch.cat([torch.full((2, network.lead), torch.nan, dtype=torch.float64), reader.y], dim=1))
    network.eval().loss(batch)
    network.train().loss(batch)
    assert shown == [False, False, True]


def test_target_steps_are_those_after_each_origin_even_with_as_many_origins_as_steps_in_any_order() -> None:
    x = torch.randn(2, 4 + HORIZON, 3)
    origins = torch.tensor([[2, 3, 0, 0], [3, 2, 1, 0]])
    found = at_targets(x, origins, HORIZON)
    for row, column in np.ndindex(2, 4):
        origin = int(origins[row, column])
        assert torch.equal(found[row, column], x[row, origin + 1 : origin + 1 + HORIZON])


@pytest.mark.parametrize("encoder", sorted(WINDOWED))
def test_a_windowed_network_carries_the_ring_alone_and_forgets_what_left_it(encoder: str) -> None:
    network, y = random_network(encoder), random_y(2, 120)  # type: ignore[arg-type]
    other = y.clone()
    other[:, :20] += 40.0
    forecasts = []
    for values in (y, other):
        reader = Reader(network, values)
        _, state = reader.read(network.initial_state(2), 0, 119, torch.zeros(2, 1, dtype=torch.long))
        assert state.encoder == ()
        level = state._replace(statistics=torch.ones_like(state.statistics))  # the floor of the scale remembers more
        forecasts.append(reader.read(level, 119, 120, torch.zeros(2, 1, dtype=torch.long))[0].quantiles)
    assert torch.equal(*forecasts)


def test_an_encoder_says_whether_its_reading_can_be_carried_on() -> None:
    whole_window = {"bidirectional", "seq2seq_attention", "transformer"}
    assert {name for name in FAMILIES if not random_network(name).encoder.carries} == whole_window
    assert whole_window < WINDOWED


@pytest.mark.parametrize(("lags", "horizon", "expected"), [(168, 48, 168), (168, 96, 192), (24, 720, 720), (36, 18, 36)])
def test_the_look_back_grows_with_the_horizon_to_its_limit(lags: int, horizon: int, expected: int) -> None:
    assert window_lags(lags, horizon) == expected


@pytest.mark.parametrize(("lags", "season", "expected"), [(168, 24, 24), (49, 7, 7), (36, 12, 6), (8, 1, 2), (3, 1, 1)])
def test_a_segment_is_a_season_of_which_the_look_back_has_some(lags: int, season: int, expected: int) -> None:
    assert default_patch(lags, season) == expected


def test_untrained_decoders_follow_the_first_path_with_the_naive_gaps() -> None:
    decoders: list[Decoder] = [
        LowRankDecoder(summary=SIZE, horizon=HORIZON, outputs=OUTPUTS, paths=PATHS, known=KNOWN, first_path=1),
        SegmentDecoder(
            kernel=nn.GRU(SIZE, SIZE, batch_first=True), horizon=HORIZON, patch=4, outputs=OUTPUTS, known=KNOWN, first_path=1
        ),
        ContextDecoder(summary=SIZE, horizon=HORIZON, outputs=OUTPUTS, known=KNOWN, first_path=1),
        UnrolledDecoder(summary=SIZE, horizon=HORIZON, outputs=OUTPUTS, known=KNOWN, hidden=SIZE, first_path=1),
    ]
    summary = torch.randn(BATCH, ORIGINS, SIZE)
    for decoder in decoders:
        raw = decoder(
            Encoding(summary, None, summary, _feedback(targets=False)), torch.randn(BATCH, STEPS + HORIZON, KNOWN), _origins()
        )
        expected = torch.zeros(OUTPUTS)
        expected[1] = 2.0
        torch.testing.assert_close(raw, expected.expand_as(raw), rtol=0, atol=1e-6)
