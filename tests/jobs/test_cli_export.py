"""`forecast export` from a saved model to files, and what it answers where it cannot."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import onnx
import pytest

from forecast.core.frequency import Frequency
from forecast.core.panel import Roles
from forecast.exporting.made_panel import made_panel
from forecast.neural.registry import NEURAL
from forecast.storage.bundle import save_bundle
from forecast.tracking.registry import Registry
from forecast.tracking.store import Store
from tests.jobs.command_line import run
from tests.unit.tracking.test_registry import register

DAILY = Frequency.parse("D", (7,))


def _bundle(folder: Path, model: str = "gru", roles: Roles | None = None) -> Path:
    panel = made_panel(DAILY, roles or Roles(), (7,), 120)
    arguments = {"hidden_size": 8, "lags": 14, "max_steps": 4, "validate_every": 2, "batch_size": 8, "layers": 2}
    forecaster = NEURAL[model](horizon=4, season_lengths=(7,), **arguments)
    forecaster.fit(panel)
    save_bundle(folder, forecaster, frequency=DAILY, roles=panel.roles, training_cutoff="-", panel_fingerprint="-", profile={})
    return folder


def test_a_bundle_is_exported_and_the_table_says_what_each_file_is_worth(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path / "bundle")
    made_panel(DAILY, Roles(), (7,), 90).to_frame().to_csv(tmp_path / "y.csv", index=False)
    for extra in ((), ("--data", tmp_path / "y.csv")):
        ran = run("export", bundle, "--int8", "--output", tmp_path / "out", *extra)
        assert ran.code == 0, ran.err
        assert all(word in ran.out for word in ("step.onnx", "step_int8.onnx", "MASE", "KiB"))
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"step.onnx", "step_int8.onnx", "initial_state.npz"}


def test_a_model_of_the_registry_is_named_by_its_alias(tmp_path: Path) -> None:
    store = Store.at(tmp_path / "mlflow")
    Registry(store).set_champion("sales", register(store, _bundle(tmp_path / "bundle")))
    ran = run("export", "sales@champion", "--tracking", store.uri, "--output", tmp_path / "out")
    assert ran.code == 0, ran.err
    facts = {entry.key: entry.value for entry in onnx.load(tmp_path / "out" / "step.onnx").metadata_props}
    assert facts["version"].startswith("sales/1@")


def test_what_cannot_be_exported_is_named(tmp_path: Path) -> None:
    ran = run("export", tmp_path / "nothing", "--output", tmp_path / "out")
    assert (ran.code, "NAME@ALIAS" in ran.err) == (69, True)
    ran = run("export", _bundle(tmp_path / "stacked", "stacked"), "--output", tmp_path / "out")
    assert (ran.code, "a model of kind 'stacked'" in ran.err) == (2, True)
    static = _bundle(tmp_path / "static", roles=Roles(static=("area",)))
    ran = run("export", static, "--data", tmp_path / "y.csv", "--output", tmp_path / "out")
    assert (ran.code, "static covariates ['area']" in ran.err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_without_the_extra_the_answer_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = util.find_spec
    monkeypatch.setattr("pipelines.export.find_spec", lambda name: None if name == "onnxruntime" else real(name))
    ran = run("export", tmp_path, "--output", tmp_path / "out")
    assert (ran.code, "needs onnxruntime: pip install 'forecast-recurrent[onnx]'" in ran.err) == (2, True)
