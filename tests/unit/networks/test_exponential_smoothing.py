"""The exponential-smoothing normaliser: what it knows of a target step, when it is multiplicative, and how it starts."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from forecast.networks.build import build_network
from forecast.networks.interfaces import Batch, Scales
from forecast.networks.network import Network
from forecast.networks.normalisers.exponential_smoothing import ALPHA, GAMMA, ExponentialSmoothing
from forecast.networks.settings import EncoderName, NetworkSettings
from tests.unit.networks.worlds import COLUMNS, HORIZON, LEVELS, SEASONS, Reader, random_network, random_y

PATTERN = torch.tensor([1.0, 5.0, 2.0, 8.0], dtype=torch.float64)
STEPS = 40


def _normaliser(season_lengths: tuple[int, ...] = (4,), wiggle: float = 0.0) -> ExponentialSmoothing:
    torch.manual_seed(0)
    return ExponentialSmoothing(season_lengths=season_lengths, level_window=4, spread_window=24, wiggle=wiggle)


def _read(normaliser: ExponentialSmoothing, y: Tensor) -> tuple[Scales, Tensor]:
    lead = torch.full((len(y), normaliser.lead), torch.nan, dtype=torch.float64)
    scales, after = normaliser(torch.cat([lead, y], dim=1), normaliser.initial_statistics(len(y)))
    return scales, after


def _every(y: Tensor) -> Tensor:
    return torch.arange(y.shape[1]).expand(len(y), -1)


@pytest.mark.parametrize("shift", [0.0, -4.0], ids=["multiplicative", "additive"])
def test_after_one_season_the_future_of_a_periodic_series_is_its_loc(shift: float) -> None:
    y = (PATTERN + shift).repeat(10)[None]
    normaliser = _normaliser()
    scales, _ = _read(normaliser, y)
    loc, _ = normaliser.at(scales, _every(y), 6)
    for origin in range(3, STEPS - 6):
        torch.testing.assert_close(loc[0, origin], y[0, origin + 1 : origin + 7], rtol=1e-9, atol=1e-9)
    assert scales.own[0].all() == (shift == 0.0)


def test_loc_is_the_level_of_the_last_step_read_times_the_index_of_the_target_step() -> None:
    trend = torch.linspace(1.0, 3.0, STEPS, dtype=torch.float64)
    y = (trend * PATTERN.repeat(10))[None]
    normaliser = _normaliser()
    scales, _ = _read(normaliser, y)
    loc, scale = normaliser.at(scales, _every(y), 8)
    torch.testing.assert_close(loc[..., :4], loc[..., 4:])
    torch.testing.assert_close(scale / loc, (scales.scale / scales.loc)[..., None].expand_as(loc))
    best, worst = loc[0, -1, :4].max(), loc[0, -1, :4].min()
    assert 7.0 < best / worst < 9.0, "the indices keep the ratio of the pattern's ends, 8"


def test_an_input_window_has_its_season_taken_out() -> None:
    y = PATTERN.repeat(10)[None]
    normaliser = _normaliser()
    scales, _ = _read(normaliser, y)
    windows = torch.cat([torch.full((1, 11), torch.nan, dtype=torch.float64), y], dim=1).unfold(1, 12, 1)
    z = normaliser.scaled(windows, scales)
    assert z[:, 11:].abs().max() < 1e-9
    assert torch.equal(z.isnan(), windows.isnan())
    assert z[:, :2].nan_to_num().abs().max() > 0.1, "before a season is known the pattern is in the window"


@pytest.mark.parametrize("seasons", [(), (4,), (4, 12)], ids=str)
def test_no_origin_knows_a_later_value_not_even_in_its_first_season(seasons: tuple[int, ...]) -> None:
    normaliser, y = _normaliser(seasons), random_y(2, STEPS)
    loc, scale = normaliser.at(_read(normaliser, y)[0], _every(y), 15)
    for row in range(2):
        origins = torch.arange(STEPS)[:, None]  # one copy of the series for each origin, with other values after it
        noise = torch.where(torch.arange(STEPS) % 2 == 0, 1e9, -3.0).to(y.dtype)
        planted = torch.where(torch.arange(STEPS) > origins, noise, y[row])
        new_loc, new_scale = normaliser.at(_read(normaliser, planted)[0], origins, 15)
        assert torch.equal(new_loc[:, 0], loc[row])
        assert torch.equal(new_scale[:, 0], scale[row])


def test_a_value_of_zero_makes_the_next_steps_additive_until_it_has_left_the_lead() -> None:
    normaliser = _normaliser()
    y = torch.full((1, normaliser.lead + 30), 5.0, dtype=torch.float64)
    y[0, 10] = 0.0
    relative = _read(normaliser, y)[0].own[0][0].tolist()
    assert relative[:10] == [True] * 10
    assert relative[10 : 11 + normaliser.lead] == [False] * (normaliser.lead + 1)
    assert all(relative[11 + normaliser.lead :])


def test_the_additive_form_may_shift_with_the_data() -> None:
    normaliser, y = _normaliser(), torch.randn(3, STEPS, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    y[:, 0] = -9.0
    (here, _), (there, _) = (_read(normaliser, values) for values in (y - 100.0, y - 200.0))
    (loc, _), (moved, _) = (normaliser.at(scales, _every(y), 4) for scales in (here, there))
    assert not here.own[0].any()
    # Only the features know the level, and an untrained network does not look at them.
    torch.testing.assert_close(loc - 100.0, moved)


@pytest.mark.parametrize("rows", [STEPS, 15])
def test_a_segment_whose_lead_holds_the_series_start_is_smoothed_as_the_whole_history_is(rows: int) -> None:
    normaliser, y = _normaliser((4, 12)), random_y(5, STEPS)
    assert normaliser.lead < STEPS
    y[:, : STEPS - rows] = torch.nan  # the series begins here
    first = STEPS - rows + 10
    whole, _ = _read(normaliser, y)
    counts = _read(normaliser, y[:, :first])[1][:, :2]
    before = torch.cat([torch.full((5, normaliser.lead), torch.nan, dtype=torch.float64), y[:, :first]], dim=1)[
        :, -normaliser.lead :
    ]
    scales, _ = normaliser(torch.cat([before, y[:, first:]], dim=1), normaliser.warm(before, counts))
    torch.testing.assert_close(scales.loc, whole.loc[:, first:], rtol=1e-9, atol=1e-9)


def test_a_segment_inside_a_long_series_forgets_where_its_lead_began() -> None:
    normaliser, y = _normaliser(), random_y(4, 300).nan_to_num(50.0)
    whole, _ = _read(normaliser, y)
    first = 150
    before, counts = y[:, first - normaliser.lead : first], _read(normaliser, y[:, :first])[1][:, :2]
    scales, _ = normaliser(torch.cat([before, y[:, first:]], dim=1), normaliser.warm(before, counts))
    apart = ((scales.loc - whole.loc[:, first:]) / whole.scale[:, first:]).abs().amax(dim=0)
    assert 0 < apart[0] < 0.5, "not the same, as the documentation says"
    assert apart[-1] < 0.02 * apart[0] + 1e-6


def test_a_row_that_was_padded_goes_on_where_it_really_ended() -> None:
    network, y = random_network("esrnn"), random_y(3, STEPS)
    reader, last = Reader(network, y), torch.zeros(3, 1, dtype=torch.long)
    whole, _ = reader.whole()
    zero = network.initial_state(3)
    for length in (2, 9, 22):
        reader.y = torch.where(torch.arange(STEPS) < length, y, torch.nan)
        _, state = reader.read(zero, 0, STEPS, last, torch.full((3,), length))
        reader.y = y
        on, _ = reader.read(state, length, STEPS, _every(y[:, length:]))
        torch.testing.assert_close(on.quantiles, whole.quantiles[:, length:], rtol=1e-5, atol=1e-4)


def test_an_untrained_network_has_the_documented_coefficients_and_one_without_season_smooths_a_level() -> None:
    normaliser, y = _normaliser(()), random_y(2, STEPS).nan_to_num(50.0)
    scales, _ = _read(normaliser, y)
    level = y[:, 0]
    for t in range(1, STEPS):
        level = ALPHA * y[:, t] + (1 - ALPHA) * level
    torch.testing.assert_close(scales.loc[:, -1], level, rtol=1e-6, atol=1e-6)
    assert normaliser.at(scales, _every(y), 5)[0].shape == (2, STEPS, 1)
    lead = torch.full((2, _normaliser().lead), torch.nan, dtype=torch.float64)
    gains = _normaliser().gains(torch.cat([lead, y], dim=1), scales, torch.zeros(2, 2, dtype=torch.float64))
    assert [round(g[0, -1].item(), 6) for g in gains] == [ALPHA, GAMMA]


def _learned_alpha(y: Tensor) -> float:
    """The level's coefficient at the end after training it on the errors of the next step alone."""
    normaliser = _normaliser(())
    optimizer = torch.optim.Adam(normaliser.parameters(), lr=0.1)
    for _ in range(25):
        scales, _ = _read(normaliser, y)
        loss = ((y[:, 1:] - scales.loc[:, :-1]).abs() / scales.scale[:, :-1].clamp(min=1e-3))[:, 5:].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    lead = torch.full((len(y), normaliser.lead), torch.nan, dtype=torch.float64)
    scales, _ = _read(normaliser, y)
    (alpha,) = normaliser.gains(torch.cat([lead, y], dim=1), scales, torch.zeros(len(y), 2, dtype=torch.float64))
    return alpha[:, -1].mean().item()


