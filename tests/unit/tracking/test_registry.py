"""Laws of the registry: what is registered is verified, the champion moves in one step and can come back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from forecast.core.errors import ModelError, ModelNotFound, UsageError
from forecast.storage.bundle import BundleInfo, save_bundle
from forecast.tracking.registry import Registry
from forecast.tracking.rows import MetricRow
from forecast.tracking.store import Store
from forecast.tracking.tracker import Tracker
from tests.unit.storage.test_bundle import panel_of
from tests.unit.storage.toy_forecaster import LastPlusBias


def make_bundle(directory: Path, series: int = 3) -> BundleInfo:
    panel, forecaster = panel_of(series), LastPlusBias()
    forecaster.fit(panel)
    return save_bundle(directory, forecaster, frequency=panel.frequency, roles=panel.roles, training_cutoff="2024-01-20",
                       panel_fingerprint=panel.fingerprint(), profile={})  # fmt: skip


def register(store: Store, directory: Path, name: str = "sales") -> int:
    run = Tracker(store, "trial").start_model("toy", parent=None, parameters={"a": 1})
    return Registry(store).log_bundle(run, directory, name).version


def test_a_bundle_is_registered_with_its_digest_and_without_code(
    store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    info = make_bundle(tmp_path / "b")
    register(store, tmp_path / "b")
    (version,) = Registry(store).versions("sales")
    assert (version.version, version.digest, version.aliases) == (1, info.digest, ())
    assert version.tags["panel_fingerprint"] == info.manifest.panel_fingerprint
    assert version.tags["model"] == "last_plus_bias"
    assert store.folder is not None
    logged = {path.name for path in (store.folder / "artifacts" / "models").rglob("*") if path.is_file()}
    assert logged == {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "manifest.json", "recipe.json", "schema.json",
                      "profile.json", "weights.safetensors"}  # fmt: skip
    assert capfd.readouterr() == ("", "")


def test_the_global_state_of_mlflow_is_left_alone(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    before = dict(os.environ)
    make_bundle(tmp_path / "b")
    register(store, tmp_path / "b")
    assert not mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
    assert {name: value for name, value in os.environ.items() if before.get(name) != value} == {}
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_damaged_bundle_is_not_registered(store: Store, tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    (tmp_path / "b" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="damaged"):
        register(store, tmp_path / "b")
    assert Registry(store).versions("sales") == []


def test_the_champion_moves_and_the_old_one_is_the_way_back(store: Store, tmp_path: Path) -> None:
    registry = Registry(store)
    make_bundle(tmp_path / "b")
    for _ in range(3):
        register(store, tmp_path / "b")
    assert registry.champion("sales") is None
    for version in (1, 3, 3):
        registry.set_champion("sales", version)
    assert [one.aliases for one in registry.versions("sales")] == [("previous_champion",), (), ("champion",)]
    assert registry.roll_back("sales").version == 1
    assert [one.aliases for one in registry.versions("sales")] == [("champion",), (), ("previous_champion",)]


def test_what_is_not_there_cannot_become_champion(store: Store, tmp_path: Path) -> None:
    registry = Registry(store)
    make_bundle(tmp_path / "b")
    register(store, tmp_path / "b")
    with pytest.raises(ModelNotFound, match=r"no version 7; it has \[1\]"):
        registry.set_champion("sales", 7)
    with pytest.raises(ModelNotFound, match="no previous champion"):
        registry.roll_back("sales")
    with pytest.raises(UsageError, match="quotes"):
        registry.champion("x' OR name != '")
    assert registry.champion("nobody") is None


def test_a_gate_reads_back_what_the_run_measured(store: Store, tmp_path: Path) -> None:
    make_bundle(tmp_path / "b")
    tracker = Tracker(store, "trial")
    run = tracker.start_model("toy", parent=None, parameters={})
    tracker.log_rows(run, [MetricRow("mase", 0.5, 0), MetricRow("mase", 0.4, 1)])
    registry = Registry(store)
    registry.log_bundle(run, tmp_path / "b", "sales", {"gate": "passed"})
    (version,) = registry.versions("sales")
    assert registry.metrics(version) == {"mase": 0.4}
    assert version.tags["gate"] == "passed"
