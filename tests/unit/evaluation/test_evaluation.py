"""An evaluation goes from one process to another as files, whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import InputMissing, ModelError
from forecast.evaluation.backtest import evaluate
from forecast.evaluation.evaluation import Costs, Evaluation
from forecast.evaluation.task import Task
from tests.unit.evaluation.worlds import LEVELS, Repeat, panel_of, random_panel

TASK = Task(3, windows=2, levels=LEVELS)


def test_what_is_saved_comes_back_bitwise(tmp_path: Path) -> None:
    saved = evaluate(Repeat(3), random_panel(0), TASK)
    saved.save(tmp_path / "run")
    loaded = Evaluation.load(tmp_path / "run")
    for name in ("scores", "steps", "calibration"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(saved, name), check_exact=True)
    for name in ("ids", "cutoffs", "mean", "quantiles", "status", "reason", "frequency", "model", "levels"):
        np.testing.assert_array_equal(getattr(loaded.frames[0], name), getattr(saved.frames[0], name))
    for name in ("model", "task", "panel_fingerprint", "costs", "fallbacks", "status"):
        assert getattr(loaded, name) == getattr(saved, name)


def test_hostile_ids_survive_the_files(tmp_path: Path) -> None:
    names = ["<script>", "../../etc", "a\x00", "=1+1", "é"]
    saved = evaluate(Repeat(3), panel_of({n: [1.0] * 12 for n in names}), TASK)
    saved.save(tmp_path)
    assert set(Evaluation.load(tmp_path).frames[0].ids) == set(names)


def test_no_file_needs_pickle_to_be_read(tmp_path: Path) -> None:
    evaluate(Repeat(3), random_panel(0), TASK).save(tmp_path)
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".parquet", ".npz"}
    with np.load(tmp_path / "forecasts.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype == np.float64 for name in arrays)


def test_an_evaluation_cut_short_is_not_taken_for_a_result(tmp_path: Path) -> None:
    evaluate(Repeat(3), random_panel(0), TASK).save(tmp_path)
    (tmp_path / "evaluation.json").unlink()
    with pytest.raises(InputMissing, match="no complete evaluation"):
        Evaluation.load(tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    evaluate(Repeat(3), random_panel(0), TASK).save(tmp_path)
    place = tmp_path / "evaluation.json"
    place.write_text(place.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(ModelError, match="format 99"):
        Evaluation.load(tmp_path)


def test_a_model_that_failed_is_saved_with_its_reason(tmp_path: Path) -> None:
    Evaluation.without_scores("arima", TASK, "f" * 64, "timed out after 120 s", Costs(120.0)).save(tmp_path)
    loaded = Evaluation.load(tmp_path)
    assert (loaded.status, loaded.ok, loaded.fit_seconds, loaded.frames) == ("timed out after 120 s", False, 120.0, ())
    assert all(np.isnan(v) for v in loaded.aggregate().values())


def test_a_result_without_its_forecasts_keeps_its_scores() -> None:
    whole = evaluate(Repeat(3), random_panel(0), TASK)
    light = whole.without_forecasts()
    assert light.frames == ()
    assert light.aggregate() == whole.aggregate()
    assert replace(light, frames=whole.frames).frames == whole.frames
