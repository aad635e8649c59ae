"""What is written is what was compared: the files, their metadata, a stream without torch, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import onnx
import pytest

from forecast.core.errors import GateError, ModelError, SinkError, UsageError
from forecast.core.event_calendar import EventCalendar
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.exporting import export as exporting
from forecast.exporting.export import FLOAT_FILE, INT8_FILE, STATE_FILE, export
from forecast.exporting.made_panel import made_panel
from forecast.neural.carried_state import start, step
from forecast.neural.forecaster import NeuralForecaster
from tests.architecture.source_tree import ROOT
from tests.unit.neural.worlds import quick

DAILY = Frequency.parse("D", (7,))


@pytest.fixture(scope="module")
def panel() -> Panel:
    return made_panel(DAILY, Roles(), (7,), 120)


@pytest.fixture(scope="module")
def fitted(panel: Panel) -> NeuralForecaster:
    forecaster = quick(calendar=False, hidden_size=32, mixer=8)
    forecaster.fit(panel)
    return forecaster


def test_the_exports_answer_as_the_original_and_say_what_they_cost(fitted: NeuralForecaster, panel: Panel, tmp_path: Path) -> None:
    original, float32, int8 = export(fitted, panel, tmp_path / "new", version="sample/3", int8=True)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted([FLOAT_FILE, INT8_FILE, STATE_FILE])
    assert float32.relative <= 1e-5
    assert float32.mase == pytest.approx(original.mase, rel=1e-4)
    assert 1e-6 < int8.relative < 0.05
    assert int8.size < float32.size == (tmp_path / "new" / FLOAT_FILE).stat().st_size
    assert float32.microseconds is not None
    facts = {p.key: p.value for p in onnx.load(tmp_path / "new" / INT8_FILE).metadata_props}
    assert (facts["version"], facts["frequency"], facts["horizon"]) == ("sample/3", "D", "4")
    assert json.loads(facts["levels"]) == [0.1, 0.5, 0.9]


@pytest.mark.parametrize(("model", "roles"), [("elman", Roles()), ("lstm", Roles(("promo",), ("visits",), ("area",)))])
def test_models_with_covariates_and_a_calendar_are_exported_too(model: str, roles: Roles, tmp_path: Path) -> None:
    panel, forecaster = made_panel(DAILY, roles, (7,), 120), quick(model)
    forecaster.fit(panel)
    assert forecaster.network.calendar
    assert export(forecaster, panel, tmp_path, version="1")[1].relative <= 1e-5


def test_a_model_that_was_told_of_events_is_compared_with_them_on_a_panel_that_brings_none(tmp_path: Path) -> None:
    panel, forecaster = made_panel(DAILY, Roles(), (7,), 120), quick("gru")
    first = DAILY.stamps(panel.starts[:1])[0].astype("datetime64[D]").astype(object)
    days = [first + timedelta(days=7 * week) for week in range(20)]
    forecaster.fit(replace(panel, calendar=EventCalendar.of(events={"market": days})))
    assert export(forecaster, panel, tmp_path, version="1")[1].relative <= 1e-5


def test_a_model_that_answers_differently_is_not_written(
    fitted: NeuralForecaster, panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "TOLERANCE", 0.0)
    with pytest.raises(GateError, match="nothing was written"):
        export(fitted, panel, tmp_path / "new", version="1")
    assert not (tmp_path / "new").exists()


def test_other_models_short_panels_and_places_that_cannot_be_written_are_refused(
    fitted: NeuralForecaster, panel: Panel, tmp_path: Path
) -> None:
    other = quick("stacked")
    other.fit(panel)
    with pytest.raises(ModelError, match="the encoder 'stacked'"):
        export(other, panel, tmp_path, version="1")
    with pytest.raises(UsageError, match="none of the 8 series has the 29 rows"):
        export(fitted, panel.tail(20), tmp_path, version="1")
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="choose another place"):
        export(fitted, panel, tmp_path / "file", version="1")


def test_the_example_forecasts_a_stream_without_torch(fitted: NeuralForecaster, panel: Panel, tmp_path: Path) -> None:
    export(fitted, panel, tmp_path, version="1")
    y = panel.series(0)[:20].copy()
    y[7] = np.nan
    lines = "\n".join("" if np.isnan(v) else repr(float(v)) for v in y) + "\n"
    blocked = "import sys\nfor name in ('torch', 'pandas', 'forecast'):\n    sys.modules[name] = None\n"
    (tmp_path / "sitecustomize.py").write_text(blocked)
    program = [sys.executable, str(ROOT / "examples" / "stream_onnx.py"), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(program, input=lines, capture_output=True, text=True, check=True, env=environment)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    state = start(fitted, panel.take(np.array([0])).until(int(panel.starts[0])))
    carried = state.network
    assert len(answers) == 20
    for t, value in enumerate(y[1:], start=1):
        mean, quantiles, carried = step(fitted, carried, np.array([value]))
        np.testing.assert_allclose(answers[t]["mean"], mean[0], rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(answers[t]["0.9"], quantiles[0, :, 2], rtol=1e-4, atol=1e-3)
