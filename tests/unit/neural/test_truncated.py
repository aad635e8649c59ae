"""Truncated back-propagation: segments follow each other, the state goes on, the gradient does not, and memory does not grow."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.interfaces import Batch, Encoder, EncoderState, Encoding
from forecast.networks.network import Network
from forecast.networks.state import NetworkState
from forecast.neural import training
from forecast.neural.checkpoints import SaveRegularly
from forecast.neural.data import SegmentPlan, to_batch
from forecast.neural.training_settings import TrainingSettings
from forecast.neural.walks import Places, WalkBatches
from forecast.windowing.segments import SegmentReader
from tests.unit.networks.worlds import HORIZON, batch_of, random_y
from tests.unit.neural.worlds import quick, ragged_panel

STEPS = 8


def _network(model: str = "gru", **changes: object) -> ForecastingNetwork:
    forecaster = quick(model, **({"dropout": 0.0, "max_steps": 1, "validate_every": 0} | changes))
    forecaster.fit(ragged_panel())
    return forecaster.network


def _settings(**changes: object) -> TrainingSettings:
    return replace(quick(dropout=0.0).training, truncate_after=STEPS, **changes)  # type: ignore[arg-type]


def _walk(panel: Panel, count: int, seed: int = 0) -> list[Places]:
    plan = SegmentPlan(lead=20, horizon=4, batch_size=8, steps=STEPS, stride=4, season_length=7, seed=seed)
    return [places for places, _ in zip(WalkBatches(panel, plan).places(), range(count), strict=False)]


def test_a_row_goes_on_where_it_ended_until_its_series_ends_and_then_begins_another() -> None:
    panel = ragged_panel()
    walk = _walk(panel, 40)
    assert not walk[0].continues.any()
    for before, after in pairwise(walk):
        left = panel.lengths[before.series] - 1 > before.first + STEPS
        np.testing.assert_array_equal(after.continues, left)
        np.testing.assert_array_equal(after.series[left], before.series[left])
        np.testing.assert_array_equal(after.first[left], before.first[left] + STEPS)
        assert (after.first[~left] == 0).all()
    begun = np.concatenate([walk[0].series, *(places.series[~places.continues] for places in walk[1:])])
    assert set(begun) == set(np.flatnonzero(panel.lengths > 1))


def test_batches_depend_on_seed_and_number_alone() -> None:
    panel, network = ragged_panel(), _network()
    plan = training.plan_of(network, panel, _settings())
    straight = [batch for batch, _ in zip(WalkBatches(panel, plan), range(6), strict=False)]
    later = next(iter(WalkBatches(panel, plan, first=4)))
    for name in ("y", "known", "origins", "statistics", "unit", "continues"):
        mine, theirs = (torch.nan_to_num(getattr(batch, name)) for batch in (later, straight[4]))
        assert torch.equal(mine, theirs), name
    other = next(iter(WalkBatches(panel, replace(plan, seed=1))))
    assert not torch.equal(torch.nan_to_num(other.y), torch.nan_to_num(straight[0].y))


@final
class _StepByStep(Encoder):
    """Reads one step after the other and cuts the gradient before step `cut`: a plain loop that detaches."""

    causal = True

    def __init__(self, inner: Encoder, cut: int) -> None:
        super().__init__()
        self.inner, self.cut, self.width = inner, cut, inner.width

    def initial_state(self, batch: int) -> EncoderState:
        return self.inner.initial_state(batch)

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        here, states = self.initial_state(len(inputs)), []
        for t in range(inputs.shape[1]):
            here = tuple(s.detach() for s in here) if t == self.cut else here
            encoding, here = self.inner(inputs[:, t : t + 1], torch.zeros_like(origins[:, :1]), here)
            states.append(encoding.summary)
        memory = torch.cat(states, dim=1)
        return Encoding(memory, None, memory[:, origins[0]]), here


@pytest.mark.parametrize("changes", [{}, {"initial_state": "learned"}])
@pytest.mark.parametrize("model", ["elman", "lstm", "gru", "stacked"])
def test_the_gradient_of_a_segment_is_that_of_a_plain_loop_that_detaches(model: str, changes: dict[str, object]) -> None:
    network = _network(model, horizon=HORIZON, **changes)
    assert isinstance(network, Network)
    network.train()
    whole = batch_of(network, random_y(3, 2 * STEPS + HORIZON).nan_to_num(50.0), 2 * STEPS)
    whole = whole._replace(known=torch.randn(3, 2 * STEPS + HORIZON, len(network.columns.known)))
    second = torch.arange(STEPS, 2 * STEPS).expand(3, -1)
    first, later = (_cut(network, whole, begin) for begin in (0, STEPS))
    _, state = network.loss_onwards(first, None)
    onwards, _ = network.loss_onwards(later._replace(continues=torch.ones(3, dtype=torch.bool)), state.detached())
    mine = torch.autograd.grad(onwards, list(network.parameters()), materialize_grads=True)
    inner = network.encoder
    network.encoder = _StepByStep(inner, STEPS)
    plain = network.loss(whole._replace(origins=second))
    names = [name.replace("encoder.inner", "encoder") for name, _ in network.named_parameters()]
    expected = torch.autograd.grad(plain, list(network.parameters()), materialize_grads=True)
    torch.testing.assert_close(onwards, plain)
    for name, found, wanted in zip(names, mine, expected, strict=True):
        torch.testing.assert_close(found, wanted, msg=name)
    network.encoder = inner
    uncut = torch.autograd.grad(network.loss(whole._replace(origins=second)), list(network.parameters()), materialize_grads=True)
    assert any(not torch.allclose(u, f) for u, f in zip(uncut, mine, strict=True))


def _cut(network: Network, whole: Batch, begin: int) -> Batch:
    """Some STEPS of a batch with what is before them as lead."""
    y = whole.y[:, begin : begin + network.lead + STEPS + HORIZON]
    known = whole.known[:, begin : begin + STEPS + HORIZON]
    return whole._replace(steps=STEPS, y=y, known=known, past=whole.past[:, :STEPS], origins=torch.arange(STEPS).expand(3, -1))


@pytest.mark.parametrize("model", ["gru", "lstm", "dilated", "esrnn"])
def test_the_state_at_the_start_of_a_segment_is_that_of_reading_the_walk_from_its_start(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, network = ragged_panel(), _network(model)
    assert isinstance(network, Network)
    handed: list[NetworkState | None] = []
    original = Network.loss_onwards

    def spy(self: Network, batch: Batch, before: NetworkState | None) -> tuple[Tensor, NetworkState]:
        handed.append(before)
        return original(self, batch, before)

    settings = _settings(learning_rate=0.0, weight_decay=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Network, "loss_onwards", spy)
        training.run(network, panel, settings, 5, [])
    plan = training.plan_of(network, panel, settings)
    walk = [places for places, _ in zip(WalkBatches(panel, plan).places(), range(5), strict=False)]
    reader, begun, compared = SegmentReader.of(panel, network.calendar), walk[0].first, 0
    for places, carried in zip(walk[1:], handed[1:], strict=True):
        begun = np.where(places.continues, begun, places.first)
        for row in np.flatnonzero(places.continues):
            steps = int(places.first[row] - begun[row])
            read = reader.read(places.series[[row]], begun[[row]], lead=network.lead, steps=steps, horizon=network.horizon)
            batch = to_batch(read, steps, np.zeros((1, 1), np.int64), torch.ones(1))
            with torch.no_grad():
                _, expected = network.eval().loss_onwards(batch, None)
            assert carried is not None
            for mine, theirs in zip(
                (*carried.encoder, carried.ring, carried.statistics), (*expected.encoder, *expected[1:]), strict=True
            ):
                torch.testing.assert_close(mine[row], theirs[0], rtol=1e-4, atol=1e-5, equal_nan=True)
            compared += 1
    assert compared > 10


@pytest.mark.parametrize("model", ["gru", "esrnn"])
def test_rows_that_go_on_take_what_is_carried_and_the_others_begin_anew(model: str) -> None:
    network = _network(model, horizon=HORIZON)
    assert isinstance(network, Network)
    batch = batch_of(network, random_y(3, STEPS + HORIZON).nan_to_num(50.0), STEPS)
    batch = batch._replace(known=torch.zeros(3, STEPS + HORIZON, len(network.columns.known)))
    before = network.initial_state(3)
    carried = NetworkState(tuple(s + 0.5 for s in before.encoder), before.ring, before.statistics + 7.0)
    onwards = torch.tensor([True, False, True])
    _, anew = network.loss_onwards(batch, None)
    _, whole = network.loss_onwards(batch._replace(continues=torch.ones_like(onwards)), carried)
    _, mixed = network.loss_onwards(batch._replace(continues=onwards), carried)
    parts = zip(*((*state.encoder, state.statistics) for state in (anew, whole, mixed)), strict=True)
    for fresh, continued, both in parts:
        assert not torch.equal(fresh, continued)
        for row, goes_on in enumerate(onwards.tolist()):
            torch.testing.assert_close(both[row], (continued if goes_on else fresh)[row])


@pytest.mark.parametrize("model", ["lstm", "deepar", "linear"])
def test_a_run_that_is_resumed_carries_its_state_on_and_continues_bitwise(model: str, tmp_path: Path) -> None:
    panel, settings = ragged_panel(), _settings()
    start = {name: value.clone() for name, value in _network(model, dropout=0.3).state_dict().items()}
    modules = []
    for steps, callbacks, resume in (
        (6, [], None),
        (3, [SaveRegularly(tmp_path / "half.ckpt", 3)], None),
        (6, [], tmp_path / "half.ckpt"),
    ):
        network = _network(model, dropout=0.3)
        network.load_state_dict(start)
        modules.append(training.run(network, panel, settings, steps, callbacks, resume=resume))  # type: ignore[arg-type]
    whole, _, resumed = modules
    assert whole.carried is not None
    assert resumed.carried is not None
    pairs = zip((*whole.carried.encoder, *whole.carried[1:]), (*resumed.carried.encoder, *resumed.carried[1:]), strict=True)
    assert all(torch.equal(torch.nan_to_num(a), torch.nan_to_num(b)) for a, b in pairs)
    assert all(torch.equal(value, resumed.network.state_dict()[name]) for name, value in whole.network.state_dict().items())
    assert all(torch.equal(value, resumed.average[name]) for name, value in whole.average.items())


def test_a_state_that_is_not_finite_is_not_carried_on(monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = Network.loss_onwards, [0]

    def once_nan(self: Network, batch: Batch, before: NetworkState | None) -> tuple[Tensor, NetworkState]:
        calls[0] += 1
        loss, state = original(self, batch, before)
        bad = tuple(s * torch.nan for s in state.encoder)
        return (loss * torch.nan, state._replace(encoder=bad)) if calls[0] == 2 else (loss, state)

    monkeypatch.setattr(Network, "loss_onwards", once_nan)
    module = training.run(_network(), ragged_panel(), _settings(), 5, [])
    assert module.skipped_steps == 1
    assert module.carried is not None
    assert all(torch.isfinite(s).all() for s in module.carried.encoder)


def test_a_fit_by_truncated_segments_forecasts_and_is_saved_with_its_settings() -> None:
    forecaster = quick("lstm", truncate_after=12)
    forecaster.fit(ragged_panel())
    assert np.isfinite(forecaster.predict(ragged_panel()).quantiles).all()
    assert forecaster.recipe()["truncate_after"] == 12


def _resident() -> float:
    """Memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def test_memory_does_not_grow_along_a_series_of_20_000_steps() -> None:
    rows, steps = 20_000, 100
    y = 50 + np.sin(np.arange(rows) / 7) + np.random.default_rng(0).normal(size=rows)
    frame = pd.DataFrame({"unique_id": "a", "ds": np.arange(rows), "y": y})
    panel, network = Panel.from_frame(frame, Frequency.parse("integer", (7,))), _network(calendar=False)
    held: list[float] = []

    class Watch(pl.Callback):
        def on_train_batch_end(self, *_: object) -> None:
            held.append(_resident())

    settings = replace(_settings(batch_size=2), truncate_after=200)
    module = training.run(network, panel, settings, steps, [Watch()])
    assert module.carried is not None
    assert not any(s.requires_grad for s in module.carried.encoder)
    assert held[-1] - held[steps // 4] < 20