def test_training_learns_a_high_coefficient_on_random_walks_and_a_low_one_on_noise() -> None:
    noise = torch.randn(8, 40, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    assert _learned_alpha(100 + noise.cumsum(dim=1)) > 0.6
    assert _learned_alpha(100 + noise) < 0.15


def test_coefficients_differ_between_series_that_the_features_tell_apart() -> None:
    normaliser, noise = _normaliser(()), torch.randn(2, 60, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    torch.nn.init.constant_(normaliser.coefficients[-1].weight, 1.0)  # type: ignore[arg-type]
    y = torch.cat([100 + noise[:1].cumsum(dim=1), 100 + noise[1:]])
    lead = torch.full((2, normaliser.lead), torch.nan, dtype=torch.float64)
    scales, _ = _read(normaliser, y)
    (alpha,) = normaliser.gains(torch.cat([lead, y], dim=1), scales, torch.zeros(2, 2, dtype=torch.float64))
    (scaled,) = normaliser.gains(
        1e6 * torch.cat([lead, y], dim=1), _read(normaliser, 1e6 * y)[0], torch.zeros(2, 2, dtype=torch.float64)
    )
    assert (alpha[0, -1] - alpha[1, -1]).abs().item() > 0.01
    torch.testing.assert_close(alpha, scaled, rtol=1e-5, atol=1e-6)


def test_gradients_through_the_whole_network_reach_the_coefficients() -> None:
    network = random_network("esrnn").train()
    _learn(network, random_y(4, STEPS)).backward()
    for name, parameter in network.normaliser.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    "values",
    [[0.0] * STEPS, [7.0] * STEPS, [-7.0] * STEPS, [1e200, -1e200] * 20, [1e-200] * STEPS, [torch.nan] * 39 + [3.0], [1.0, 1e9] * 20,
     [0.0] * 20 + [5.0] * 20, [torch.nan] * STEPS],
    ids=["zero", "constant", "negative", "huge and alternating", "tiny", "one value", "jumping", "late", "missing"],
)  # fmt: skip
def test_awkward_series_have_a_finite_loss_and_finite_gradients(values: list[float]) -> None:
    network = random_network("esrnn").train()
    y = torch.cat([torch.tensor([values], dtype=torch.float64), random_y(1, STEPS)])
    loss = _learn(network, y)
    assert torch.isfinite(loss)
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def _smoothed(encoder: EncoderName) -> Network:
    """A network of any encoder over the smoothing, with random weights and all of its teaching by true values."""
    torch.manual_seed(3)
    settings = NetworkSettings(
        encoder=encoder, lags=12, hidden_size=16, normaliser="exponential_smoothing", forced_steps=100, dropout=0.0
    )
    network = build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=SEASONS, columns=COLUMNS)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.15)
    return network


