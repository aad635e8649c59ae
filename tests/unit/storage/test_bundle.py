"""Laws of the saved model: whole or not at all, the same bytes each time, verified before anything of it is used."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.core.arrays import AnyArray
from forecast.core.errors import ModelError, ModelNotFound, SinkError
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.storage import bundle_files
from forecast.storage.bundle import BundleInfo, load_bundle, save_bundle
from forecast.storage.bundle_files import canonical_json, sha256
from forecast.storage.bundle_profile import compare_ids, training_profile
from forecast.storage.bundle_weights import decode_weights, encode_weights
from forecast.storage.manifest import FORMAT, Manifest, migrate
from tests.unit.storage.toy_forecaster import LastPlusBias, rebuild_toy

FILES = ("manifest.json", "profile.json", "recipe.json", "schema.json", "weights.safetensors")


def panel_of(series: int = 3, rows: int = 20) -> Panel:
    stamps = pd.date_range("2024-01-01", periods=rows, freq="D")
    frame = pd.concat([pd.DataFrame({"unique_id": f"s{i}", "ds": stamps, "y": np.arange(rows) + 10.0 * i}) for i in range(series)])
    return Panel.from_frame(frame, Frequency.parse("D"))


def save(directory: Path, **changes: object) -> BundleInfo:
    panel, forecaster = panel_of(), LastPlusBias()
    forecaster.fit(panel)
    profile = changes.get("profile", training_profile(panel))
    return save_bundle(
        directory, forecaster, frequency=panel.frequency, roles=Roles(known=("price",)), training_cutoff="2024-01-20",
        panel_fingerprint=panel.fingerprint(), profile=profile, burn_in=12, state={"ring": 7},  # type: ignore[arg-type]
    )  # fmt: skip


def rewrite(directory: Path, name: str, data: bytes) -> None:
    """Replaces a file and makes the manifest agree, as somebody would who wants the bundle to be believed."""
    (directory / name).write_bytes(data)
    body = json.loads((directory / "manifest.json").read_bytes())
    body.pop("checksum")
    body["files"][name] = sha256(data)
    (directory / "manifest.json").write_bytes(Manifest(**body).to_bytes())


def test_a_loaded_bundle_forecasts_bitwise_as_the_saved_forecaster(tmp_path: Path) -> None:
    panel, forecaster = panel_of(), LastPlusBias()
    forecaster.fit(panel)
    info = save(tmp_path / "b")
    bundle = load_bundle(tmp_path / "b")
    again = rebuild_toy(bundle.recipe, bundle.weights)
    np.testing.assert_array_equal(again.predict(panel).quantiles, forecaster.predict(panel).quantiles)
    assert (bundle.frequency, bundle.roles, bundle.digest) == (panel.frequency, Roles(known=("price",)), info.digest)
    assert (bundle.horizon, bundle.levels, bundle.manifest.burn_in, bundle.manifest.state) == (3, (0.1, 0.5, 0.9), 12, {"ring": 7})
    assert bundle.manifest.panel_fingerprint == panel.fingerprint()
    assert bundle.manifest.libraries["numpy"] == np.__version__


def test_the_same_model_saved_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = save(tmp_path / "a"), save(tmp_path / "b")
    assert first.digest == second.digest
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == list(FILES)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_m1_any_changed_byte_is_an_error_before_use(tmp_path: Path, name: str) -> None:
    save(tmp_path / "b")
    file = tmp_path / "b" / name
    whole = file.read_bytes()
    for position in range(0, len(whole), 1 if len(whole) < 400 else 7):
        for flip in (0x01, 0x20):
            file.write_bytes(whole[:position] + bytes([whole[position] ^ flip]) + whole[position + 1 :])
            with pytest.raises(ModelError):
                load_bundle(tmp_path / "b")
    file.write_bytes(whole)
    load_bundle(tmp_path / "b")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0, 0.5, -1])
def test_m1_a_truncated_file_is_an_error_before_use(tmp_path: Path, name: str, keep: float) -> None:
    save(tmp_path / "b")
    file = tmp_path / "b" / name
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * keep) if keep >= 0 else -1])
    with pytest.raises(ModelError, match="damaged"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("name", FILES)
def test_m1_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    save(tmp_path / "b")
    (tmp_path / "b" / name).unlink()
    with pytest.raises(ModelError, match=name) as caught:
        load_bundle(tmp_path / "b")
    assert not isinstance(caught.value, ModelNotFound)


def test_m1_a_file_that_the_manifest_does_not_list_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "b")
    (tmp_path / "b" / "extra.py").write_text("print()")
    with pytest.raises(ModelError, match=r"not in the manifest: extra.py"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("plant", [lambda p: p.mkdir(), os.mkfifo], ids=["folder", "pipe"])
def test_m1_what_is_not_a_plain_file_is_refused(tmp_path: Path, plant: Callable[[Path], None]) -> None:
    save(tmp_path / "b")
    plant(tmp_path / "b" / "odd")
    with pytest.raises(ModelError, match="not plain files"):
        load_bundle(tmp_path / "b")


def test_m1_a_future_format_says_upgrade(tmp_path: Path) -> None:
    save(tmp_path / "b")
    manifest = tmp_path / "b" / "manifest.json"
    body = json.loads(manifest.read_bytes()) | {"format": FORMAT + 1}
    manifest.write_bytes(canonical_json(body, "test"))
    with pytest.raises(ModelError, match=rf"format {FORMAT + 1}.*up to {FORMAT}: upgrade"):
        load_bundle(tmp_path / "b")


def test_m1_a_manifest_spelled_differently_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "b")
    manifest = tmp_path / "b" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().rstrip())
    with pytest.raises(ModelError, match="checksum"):
        load_bundle(tmp_path / "b")


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, ("exploded",))


def test_m2_a_pickle_bomb_as_weights_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "b")
    for name in ("weights.safetensors", "recipe.json", "schema.json", "profile.json"):
        save(tmp_path / "b")
        rewrite(tmp_path / "b", name, pickle.dumps(Bomb()))
        with pytest.raises(ModelError, match=name):
            load_bundle(tmp_path / "b")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b"[]", b"\xff\xfe", b"", b'{"a":'], ids=["deep", "list", "not text", "empty", "cut"]
)
def test_m2_hostile_json_is_a_typed_error(tmp_path: Path, data: bytes) -> None:
    save(tmp_path / "b")
    rewrite(tmp_path / "b", "recipe.json", data)
    with pytest.raises(ModelError, match=r"recipe.json"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"frequency": "H", "season_lengths": []},
        {"frequency": 3, "season_lengths": [7]},
        {"frequency": "D", "season_lengths": 1},
    ],
)
def test_a_schema_that_says_nothing_useful_is_a_typed_error(tmp_path: Path, schema: object) -> None:
    save(tmp_path / "b")
    rewrite(tmp_path / "b", "schema.json", json.dumps(schema).encode())
    with pytest.raises(ModelError, match=r"schema.json"):
        load_bundle(tmp_path / "b")


def test_a_missing_folder_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="nowhere"):
        load_bundle(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelNotFound, match="file"):
        load_bundle(tmp_path / "file")


def test_saving_over_a_bundle_replaces_it_whole(tmp_path: Path) -> None:
    save(tmp_path / "b")
    (tmp_path / "b" / "leftover").write_text("x")
    info = save(tmp_path / "b")
    assert load_bundle(tmp_path / "b").digest == info.digest
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("failing", ["_write_durably", "_sync_folder", "_swap"])
def test_a_failure_while_saving_leaves_the_old_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    old = save(tmp_path / "b")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle_files, failing, full)
    with pytest.raises(SinkError, match="No space left"):
        save(tmp_path / "b", profile={"other": 1})
    monkeypatch.undo()
    assert load_bundle(tmp_path / "b").digest == old.digest
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_what_json_does_not_have_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="profile of last_plus_bias"):
        save(tmp_path / "b", profile={"share": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_an_unfitted_forecaster_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not fitted"):
        save_bundle(tmp_path / "b", LastPlusBias(), frequency=Frequency.parse("D"), roles=Roles(), training_cutoff="",
                    panel_fingerprint="", profile={})  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_older_formats_migrate_one_step_at_a_time() -> None:
    def raised(to: int) -> Callable[[object], dict[str, dict[str, object]]]:
        return lambda documents: {**documents, "manifest": {"format": to}, f"seen {to}": {}}  # type: ignore[dict-item]

    table = {FORMAT - 2: raised(FORMAT - 1), FORMAT - 1: raised(FORMAT)}
    migrated = migrate({"manifest": {"format": FORMAT - 2}}, table)
    assert list(migrated) == ["manifest", f"seen {FORMAT - 1}", f"seen {FORMAT}"]
    with pytest.raises(ModelError, match="too old"):
        migrate({"manifest": {"format": FORMAT - 3}}, table)


def test_weights_of_every_kind_come_back_bitwise() -> None:
    weights: dict[str, AnyArray] = {
        "transposed": np.arange(6.0).reshape(2, 3).T, "strided": np.arange(10)[::3], "scalar": np.array(3.5), "empty": np.zeros((2, 0)),
        "single": np.array([1 / 3, np.nan, np.inf], dtype=np.float32), "flags": np.array([True, False]), "bytes": np.arange(5, dtype=np.uint8),
        "text": np.array([["a", "NA"], ["ü", ""]]), "objects": np.array(["x", "y"], dtype=object), "big": np.arange(3, dtype=">f8"),
    }  # fmt: skip
    data = encode_weights(weights)
    loaded = decode_weights(data, "test")
    assert data == encode_weights(dict(reversed(weights.items())))
    assert loaded.keys() == weights.keys()
    for name, array in weights.items():
        assert loaded[name].shape == array.shape
        np.testing.assert_array_equal(loaded[name], array, err_msg=name)
        assert loaded[name].dtype == (object if array.dtype.kind in "UO" else array.dtype.newbyteorder("=")), name


@pytest.mark.parametrize("array", [np.array([object()]), np.array(["2024-01-01"], dtype="M8[D]"), np.array([1j])])
def test_a_weight_that_would_need_a_pickle_is_refused(array: AnyArray) -> None:
    with pytest.raises(ModelError, match="'odd' has the type"):
        encode_weights({"odd": array})


def test_the_profile_counts_what_is_there() -> None:
    stamps = pd.date_range("2024-01-01", periods=4, freq="D")
    frame = pd.concat([
        pd.DataFrame({"unique_id": "a", "ds": stamps, "y": [0.0, -2.0, np.nan, 4.0]}),
        pd.DataFrame({"unique_id": "b", "ds": stamps[:2], "y": [10.0, 10.0]}),
        pd.DataFrame({"unique_id": "c", "ds": stamps[:2], "y": [np.nan, np.nan]}),
    ])  # fmt: skip
    profile = training_profile(Panel.from_frame(frame, Frequency.parse("D")))
    assert (profile["series"], profile["rows"]) == (3, 8)
    assert (profile["missing_share"], profile["zero_share"], profile["negative_share"]) == (3 / 8, 1 / 5, 1 / 5)
    assert (profile["first"][:10], profile["last"][:10]) == ("2024-01-01", "2024-01-04")
    assert (profile["scales"]["0"], profile["scales"]["1"], profile["lengths"]["1"]) == (2.0, 10.0, 4.0)
    assert compare_ids(profile, ["b", "z", "a"]) == (["z"], 1)
    canonical_json(profile, "test")


def test_the_profile_of_nothing_can_be_saved() -> None:
    empty = training_profile(panel_of().take(np.array([], dtype=np.int64)))
    assert (empty["series"], empty["scales"], empty["first"]) == (0, None, None)
    canonical_json(empty, "test")
