"""The measurements of the carried state run, and compare like with like."""

from __future__ import annotations

from typing import get_args

import pytest

from benchmarks import state
from forecast.networks.settings import EncoderName


def test_the_spec_of_every_family_is_printed_with_its_parts() -> None:
    lines = {line["encoder"]: line for line in state.spec()}
    assert set(lines) == set(get_args(EncoderName))
    assert lines["gru"]["bound"] == 128 + 168 + 16
    assert lines["lstm"]["parts"]["encoder.1"] == [128]


def test_an_update_is_measured_beside_predicting_again_with_the_same_forecasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "TRAINED_ON", 8)
    monkeypatch.setattr(state, "TRAINING_STEPS", 1)
    lines = list(state.update(series=6, repeat=1))
    assert lines[0]["what"] == "update"
    assert len(lines) == 4
    assert all(line["difference"] < 1e-5 for line in lines[:3])
    assert all(0 < line["network_cpu_s"] <= line["cpu_s"] for line in lines[:3])


def test_steps_are_left_to_the_module_that_has_them() -> None:
    assert all(line["part"] == "step" for line in state.step() if "note" in line)