@pytest.mark.parametrize("encoder", get_args(EncoderName))
def test_gradients_of_every_encoder_over_the_smoothing_are_finite_on_gapped_series(encoder: EncoderName) -> None:
    network = _smoothed(encoder)
    _learn(network.train(), random_y(4, STEPS)).backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


@pytest.mark.parametrize("encoder", get_args(EncoderName))
def test_every_encoder_over_the_smoothing_forecasts_step_by_step_as_in_one_pass(encoder: EncoderName) -> None:
    reader = Reader(_smoothed(encoder).eval(), random_y(3, STEPS))
    whole, _ = reader.whole()
    state = reader.network.initial_state(3)
    for step in range(STEPS):
        one, state = reader.read(state, step, step + 1, torch.zeros(3, 1, dtype=torch.long))
        torch.testing.assert_close(one.quantiles[:, 0], whole.quantiles[:, step], rtol=1e-5, atol=1e-4)


def test_forecasts_of_a_positive_series_scale_exactly_by_a_power_of_two() -> None:
    network, y = random_network("esrnn"), random_y(3, STEPS).abs()
    base, _ = Reader(network, y).whole()
    doubled, _ = Reader(network, y * 1024.0).whole()
    assert torch.equal(doubled.quantiles, base.quantiles * 1024.0)


