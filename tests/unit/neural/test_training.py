"""Laws of training: what it may see, what makes it the same twice, and what it does with numbers that are not finite."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from forecast.core.arrays import FloatArray
from forecast.core.errors import ModelError
from forecast.core.holdout import hold_out
from forecast.core.panel import Panel
from forecast.networks.interfaces import Batch
from forecast.networks.network import Network
from forecast.neural import choosing, training
from forecast.neural.checkpoints import SaveRegularly
from forecast.neural.data import SegmentBatches
from forecast.neural.module import ForecastingModule
from tests.unit.neural.worlds import HORIZON, quick, ragged_panel


def _network() -> Network:
    torch.manual_seed(1)
    forecaster = quick()
    forecaster.fit(ragged_panel())
    network = forecaster.network
    assert isinstance(network, Network)
    return network


def _plant(panel: Panel, rows_from_end: int, value: float) -> Panel:
    y = panel.y.copy()
    for end, length in zip(panel.offsets[1:], panel.lengths, strict=True):
        y[end - min(rows_from_end, length) : end] = value
    return replace(panel, y=y)


def _equal(mine: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(mine[name], theirs[name]) for name in mine)


def _plant_held_back(panel: Panel, value: float) -> Panel:
    y = panel.y.copy()
    for end, stop in zip(hold_out(panel, HORIZON).ends - panel.starts, panel.offsets[1:], strict=True):
        begin = int(panel.offsets[np.searchsorted(panel.offsets, stop) - 1] + end + 1)
        y[begin:stop] = value
    return replace(panel, y=y)


def test_the_run_that_chooses_the_steps_never_sees_the_rows_that_are_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[dict[str, torch.Tensor]] = []
    original = training.run

    def spy(*args: object, **kwargs: object) -> ForecastingModule:
        module = original(*args, **kwargs)  # type: ignore[arg-type]
        learned.append({name: value.clone() for name, value in module.average.items()})
        return module

    monkeypatch.setattr(training, "run", spy)
    panel = ragged_panel()
    quick().fit(panel)
    quick().fit(_plant_held_back(panel, 1e9))
    assert len(learned) == 4, "each fit trains twice: to choose the steps, then on all rows"
    assert _equal(learned[0], learned[2]), "the first run sees nothing of what is held back"
    assert not _equal(learned[1], learned[3]), "the second run learns from them"


def test_values_after_the_training_part_leave_the_weights_bitwise_equal() -> None:
    panel = ragged_panel()
    cutoff = panel.ends - 10
    first, second = quick(), quick()
    first.fit(panel.until(cutoff))
    second.fit(_plant(panel, 10, 1e9).until(cutoff))
    for name, weight in first.weights().items():
        np.testing.assert_array_equal(weight, second.weights()[name])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    panel = ragged_panel()
    first, second, other = quick(), quick(), quick(seed=5)
    for forecaster in (first, second, other):
        forecaster.fit(panel)
    name = "decoder.out.weight"
    np.testing.assert_array_equal(first.weights()[name], second.weights()[name])
    assert not np.array_equal(first.weights()[name], other.weights()[name])


def test_a_run_that_is_resumed_continues_bitwise(tmp_path: Path) -> None:
    panel, settings = ragged_panel(), quick(dropout=0.3).training
    start = {name: value.clone() for name, value in _network().state_dict().items()}
    once, twice = _network(), _network()
    once.load_state_dict(start)
    twice.load_state_dict(start)
    whole = training.run(once, panel, settings, 6, [])
    training.run(twice, panel, settings, 3, [SaveRegularly(tmp_path / "half.ckpt", 3)])
    fresh = _network()
    resumed = training.run(fresh, panel, settings, 6, [], resume=tmp_path / "half.ckpt")
    assert _equal(dict(once.state_dict()), dict(fresh.state_dict()))
    assert _equal(whole.average, resumed.average)


def test_a_loss_that_is_not_finite_is_skipped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    panel, network = ragged_panel(), _network()
    original, calls = Network.loss, [0]

    def sometimes_nan(self: Network, batch: object) -> torch.Tensor:
        calls[0] += 1
        loss = original(self, batch)  # type: ignore[arg-type]
        return loss * torch.nan if calls[0] == 2 else loss

    monkeypatch.setattr(Network, "loss", sometimes_nan)
    module = training.run(network, panel, quick().training, 4, [])
    assert module.skipped_steps == 1
    assert all(torch.isfinite(value).all() for value in module.average.values())


def test_training_that_diverges_is_an_error_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "averaged_loss", lambda module, batch: float("nan"))
    with pytest.raises(ModelError, match="lower the learning rate"):
        quick().fit(ragged_panel())


def test_the_steps_with_the_lowest_validation_loss_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([0.5, 0.7])
    monkeypatch.setattr(choosing, "averaged_loss", lambda module, batch: next(losses))
    forecaster = quick()
    forecaster.fit(ragged_panel())
    assert forecaster.steps_taken == 3


def test_half_as_many_steps_must_gain_a_share_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    for first, taken in ((0.995, 6), (0.98, 3)):
        losses = iter([first, 1.0])
        monkeypatch.setattr(choosing, "averaged_loss", lambda module, batch, losses=losses: next(losses))
        forecaster = quick()
        forecaster.fit(ragged_panel())
        assert forecaster.steps_taken == taken


def test_forecasts_of_the_rows_held_back_come_from_a_network_that_had_not_seen_them() -> None:
    panel = ragged_panel()
    first, second = quick(), quick()
    held, planted = first.fit_and_validate(panel), second.fit_and_validate(_plant_held_back(panel, 1e9))
    assert held is not None
    assert planted is not None
    series, cutoffs = hold_out(panel, HORIZON).rows(panel)
    np.testing.assert_array_equal(held.cutoffs, cutoffs)
    np.testing.assert_array_equal(held.ids, panel.ids[series])
    np.testing.assert_array_equal(held.quantiles, planted.quantiles)
    again = first.predict(panel)
    plain = quick()
    plain.fit(panel)
    np.testing.assert_array_equal(plain.predict(panel).quantiles, again.quantiles)


def test_training_reports_its_curve_to_the_sink() -> None:
    class Curve:
        def __init__(self) -> None:
            self.points: list[tuple[str, int]] = []

        def log(self, name: str, value: float, step: int) -> None:
            self.points.append((name, step))

    curve = Curve()
    quick(sink=curve).fit(ragged_panel())
    assert curve.points == [("validation_loss", 3), ("validation_loss", 6)]


def test_gradients_are_clipped_by_norm() -> None:
    panel = ragged_panel()
    start = {name: value.clone() for name, value in _network().state_dict().items()}

    def moved(clip_norm: float) -> float:
        network = _network()
        network.load_state_dict(start)
        training.run(network, panel, replace(quick().training, clip_norm=clip_norm, weight_decay=0.0), 1, [])
        return max(float((value.detach() - start[name]).abs().max()) for name, value in network.named_parameters())

    assert moved(1e-12) < moved(1.0) / 100  # Adam divides by the gradient's own size, but not below its epsilon


def test_a_panel_without_two_rows_in_a_series_cannot_be_learned_from() -> None:
    with pytest.raises(ModelError, match="nothing to learn"):
        quick().fit(ragged_panel(series=1))


def test_a_learner_beats_the_seasonal_naive_on_a_noisy_season() -> None:
    panel = ragged_panel(series=30, longest=120)
    panel = panel.take(np.flatnonzero(panel.lengths >= 40))
    forecaster = quick(max_steps=150, validate_every=50, hidden_size=16, batch_size=16)
    cutoffs = panel.ends[:, None] - np.array([12, 8, HORIZON])
    forecaster.fit(panel.until(cutoffs[:, 0]))
    network, naive = [], []
    for frame in forecaster.backtest(panel, cutoffs):
        for uid, cutoff, mean in zip(frame.ids, frame.cutoffs, frame.mean, strict=True):
            position = int(np.searchsorted(panel.ids, uid))
            series: FloatArray = panel.series(position)
            first = cutoff - panel.starts[position] + 1
            truth = series[first : first + HORIZON]
            network.append(np.abs(truth - mean))
            naive.append(np.abs(truth - series[first - 7 : first - 7 + HORIZON]))
    both = np.isfinite(network) & np.isfinite(naive)
    assert np.mean(np.array(network)[both]) < 0.85 * np.mean(np.array(naive)[both])


def test_batches_depend_on_seed_and_number_alone() -> None:
    panel, network = ragged_panel(), _network()
    batches = SegmentBatches(panel, training.plan_of(network, panel, quick().training))
    straight = [batch.y for batch, _ in zip(batches, range(3), strict=False)]
    assert torch.equal(torch.nan_to_num(batches.batch(2).y), torch.nan_to_num(straight[2]))
    assert not torch.equal(torch.nan_to_num(straight[0]), torch.nan_to_num(straight[1]))


def test_a_short_budget_takes_fewer_steps_and_a_long_one_all() -> None:
    panel, network, settings = ragged_panel(), _network(), replace(quick().training, max_steps=100_000)
    short = training.within_budget(network, panel, settings, 5.0)
    assert training.MIN_STEPS <= short.max_steps < 100_000
    assert short.validate_every <= short.max_steps
    assert training.within_budget(network, panel, quick(max_steps=30).training, 3600.0).max_steps == 30


def test_an_interrupted_fit_goes_on_from_its_checkpoints_and_ends_bitwise_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, whole, cut = ragged_panel(), quick(), quick(checkpoints=str(tmp_path))
    whole.fit(panel)
    original, calls = Network.loss, [0]

    def interrupted(self: Network, batch: Batch) -> torch.Tensor:
        calls[0] += self.training
        if calls[0] == 5:
            raise InterruptedError
        return original(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Network, "loss", interrupted)
        with pytest.raises(InterruptedError):
            cut.fit(panel)
    taken: list[int] = []
    monkeypatch.setattr(ForecastingModule, "on_train_start", lambda self: taken.append(self.global_step), raising=False)
    cut.fit(panel)
    assert taken[0] == 3, "the first phase goes on after its third step"
    for name, value in whole.weights().items():
        np.testing.assert_array_equal(cut.weights()[name], value)


def test_segments_reach_from_the_first_row_to_the_last() -> None:
    panel, network = ragged_panel(), _network()
    plan = training.plan_of(network, panel, quick(stride=1).training)
    firsts, lasts = set[float](), set[float]()
    rows = replace(panel, y=np.arange(panel.rows, dtype=float))  # a value says which row it is
    batches = SegmentBatches(rows, plan)
    for number in range(60):
        batch = batches.batch(number)
        firsts |= set(batch.y[:, plan.lead].tolist())
        lasts |= set(np.nanmax(batch.y.numpy(), axis=1))
    learnable = np.flatnonzero(panel.lengths > 1)
    assert firsts >= set(panel.offsets[learnable].astype(float))
    assert lasts >= set((panel.offsets[learnable + 1] - 1).astype(float))
    assert max(firsts - set(panel.offsets.astype(float))) > 0, "segments also begin inside a series"


def test_training_in_mixed_precision_ends_near_training_in_full_precision() -> None:
    panel, full, mixed = ragged_panel(), quick(), quick(precision="bf16-mixed")
    full.fit(panel)
    mixed.fit(panel)
    name = "decoder.out.weight"
    assert not np.array_equal(full.weights()[name], mixed.weights()[name])
    assert mixed.weights()[name].dtype == np.float32
    reference = full.predict(panel).quantiles
    np.testing.assert_allclose(mixed.predict(panel).quantiles, reference, rtol=0.05, atol=0.5)


def test_networks_that_differ_in_anything_never_meet_each_others_checkpoints(tmp_path: Path) -> None:
    panel = ragged_panel()
    changes: list[dict[str, object]] = [{}, {"loss_weight": "level"}, {"levels": (0.2, 0.5, 0.8)}, {"seed": 3}]
    for change in changes:
        quick("gru", **({"checkpoints": str(tmp_path)} | change)).fit(panel)
    assert len(list(tmp_path.iterdir())) == len(changes)


def test_a_training_that_was_finished_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel, first, second = ragged_panel(), quick(checkpoints=str(tmp_path)), quick(checkpoints=str(tmp_path))
    first.fit(panel)
    trained = [0]
    original = Network.loss

    def counted(self: Network, batch: Batch) -> torch.Tensor:
        trained[0] += self.training
        return original(self, batch)

    monkeypatch.setattr(Network, "loss", counted)
    second.fit(panel)
    assert trained[0] == 0
    for name, value in first.weights().items():
        np.testing.assert_array_equal(second.weights()[name], value)


def test_skipped_steps_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[tuple[str, float]] = []

    class Reported:
        def log(self, name: str, value: float, step: int) -> None:
            reported.append((name, value))

    original, calls = Network.loss, [0]

    def once_nan(self: Network, batch: Batch) -> torch.Tensor:
        calls[0] += 1
        loss = original(self, batch)
        return loss * torch.nan if calls[0] == 2 else loss

    monkeypatch.setattr(Network, "loss", once_nan)
    quick(sink=Reported(), validate_every=0).fit(ragged_panel())
    assert ("skipped_steps", 1) in reported
