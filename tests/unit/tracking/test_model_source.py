"""M3: the champion within a bounded time, then the last verified copy if it is young enough, marked; nothing unverified, ever."""

from __future__ import annotations

import shutil
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from forecast.core.errors import ModelError, ModelNotFound
from forecast.tracking.download import SeparateProcess, answer
from forecast.tracking.model_source import RegistryModelSource
from forecast.tracking.registry import Registry
from forecast.tracking.store import Store
from tests.unit.storage.test_bundle import panel_of
from tests.unit.storage.toy_forecaster import rebuild_toy
from tests.unit.tracking.bad_server import BadServer
from tests.unit.tracking.test_registry import make_bundle, register


def source_of(store: Store | str, tmp_path: Path, **settings: object) -> RegistryModelSource:
    """Asks in this process: that of its own is for the tests of the time limit."""
    place = store if isinstance(store, str) else store.uri
    return RegistryModelSource(place, "sales", tmp_path / "cache", rebuild_toy, **{"ask": answer, **settings})  # type: ignore[arg-type]


def promote(store: Store, directory: Path, series: int = 3) -> str:
    info = make_bundle(directory, series)
    Registry(store).set_champion("sales", register(store, directory))
    return info.digest


def test_m3_the_champion_is_fetched_verified_and_outlives_the_registry(store: Store, tmp_path: Path) -> None:
    digest = promote(store, tmp_path / "b")
    forecaster, version = source_of(store, tmp_path, ask=SeparateProcess()).fetch()
    assert version == f"sales/1@{digest[:12]}"
    np.testing.assert_array_equal(forecaster.predict(panel_of()).mean[0], np.full(3, 19 + (9.5 + 10) / 10))
    assert store.folder is not None
    shutil.move(store.folder, tmp_path / "away")
    again, version = source_of(store, tmp_path).fetch()
    assert version == f"sales/1@{digest[:12]}+cached"
    np.testing.assert_array_equal(again.predict(panel_of()).quantiles, forecaster.predict(panel_of()).quantiles)
    assert not store.exists()


def test_m3_the_copy_at_hand_is_used_while_it_is_the_champion_and_replaced_when_it_is_not(store: Store, tmp_path: Path) -> None:
    first = promote(store, tmp_path / "b")
    source_of(store, tmp_path).fetch()
    assert store.folder is not None
    shutil.rmtree(store.folder / "artifacts" / "models")  # a second download would fail
    assert source_of(store, tmp_path).fetch()[1] == f"sales/1@{first[:12]}"
    second = promote(store, tmp_path / "b", series=5)
    assert source_of(store, tmp_path).fetch()[1] == f"sales/2@{second[:12]}"
    kept = {path.name for path in (tmp_path / "cache").iterdir()}
    assert kept == {"last.json", first, second}


def test_m3_a_damaged_copy_is_fetched_again(store: Store, tmp_path: Path) -> None:
    digest = promote(store, tmp_path / "b")
    source = source_of(store, tmp_path)
    source.fetch()
    (tmp_path / "cache" / digest / "weights.safetensors").write_bytes(b"")
    assert source.fetch()[1] == f"sales/1@{digest[:12]}"
    (tmp_path / "cache" / digest / "weights.safetensors").write_bytes(b"")
    assert store.folder is not None
    shutil.move(store.folder, tmp_path / "away")
    with pytest.raises(ModelNotFound, match="no verified copy"):
        source.fetch()


def test_m1_a_bundle_that_is_not_the_registered_one_is_refused(store: Store, tmp_path: Path) -> None:
    promote(store, tmp_path / "b")
    make_bundle(tmp_path / "other", series=5)
    assert store.folder is not None
    (place,) = store.folder.glob("artifacts/models/*/artifacts/data/b")
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "other", place)
    with pytest.raises(ModelError, match="not the bundle that was registered"):
        source_of(store, tmp_path).fetch()
    (place / "recipe.json").write_bytes(b"{}")
    with pytest.raises(ModelError, match=r"changed: recipe\.json"):
        source_of(store, tmp_path).fetch()
    assert not list((tmp_path / "cache").iterdir())


def test_m3_a_registry_that_answers_no_is_not_replaced_by_a_copy(store: Store, tmp_path: Path) -> None:
    promote(store, tmp_path / "b")
    source_of(store, tmp_path).fetch()
    store.client.delete_registered_model_alias("sales", "champion")
    with pytest.raises(ModelNotFound, match="promote a version first"):
        source_of(store, tmp_path).fetch()


def test_m3_a_server_that_drips_is_left_when_the_time_is_up(store: Store, tmp_path: Path, bad_server: BadServer) -> None:
    """Every read of such a server succeeds: only the end of the process that reads bounds the wait."""
    digest = promote(store, tmp_path / "b")
    now = time.time()
    source_of(store, tmp_path, clock=lambda: now).fetch()
    bad_server.behaviour = "drip"
    young = source_of(bad_server.uri, tmp_path, ask=SeparateProcess(2), max_age=timedelta(hours=5), clock=lambda: now + 3600)
    started = time.monotonic()
    assert young.fetch()[1] == f"sales/1@{digest[:12]}+cached"
    assert time.monotonic() - started < 8
    old = source_of(bad_server.uri, tmp_path, ask=SeparateProcess(0.1), max_age=timedelta(hours=5), clock=lambda: now + 6 * 3600)
    with pytest.raises(ModelNotFound, match=r"no answer within 0.1 s.*6 hours ago, 5 are allowed"):
        old.fetch()


@pytest.mark.parametrize("status", [500, 429])
def test_m3_an_error_of_the_server_without_a_copy_ends_with_69(tmp_path: Path, bad_server: BadServer, status: int) -> None:
    bad_server.behaviour = status
    with pytest.raises(ModelNotFound, match="no verified copy") as caught:
        source_of(bad_server.uri, tmp_path).fetch()
    assert caught.value.exit_code == 69
    assert bad_server.requests > 0