def test_an_untrained_network_follows_level_times_index() -> None:
    settings = NetworkSettings(encoder="esrnn", lags=12, hidden_size=8)
    network = build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=(4,), columns=COLUMNS).eval()
    with torch.no_grad():
        bias = network.decoder.out.bias.view(HORIZON, -1)  # type: ignore[union-attr, operator]
        assert bias[0].argmax() == network.paths.count, "the path of its own comes after the naive ones"
        bias[:, network.paths.count] = 50.0
    trend = torch.linspace(1.0, 3.0, STEPS, dtype=torch.float64)
    y = (trend * PATTERN.repeat(10))[None]
    reader = Reader(network, y)
    prediction, _ = reader.whole()
    normaliser = network.normaliser
    assert isinstance(normaliser, ExponentialSmoothing)
    scales, _ = _read(normaliser, y)
    loc, _ = normaliser.at(scales, _every(y), HORIZON)
    torch.testing.assert_close(prediction.quantiles[..., 1], loc, rtol=1e-5, atol=1e-4)


def test_the_penalty_is_the_mean_squared_change_of_the_growth_rate() -> None:
    level = torch.tensor([[1.0, 2.0, 4.0, 8.0], [1.0, 2.0, 2.0, 2.0]], dtype=torch.float64)
    one = torch.ones_like(level)
    scales = Scales(level, one, one, (torch.ones_like(level, dtype=torch.bool),))
    expected = 3.0 * (math.log(2) ** 2) / 4  # the first row grows evenly; the second changes its rate once, of four changes
    assert _normaliser(wiggle=3.0).penalty(scales).item() == pytest.approx(expected)
    assert _normaliser().penalty(scales).item() == 0


def test_the_penalty_is_part_of_the_loss_and_smooths_the_level() -> None:
    y = random_y(4, STEPS)
    plain, punished = (_network_with(wiggle) for wiggle in (0.0, 100.0))
    assert _learn(punished, y).item() > _learn(plain, y).item()
    normaliser = punished.normaliser
    assert isinstance(normaliser, ExponentialSmoothing)
    bias = normaliser.coefficients[-1].bias
    assert isinstance(bias, Tensor)
    (gradient,) = torch.autograd.grad(normaliser.penalty(_read(normaliser, y)[0]), [bias])
    assert gradient[0] > 0, "a lower coefficient of the level makes it smoother"


def _network_with(wiggle: float) -> Network:
    torch.manual_seed(0)
    settings = NetworkSettings(encoder="esrnn", lags=12, hidden_size=8, wiggle=wiggle, dropout=0.0)
    return build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=SEASONS, columns=COLUMNS)


def _learn(network: Network, y: Tensor) -> Tensor:
    """The loss of one batch without a lead."""
    reader = Reader(network, y)
    steps = STEPS - HORIZON
    batch: Batch = reader.batch(0, steps, reader.every(0, steps))
    lead = torch.full((len(y), reader.network.lead), torch.nan, dtype=torch.float64)
    return reader.network.loss(batch._replace(y=torch.cat([lead, y], dim=1)))
