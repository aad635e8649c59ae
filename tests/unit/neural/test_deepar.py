"""Laws of deepar: what it learns, what its paths say of sums, and that chance, order and companions do not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from forecast.core.errors import ModelError
from forecast.core.frequency import Frequency
from forecast.core.holdout import hold_out, targets_after
from forecast.core.panel import Panel
from forecast.networks.autoregressive import AutoregressiveNetwork
from forecast.networks.interfaces import Batch
from forecast.networks.network import Network
from forecast.networks.rollout import noise
from forecast.networks.state import NetworkState
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.sample_paths import sample_paths
from tests.unit.neural.worlds import HORIZON, future_of, quick, ragged_panel

DAILY = Frequency.parse("D", (7,))


def _panel(y: np.ndarray, frequency: Frequency = DAILY) -> Panel:
    """Series as rows: [N, T]."""
    frames = [
        pd.DataFrame({"unique_id": f"s{n:02d}", "ds": pd.date_range("2024-01-01", periods=len(row)), "y": row})
        for n, row in enumerate(y)
    ]
    return Panel.from_frame(pd.concat(frames), frequency)


def _autoregression(rows: int, steps: int, seed: int) -> np.ndarray:
    """y[t] = 0.9 y[t-1] + e[t] around 100, in the long run of deviation 2.3."""
    rng = np.random.default_rng(seed)
    y = np.zeros((rows, steps))
    y[:, 0] = rng.normal(size=rows) / np.sqrt(1 - 0.81)
    for t in range(1, steps):
        y[:, t] = 0.9 * y[:, t - 1] + rng.normal(size=rows)
    return 100 + y


def _learned(panel: Panel, **changes: object) -> NeuralForecaster:
    made = quick("deepar", **{"hidden_size": 24, "max_steps": 80, "validate_every": 0, "segment": 48, "batch_size": 32,
                              "learning_rate": 1e-2, "dropout": 0.0, "average_decay": 0.9, "season_lengths": (), **changes})  # fmt: skip
    made.fit(panel)
    return made


@pytest.fixture(scope="module")
def of_autoregression() -> NeuralForecaster:
    return _learned(_panel(_autoregression(40, 120, 0), Frequency.parse("D")))


@pytest.fixture(scope="module")
def of_counts() -> NeuralForecaster:
    rng = np.random.default_rng(2)
    return _learned(_panel(rng.poisson(0.6, size=(30, 90)).astype(float)), max_steps=30)


def test_an_autoregression_is_forecast_as_it_decays_and_spreads(of_autoregression: NeuralForecaster) -> None:
    panel = _panel(_autoregression(60, 120, 1), Frequency.parse("D"))
    frame = of_autoregression.predict(panel)
    last = np.array([panel.series(n)[-1] for n in range(len(panel))]) - 100
    steps = np.arange(1, HORIZON + 1)
    expected = 100 + last[:, None] * 0.9**steps
    assert np.sqrt(np.mean((frame.mean - expected) ** 2)) < 0.45 * np.sqrt(np.mean((frame.mean.mean() - expected) ** 2))
    deviation = np.sqrt((1 - 0.81**steps) / (1 - 0.81))
    width = (frame.quantiles[..., 2] - frame.quantiles[..., 0]).mean(axis=0) / (2 * 1.2816)
    np.testing.assert_allclose(width, deviation, rtol=0.2)


def test_sums_over_the_paths_spread_as_correlated_steps_do(of_autoregression: NeuralForecaster) -> None:
    panel = _panel(_autoregression(60, 120, 1), Frequency.parse("D"))
    paths = sample_paths(of_autoregression, panel)
    assert paths.shape == (60, 100, HORIZON)
    frame = of_autoregression.predict(panel)
    np.testing.assert_allclose(paths.mean(axis=1), frame.mean, rtol=1e-9)
    steps = np.arange(HORIZON)
    moving = 0.9 ** np.abs(np.subtract.outer(steps, steps)) * (1 - 0.81 ** (1 + np.minimum.outer(steps, steps))) / 0.19
    spread, apart = paths.sum(axis=2).std(axis=1).mean(), np.sqrt(paths.var(axis=1).sum(axis=1)).mean()
    assert spread == pytest.approx(np.sqrt(moving.sum()), rel=0.2)
    assert spread > 1.3 * apart, "as if every step had been drawn on its own"


def test_a_sine_is_forecast_in_phase() -> None:
    t = np.arange(110)
    y = (
        50
        + 20 * np.sin(2 * np.pi * (t[None] + np.arange(20)[:, None]) / 11)
        + np.random.default_rng(1).normal(size=(20, 110)) * 0.2
    )
    panel = _panel(y, Frequency.parse("D"))
    frame = _learned(panel.until(panel.ends - HORIZON)).predict(panel.until(panel.ends - HORIZON))
    assert np.abs(frame.mean - y[:, -HORIZON:]).mean() < 3.0


def test_counts_are_forecast_as_counts_with_exact_zeros(of_counts: NeuralForecaster) -> None:
    rng = np.random.default_rng(3)
    frame = of_counts.predict(_panel(rng.poisson(0.6, size=(30, 90)).astype(float)))
    assert (frame.quantiles == frame.quantiles.round()).all()
    assert (frame.quantiles[..., 0] == 0).all()
    assert (frame.quantiles >= 0).all()
    assert frame.mean.mean() == pytest.approx(0.6, rel=0.35)


def test_the_distribution_is_the_one_that_the_training_panel_asks_for_also_after_restoring(of_counts: NeuralForecaster) -> None:
    fresh = quick("deepar", **{k: v for k, v in of_counts.recipe().items() if k not in ("kind",)})
    fresh.restore(of_counts.weights())
    real = _panel(_autoregression(4, 60, 5) - 99.5)
    counts = _panel(np.random.default_rng(3).poisson(0.6, size=(4, 60)).astype(float))
    for panel in (counts, real):
        np.testing.assert_array_equal(fresh.predict(panel).quantiles, of_counts.predict(panel).quantiles)
        assert (fresh.predict(panel).quantiles == fresh.predict(panel).quantiles.round()).all()
    assert of_counts.recipe()["head"] == "likelihood"


def test_forecasts_are_the_same_again_and_whatever_the_state_of_chance(of_counts: NeuralForecaster) -> None:
    panel = _panel(np.random.default_rng(3).poisson(0.6, size=(9, 90)).astype(float))
    torch.manual_seed(1)
    first = of_counts.predict(panel).quantiles
    torch.manual_seed(2)
    np.testing.assert_array_equal(of_counts.predict(panel).quantiles, first)
    turned = panel.take(np.arange(9)[::-1].copy())
    np.testing.assert_array_equal(of_counts.predict(turned).quantiles, first[::-1])


def test_all_shares_of_probability_are_drawn_from_at_every_step_in_another_order() -> None:
    drawn = noise(50, 7)
    middles = (torch.arange(50) + 0.5) / 50
    assert all(torch.equal(column.sort().values, middles) for column in drawn.T.double().to(middles.dtype))
    correlation = np.corrcoef(drawn.numpy().T) - np.eye(7)
    assert np.abs(correlation).max() < 0.6
    assert torch.equal(noise(50, 7), drawn)


def test_a_backtest_with_every_day_as_cutoff_holds_no_more_paths_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    most: list[int] = []
    original = AutoregressiveNetwork._rolled

    def counted(self: AutoregressiveNetwork, *arguments: object) -> torch.Tensor:
        paths = original(self, *arguments)  # type: ignore[arg-type]
        most.append(paths.shape[0] * paths.shape[1])
        return paths

    monkeypatch.setattr(AutoregressiveNetwork, "_rolled", counted)
    monkeypatch.setattr("forecast.networks.autoregressive.PATHS_AT_ONCE", 64)
    forecaster, panel = quick("deepar", samples=16), ragged_panel(series=9)
    forecaster.fit(panel)
    cutoffs = panel.ends[:, None] - np.arange(30)[::-1]
    frames = list(forecaster.backtest(panel, cutoffs))
    assert sum(len(frame) for frame in frames) == sum(min(30, int(n)) for n in panel.lengths)
    assert max(most) == 64


def test_only_wanted_origins_are_rolled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """One roll-out a series, however many pieces its history has."""
    rows: list[int] = []
    original = AutoregressiveNetwork._rolled

    def counted(self: AutoregressiveNetwork, *arguments: object) -> torch.Tensor:
        paths = original(self, *arguments)  # type: ignore[arg-type]
        rows.append(len(paths))
        return paths

    forecaster, panel = quick("deepar", samples=4), ragged_panel(series=9, longest=400)
    forecaster.fit(panel)
    monkeypatch.setattr(AutoregressiveNetwork, "_rolled", counted)
    forecaster.predict(panel)
    assert sum(rows) == 9


def test_a_known_covariate_of_a_later_step_moves_the_forecasts_from_that_step_on() -> None:
    panel = ragged_panel(series=6, covariates=True)
    forecaster = quick("deepar", max_steps=12, validate_every=0)
    forecaster.fit(panel)
    before, future = forecaster.predict(panel, future_of(panel, 0.0)), future_of(panel, 0.0)
    values = future.values.copy()
    values[2::HORIZON] = 3.0
    after = forecaster.predict(panel, replace(future, values=values))
    moved = (before.quantiles != after.quantiles).any(axis=2)
    assert not moved[:, :2].any()
    assert moved[:, 2:].mean() > 0.8


def test_training_judges_every_step_and_validation_the_h_targets_after_each_cutoff(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Batch] = []
    original = Network.loss_onwards

    def seen(self: Network, batch: Batch, before: NetworkState | None) -> tuple[torch.Tensor, NetworkState]:
        read.append(batch)
        return original(self, batch, before)

    monkeypatch.setattr(Network, "loss_onwards", seen)
    forecaster, panel = quick("deepar", max_steps=1, validate_every=1), ragged_panel(series=6)
    forecaster.fit(panel)
    learned, judged = read[0], read[1]
    assert learned.origins.tolist() == [list(range(learned.steps))] * 8
    assert judged.origins.shape[1] == HORIZON
    assert (judged.origins.diff(dim=1) == 1).all()
    found = judged.y.gather(1, judged.origins + forecaster.network.lead + 1)
    held_back = targets_after(panel, *hold_out(panel, HORIZON).rows(panel), HORIZON)
    np.testing.assert_array_equal(found.numpy(), held_back)


def test_what_cannot_be_drawn_from_is_refused() -> None:
    with pytest.raises(ModelError, match="deepar draws from its head and 'quantile' has no distribution"):
        quick("deepar", head="quantile").fit(ragged_panel())
    with pytest.raises(ModelError, match="samples 0"):
        quick("deepar", samples=0).fit(ragged_panel())
    direct = quick("gru")
    direct.fit(ragged_panel())
    with pytest.raises(ModelError, match="draws no joint paths"):
        sample_paths(direct, ragged_panel())


def test_counts_are_refused_at_fit_where_the_panel_has_none() -> None:
    with pytest.raises(ModelError, match="observed values are no whole numbers"):
        quick("gru", head="negative_binomial").fit(ragged_panel())
    panel = ragged_panel()
    with pytest.raises(ModelError, match=r"of \d+ observed values are negative"):
        quick("deepar", head="zero_inflated").fit(replace(panel, y=panel.y.round() - 60))
