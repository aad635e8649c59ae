"""Two processes may meet at a store that is not there yet."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_new_store_is_made_once_when_processes_race_for_it(tmp_path: Path) -> None:
    """Without the lock all but one of them end in the migration of a half made database."""
    code = (
        "import sys, time; from pathlib import Path; from forecast.tracking.store import Store; "
        "import mlflow.store.tracking.sqlalchemy_store; "
        "Path(sys.argv[2]).touch(); exec('while not Path(sys.argv[3]).exists(): time.sleep(0.001)'); "
        "client = Store.at(sys.argv[1]).client; print(len(client.search_experiments()))"
    )
    folder, go = tmp_path / "new", tmp_path / "go"
    ready = [tmp_path / f"ready{i}" for i in range(2)]
    racers = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, str(folder), str(flag), str(go)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.getcwd()}) for flag in ready]  # fmt: skip
    while not all(flag.exists() for flag in ready):
        assert all(racer.poll() is None for racer in racers)
        time.sleep(0.01)
    go.touch()
    for racer in racers:
        out, err = racer.communicate(timeout=60)
        assert (racer.returncode, out.strip()) == (0, "1"), err
    assert sorted(path.name for path in folder.iterdir()) == [".mlflow.lock", "mlflow.db"]
