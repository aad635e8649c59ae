"""`forecast attention`: a page and a table for a trained model, and plain words for one that has nothing to show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from forecast.config.load import load_config
from forecast.factory import build_model, read_panel
from forecast.storage.bundle import save_bundle
from tests.jobs.command_line import run, write_config

SMALL = {"hidden_size": 8, "max_steps": 4, "validate_every": 0, "lags": 14}


def _trained(folder: Path, model: str, **arguments: object) -> Path:
    """A configuration whose output folder has the bundle that `forecast train` would leave."""
    file = write_config(folder, models=[{"model": model, **arguments}])
    config = load_config(file)
    panel, forecaster = read_panel(config.data), build_model(config, config.models[0])
    forecaster.fit(panel)
    save_bundle(config.output / "training" / "bundle", forecaster, frequency=panel.frequency, roles=panel.roles,
                training_cutoff="2026-05-04", panel_fingerprint=panel.fingerprint(), profile={})  # fmt: skip
    return file


def test_the_page_and_the_table_of_a_series_are_written_and_named(tmp_path: Path) -> None:
    done = run("attention", _trained(tmp_path, "seq2seq_attention", **SMALL), "--series", "003")
    assert done.code == 0, done.err
    table = pd.read_parquet(tmp_path / "out" / "attention.parquet")
    assert set(table["unique_id"]) == {"003"}
    np.testing.assert_allclose(table.groupby("step")["weight"].sum(), 1.0, atol=1e-6)
    assert len(table) == 7 * 14
    page = (tmp_path / "out" / "attention.html").read_text()
    assert "What the forecast of 003 looks at" in page
    assert "attention.html" in done.out.replace("\n", "")
    strangers = run("attention", tmp_path / "config.yaml", "--series", "900")
    assert strangers.code == 2
    assert "no series '900' in the panel of 6 series" in strangers.err


def test_a_model_that_attends_to_nothing_says_so(tmp_path: Path) -> None:
    for model, arguments, words in (("gru", SMALL, "gru has no attention to show"), ("mean", {}, "it is no network")):
        folder = tmp_path / model
        folder.mkdir()
        done = run("attention", _trained(folder, model, **arguments))
        assert (done.code, words in done.err) == (70, True), done.err
        assert not (folder / "out" / "attention.html").exists()


def test_a_model_that_was_not_trained_is_69(tmp_path: Path) -> None:
    assert run("attention", write_config(tmp_path, models=[{"model": "seq2seq_attention"}])).code == 69
