"""What a state refuses, what it keeps for late corrections, and that it survives the disk byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import (
    DataError,
    ModelError,
    RowsBeforeState,
    StateDamaged,
    StateError,
    StateOfAnotherGrid,
    StateOfAnotherModel,
    StateTooOld,
)
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.factory import build_forecaster, load_state, save_state
from forecast.neural.advance import advance
from forecast.neural.burn_in import measured_burn_in, states_inside
from forecast.neural.carried_state import default_snapshot_steps, start, step, update
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.hidden_states import hidden_states, hidden_states_by_step, state_spec
from forecast.neural.inference import feed_panel, piece_steps, read_piece
from forecast.neural.state_value import CarriedState, model_version
from tests.unit.neural.worlds import quick, ragged_panel

STEPS = 5


@pytest.fixture(scope="module")
def gru() -> NeuralForecaster:
    forecaster = quick()
    forecaster.fit(ragged_panel())
    return forecaster


def _panel(series: int = 9) -> Panel:
    panel = ragged_panel(series=series, longest=90, seed=4)
    return panel.take(np.flatnonzero(panel.lengths > 40))


def _yesterday(panel: Panel, back: int = 1) -> Panel:
    return panel.until(panel.ends - back)


def _begun(forecaster: NeuralForecaster, back: int = 1) -> tuple[CarriedState, Panel]:
    """A state `back` rows before the end, and the rows after it."""
    panel = _panel()
    return start(forecaster, _yesterday(panel, back), snapshot_steps=STEPS), panel.after(panel.ends - back)


def test_rows_that_come_again_corrected_are_read_again_from_the_snapshot(gru: NeuralForecaster) -> None:
    panel = _panel()
    state, _ = _begun(gru)
    y = panel.y.copy()
    y[panel.offsets[1:] - 1 - 3] = 60.0
    y[panel.offsets[1:] - 1 - 2] = 21.0
    corrected = replace(panel, y=y)
    rows = corrected.after(corrected.ends - 4)
    blank = rows.y.copy()
    blank[rows.offsets[1:] - 1 - 2] = np.nan  # a value that does not come again stays
    expected = y.copy()
    expected[panel.offsets[1:] - 1 - 2] = panel.y[panel.offsets[1:] - 1 - 2]
    frame, after = update(gru, state, replace(rows, y=blank))
    cold = gru.predict(replace(panel, y=expected))
    np.testing.assert_allclose(frame.quantiles, cold.quantiles, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(after.now.digests, start(gru, replace(panel, y=expected)).now.digests)


def test_a_correction_alone_changes_the_forecast_and_leaves_the_end(gru: NeuralForecaster) -> None:
    panel = _panel()
    state = start(gru, panel, snapshot_steps=STEPS)
    y = panel.y.copy()
    y[panel.offsets[1:] - 1 - 2] = 70.0
    corrected = replace(panel, y=y)
    frame, after = update(gru, state, corrected.after(corrected.ends - 3).until(corrected.ends - 2))
    np.testing.assert_array_equal(after.ends, state.ends)
    np.testing.assert_allclose(frame.quantiles, gru.predict(corrected).quantiles, rtol=1e-5, atol=1e-4)


def test_the_snapshot_stays_within_reach_however_many_rows_come_at_once(gru: NeuralForecaster) -> None:
    panel, cuts = _panel(), (38, 37, 35, 31, 30, 26, 20, 9, 8, 4, 0)
    state, before = start(gru, _yesterday(panel, 39), snapshot_steps=STEPS), 39
    for cut in cuts:
        rows = _yesterday(panel, cut)
        _, state = update(gru, state, rows.after(panel.ends - before))
        back, before = state.ends - state.snapshot.ends, cut
        assert ((back >= np.minimum(STEPS, state.counts)) & (back <= 3 * STEPS)).all()
        np.testing.assert_array_equal(state.recent.starts, state.snapshot.ends + 1)
        np.testing.assert_array_equal(state.recent.y, rows.after(state.snapshot.ends).y)
        _, network = feed_panel(gru.network, state.recent, state.snapshot.network)
        for mine, theirs in zip(network.named().values(), state.network.named().values(), strict=True):
            np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-5)


def test_rows_from_before_the_snapshot_are_refused_with_their_ids(gru: NeuralForecaster) -> None:
    state, _ = _begun(gru)
    with pytest.raises(RowsBeforeState, match=r"reach back to before the snapshot, 5 steps .*\['s0.*\(6 in all\); start") as caught:
        update(gru, state, _panel())
    assert caught.value.ids == tuple(state.ids)
    assert caught.value.total == len(state)


def test_a_state_older_than_allowed_is_refused_with_the_ids(gru: NeuralForecaster) -> None:
    state, rows = _begun(gru, back=9)
    with pytest.raises(StateTooOld, match=r"9 steps before the rows do, 8 are allowed: \['s0"):
        update(gru, state, rows, max_age=8)
    update(gru, state, rows, max_age=9)


def test_a_state_of_another_model_is_refused_with_the_ids(gru: NeuralForecaster) -> None:
    state, rows = _begun(gru)
    other = quick()
    weights = dict(gru.weights())
    weights["decoder.out.bias"] = weights["decoder.out.bias"] + 1e-3
    other.restore(weights)
    for act in (update, advance):
        with pytest.raises(StateOfAnotherModel, match=f"made by the model {model_version(gru)[:12]} and given to .*\\['s0"):
            act(other, state, rows)
    assert model_version(gru) == state.model != model_version(other)


def test_rows_of_another_frequency_are_refused_with_the_ids(gru: NeuralForecaster) -> None:
    state, rows = _begun(gru)
    for act in (update, advance):
        with pytest.raises(StateOfAnotherGrid, match=r'"frequency": "D".*"frequency": "h".*\[\'s0') as caught:
            act(gru, state, replace(rows, frequency=Frequency.parse("h")))
        assert isinstance(caught.value, StateError)
        assert caught.value.exit_code == 65


def test_other_series_than_the_states_are_refused(gru: NeuralForecaster) -> None:
    state, rows = _begun(gru)
    with pytest.raises(DataError, match="or use advance"):
        update(gru, state, rows.take(np.array([0, 1])))
    with pytest.raises(DataError, match="no series"):
        start(gru, rows.take(np.zeros(0, dtype=np.int64)))
    with pytest.raises(ModelError, match="snapshot_steps is 0"):
        start(gru, rows, snapshot_steps=0)


def test_an_encoder_that_reads_its_whole_window_says_so(gru: NeuralForecaster, monkeypatch: pytest.MonkeyPatch) -> None:
    state, rows = _begun(gru)
    monkeypatch.setattr(gru.network, "carries", False)
    says = "^the gru encoder reads its whole window; use predict$"
    for act in (lambda: start(gru, rows), lambda: update(gru, state, rows), lambda: advance(gru, state, rows),
                lambda: step(gru, state.network, rows.y, rows.ends), lambda: state_spec(gru)):  # fmt: skip
        with pytest.raises(ModelError, match=says):
            act()


@pytest.mark.parametrize("model", ["auto", "seasonal_naive"])
def test_a_model_without_a_state_says_so(model: str) -> None:
    other = build_forecaster(model, horizon=4, levels=(0.1, 0.5, 0.9), season_lengths=(7,))
    with pytest.raises(ModelError, match="reads whole histories each time and carries no state; use predict"):
        start(other, _panel())


def test_a_start_from_the_end_of_a_history_equals_one_from_all_of_it() -> None:
    for model in ("elman", "lstm", "linear"):
        forecaster = quick(model, hidden_size=4)
        forecaster.fit(ragged_panel(series=20, longest=400))
        assert forecaster.burn_in is not None
        assert forecaster.burn_in & (forecaster.burn_in - 1) == 0
        panel = ragged_panel(series=9, longest=390, seed=8)
        y = panel.y.copy()
        y[panel.offsets[:-1]] = 1e4  # count and mean of |y| are of all rows, not of the tail
        panel = replace(panel, y=y)
        state, rows = start(forecaster, _yesterday(panel.take(np.flatnonzero(panel.lengths > 1)))), panel.after(panel.ends - 1)
        rows = rows.take(np.flatnonzero(panel.lengths > 1))
        frame, _ = update(forecaster, state, rows)
        cold = forecaster.predict(panel.take(np.flatnonzero(panel.lengths > 1)))
        np.testing.assert_allclose(frame.quantiles, cold.quantiles, rtol=1e-5, atol=1e-4)


def test_a_start_reads_no_more_than_the_lead_and_the_burn_in_and_the_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    forecaster, panel = quick("linear"), _panel()
    fed: list[int] = []
    forecaster.fit(ragged_panel(series=20, longest=200))

    def counted(*given: Any) -> Any:
        fed.append(given[1].rows)
        return feed_panel(*given)

    monkeypatch.setattr("forecast.neural.state_reading.feed_panel", counted)
    start(forecaster, panel, snapshot_steps=STEPS)
    assert forecaster.burn_in == 1
    assert sum(fed) == len(panel) * (STEPS + 1)
    setattr(forecaster, "burn_in", None)  # noqa: B010 - the type checker would take it for None for good
    start(forecaster, panel, snapshot_steps=STEPS)
    assert sum(fed) == len(panel) * (STEPS + 1) + panel.rows


def test_the_burn_in_is_where_the_beginning_stops_to_matter_and_travels_with_the_weights() -> None:
    forecaster, panel = quick("elman", hidden_size=4), ragged_panel(series=20, longest=400)
    forecaster.fit(panel)
    steps = forecaster.burn_in or 0
    assert steps > 4
    long = panel.take(np.flatnonzero(panel.lengths > 4 * steps))
    whole = forecaster.predict(long).quantiles
    for count, near in ((steps, True), (steps // 4, False)):
        first = long.lengths - count
        block, _ = feed_panel(forecaster.network, long.tail(count), states_inside(forecaster.network, long, first))
        assert (float((np.abs(block.quantiles - whole) / np.abs(whole)).max()) < 1e-5) is near
    copy = quick("elman", hidden_size=4)
    copy.restore(forecaster.weights())
    assert copy.burn_in == steps
    older = quick("elman", hidden_size=4)
    older.restore({name: values for name, values in forecaster.weights().items() if name != "burn_in"})
    assert older.burn_in is None
    assert measured_burn_in(forecaster.network, ragged_panel(series=3)) is None


def test_a_series_is_computed_in_pieces_that_its_own_length_chooses(gru: NeuralForecaster, monkeypatch: pytest.MonkeyPatch) -> None:
    np.testing.assert_array_equal(piece_steps(np.array([1, 2, 3, 5, 64, 65, 128, 4000])), [1, 2, 4, 8, 64, 128, 128, 128])
    panel = _panel()
    state = start(gru, _yesterday(panel, 9), snapshot_steps=STEPS)
    lengths = np.arange(len(panel)) % 4 + 1
    ragged = panel.after(panel.ends - 9).until(panel.ends - 9 + lengths)
    sizes: list[int] = []

    def noted(*given: Any) -> Any:
        sizes.append(given[2].past.shape[1])
        return read_piece(*given)

    monkeypatch.setattr("forecast.neural.inference.read_piece", noted)
    mixed, _ = update(gru, state, ragged)
    assert sizes == [1, 2, 4]
    alike = np.flatnonzero(lengths == 3)
    few = start(gru, _yesterday(panel.take(alike), 9), snapshot_steps=STEPS)
    alone, _ = update(gru, few, ragged.take(alike))
    np.testing.assert_array_equal(mixed.quantiles[alike], alone.quantiles)


AWKWARD = ["001", "NA", "null", "emoji \N{ROCKET}", "x" * 300, "a\0b", "tab\tquote\"'"]


def test_a_saved_state_is_the_same_to_the_bit_whatever_the_ids(gru: NeuralForecaster, tmp_path: Path) -> None:
    panel = _panel().take(np.arange(6))
    frames = [panel.take(np.array([n])).to_frame().assign(unique_id=uid) for n, uid in enumerate(AWKWARD[:6])]
    named = Panel.from_frame(pd.concat(frames), panel.frequency)
    state = start(gru, _yesterday(named), snapshot_steps=STEPS)
    save_state(tmp_path / "s", state)
    loaded = load_state(tmp_path / "s")
    assert list(loaded.ids) == sorted(AWKWARD[:6])
    first, after = update(gru, state, named.after(named.ends - 1))
    second, again = update(gru, loaded, named.after(named.ends - 1))
    assert first.quantiles.tobytes() == second.quantiles.tobytes()
    for name in ("now", "middle", "snapshot"):
        mine, theirs = getattr(after, name), getattr(again, name)
        np.testing.assert_array_equal(mine.ends, theirs.ends)
        np.testing.assert_array_equal(mine.digests, theirs.digests)
        for part, tensor in mine.network.named().items():
            assert tensor.numpy().tobytes() == theirs.network.named()[part].numpy().tobytes()
    save_state(tmp_path / "t", loaded)
    for file in (tmp_path / "s").iterdir():
        assert file.read_bytes() == (tmp_path / "t" / file.name).read_bytes()


def test_a_saved_state_with_any_byte_changed_or_missing_is_refused(gru: NeuralForecaster, tmp_path: Path) -> None:
    save_state(tmp_path / "s", _begun(gru)[0])
    for name in ("manifest.json", "facts.json", "state.safetensors"):
        path = tmp_path / "s" / name
        data = path.read_bytes()
        for broken in (data[:-7], data[: len(data) // 2], data[:40] + bytes([data[40] ^ 1]) + data[41:], b""):
            path.write_bytes(broken)
            with pytest.raises(StateDamaged, match="nothing of it was used"):
                load_state(tmp_path / "s")
        path.unlink()
        with pytest.raises(StateDamaged, match="in the place of"):
            load_state(tmp_path / "s")
        path.write_bytes(data)
    load_state(tmp_path / "s")


def test_the_hidden_states_are_a_table_and_those_of_every_step_end_in_them(gru: NeuralForecaster) -> None:
    panel = _panel()
    last, every = hidden_states(start(gru, panel)), hidden_states_by_step(gru, panel)
    assert list(last.columns) == ["unique_id", "ds", *(f"h{n}" for n in range(8))]
    assert list(last["unique_id"]) == list(panel.ids)
    assert len(every) == panel.rows
    pd.testing.assert_frame_equal(every[["unique_id", "ds"]], panel.to_frame()[["unique_id", "ds"]])
    ends = every.groupby("unique_id", sort=True).tail(1).reset_index(drop=True)
    np.testing.assert_array_equal(ends["ds"], last["ds"])
    np.testing.assert_allclose(ends.iloc[:, 2:], last.iloc[:, 2:], rtol=1e-4, atol=1e-5)
    linear = quick("linear")
    linear.fit(ragged_panel())
    with pytest.raises(ModelError, match="no hidden states"):
        hidden_states(start(linear, panel))


def test_the_spec_names_what_is_carried_of_one_series(gru: NeuralForecaster) -> None:
    state, _ = _begun(gru)
    assert state_spec(gru) == {"encoder.0": (8,), "ring": (gru.network.lead,), "statistics": (2,)}
    assert sum(gru.state_floats.values()) == state.network.floats_per_series()
    assert default_snapshot_steps(Frequency.parse("D")) == 14
    assert default_snapshot_steps(Frequency.parse("YS")) == 8
    assert default_snapshot_steps(Frequency.parse("min")) == 48
