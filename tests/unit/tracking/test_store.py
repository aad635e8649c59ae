"""Laws of the door to MLflow: an embedded store by default, bounded waits, one typed error, nothing left in the working directory."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from forecast.core.errors import ConfigError, ModelNotFound, SinkError
from forecast.tracking.store import Store, reaching, without_password
from tests.unit.tracking.bad_server import BadServer, Behaviour

QUICK = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0"}


@pytest.mark.parametrize(
    ("place", "uri"),
    [("runs", "sqlite:///{cwd}/runs/mlflow.db"), ("sqlite:///runs/x.db", "sqlite:///{cwd}/runs/x.db"), ("http://host:5000", "http://host:5000"),
     ("postgresql+psycopg://u:p@host/db", "postgresql+psycopg://u:p@host/db")],
)  # fmt: skip
def test_a_folder_is_an_embedded_store_and_anything_else_a_server(place: str, uri: str) -> None:
    store = Store.at(place)
    assert store.uri == uri.format(cwd=Path.cwd())
    assert (store.artifacts() is None) == ("://host" in uri or "@host" in uri)


@pytest.mark.parametrize("place", ["file:///tmp/mlruns", "file:mlruns", "ftp://host/x", "sqlite:runs.db", "s3://bucket/x"])
def test_a_place_that_is_no_store_is_refused_with_what_to_give(place: str) -> None:
    with pytest.raises(ConfigError, match="give a folder"):
        Store.at(place)


def test_passwords_are_not_shown() -> None:
    assert without_password("postgresql://user:secret@host:5/db") == "postgresql://host:5/db"
    assert without_password("http://host/path@x") == "http://host/path@x"


@pytest.mark.parametrize("behaviour", ["hang", 500, 429, 503])
def test_a_server_that_misbehaves_is_a_typed_error_after_a_bounded_wait(
    bad_server: BadServer, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour
) -> None:
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    bad_server.behaviour = behaviour
    with reaching(bad_server.uri):  # imports MLflow before the clock starts
        pass
    started = time.monotonic()
    with pytest.raises(SinkError, match=bad_server.uri), reaching(bad_server.uri):
        Store.at(bad_server.uri).client.get_experiment_by_name("x")
    assert time.monotonic() - started < 4
    assert 1 <= bad_server.requests <= 2


def test_a_refused_server_fails_at_once_under_the_settings_of_the_product(unused_port: int) -> None:
    uri = f"http://127.0.0.1:{unused_port}"
    started = time.monotonic()
    with pytest.raises(ModelNotFound, match="check that it runs"), reaching(uri, reading_a_model=True):
        Store.at(uri).client.get_experiment_by_name("x")
    assert time.monotonic() - started < 10
    assert int(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]) * (1 + int(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])) < 30


def test_a_refused_database_fails_at_once(unused_port: int) -> None:
    """MLflow by itself tries ten times, for minutes."""
    started = time.monotonic()
    with pytest.raises(SinkError, match="Connection refused"):
        _ = Store.at(f"postgresql://user:secret@127.0.0.1:{unused_port}/db").client
    assert time.monotonic() - started < 2


def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="file/mlflow"):
        _ = Store.at(tmp_path / "file" / "mlflow").client


def test_a_store_that_nobody_made_does_not_exist(tmp_path: Path, store: Store) -> None:
    assert not Store.at(tmp_path / "none").exists()
    assert store.exists()
    assert Store.at("http://host").exists()
    assert store.how_to_open() == f"mlflow ui --backend-store-uri {store.uri}"
