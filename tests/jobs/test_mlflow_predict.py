"""`mlflow models predict` on the champion, and a real tracking server: both in processes of their own, as people use them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.factory import rebuild
from forecast.tracking.model_source import RegistryModelSource
from forecast.tracking.registry import Registry
from forecast.tracking.store import Store
from forecast.tracking.tracker import Tracker
from tests.unit.tracking.test_pyfunc_model import long_frame, save_seasonal_naive

SECONDS = 90
ROOT = str(Path(__file__).resolve().parents[2])


def promote(store: Store, directory: Path) -> None:
    run = Tracker(store, "trial").start_model("seasonal_naive", parent=None, parameters={"model": "seasonal_naive"})
    registry = Registry(store)
    registry.set_champion("sales", registry.log_bundle(run, directory, "sales").version)


@pytest.mark.parametrize("kind", ["csv", pytest.param("json", marks=pytest.mark.slow)])
def test_mlflow_models_predict_works_from_a_long_frame(tmp_path: Path, kind: str) -> None:
    expected = save_seasonal_naive(tmp_path / "b")
    store = Store.at(tmp_path / "mlflow")
    promote(store, tmp_path / "b")
    sent, received = tmp_path / f"input.{kind}", tmp_path / "output.json"
    frame = long_frame()
    if kind == "csv":
        frame.to_csv(sent, index=False)
    else:
        rows = frame.assign(ds=frame["ds"].dt.strftime("%Y-%m-%d")).to_dict("split", index=False)
        sent.write_text(json.dumps({"dataframe_split": rows}))
    command = [sys.executable, "-m", "mlflow", "models", "predict", "-m", "models:/sales@champion", "-i", str(sent), "-t", kind, "-o",
               str(received), "--env-manager", "local"]  # fmt: skip
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store.uri, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": ROOT}
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    forecasts = pd.DataFrame(json.loads(received.read_text())["predictions"])
    assert list(forecasts.columns) == list(expected.columns)
    for column in ("unique_id", "step", "mean", "q0.1", "q0.9", "status"):
        assert list(forecasts[column]) == list(expected[column]), column
    assert list(pd.to_datetime(forecasts["ds"])) == list(expected["ds"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--backend-store-uri",
               f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", str(tmp_path / "served")]  # fmt: skip
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tmp_path, start_new_session=True)
        try:
            until = time.monotonic() + SECONDS
            while time.monotonic() < until and process.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)
            process.wait(timeout=30)


@pytest.mark.slow
def test_a_real_server_tracks_registers_and_gives_back_the_champion(tmp_path: Path, server: str) -> None:
    expected = save_seasonal_naive(tmp_path / "b")
    store = Store.at(server)
    promote(store, tmp_path / "b")
    forecaster, version = RegistryModelSource(server, "sales", tmp_path / "cache", rebuild).fetch()
    assert version.startswith("sales/1@")
    panel = Panel.from_frame(long_frame(), Frequency.parse("D", (7,)))
    pd.testing.assert_frame_equal(forecaster.predict(panel).to_frame(), expected)
    (row,) = Registry(store).versions("sales")
    assert row.aliases == ("champion",)
