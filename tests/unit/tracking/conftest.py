"""A real embedded store for each test, copied from one that is made once: MLflow's migrations take seconds."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from forecast.tracking.store import Store
from tests.unit.tracking.bad_server import BadServer


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "mlflow"
    assert Store.at(folder).client is not None
    return folder


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Store:
    shutil.copytree(empty_store, tmp_path / "mlflow")
    return Store.at(tmp_path / "mlflow")


@pytest.fixture
def bad_server() -> Iterator[BadServer]:
    with BadServer() as server:
        yield server


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
