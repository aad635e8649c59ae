"""The demo walks the whole path and says where everything is. The full one runs in `make demo`; here its models are quick."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from forecast.config.load import load_config
from forecast.neural.registry import NEURAL
from pipelines.demo import REAL, SAMPLE
from pipelines.shipped import locate
from tests.jobs.command_line import run

RECURRENT = {*NEURAL} - {"linear"}


def test_the_demo_ends_with_a_champion_its_forecasts_and_the_way_to_see_all(tmp_path: Path) -> None:
    models = "models=[{model: seasonal_naive}, {model: dynamic_optimized_theta, history_limit: 100}]"
    done = run("demo", "--output", tmp_path / "it is here", "--set", models)
    assert done.code == 0, done.err
    (place,) = (tmp_path / "it is here" / "sample" / "forecasts").glob("run_date=*/*.parquet")
    frame = pd.read_parquet(place)
    assert (frame["unique_id"].nunique(), frame["step"].max(), len(frame)) == (60, 28, 60 * 28)
    assert str(frame["cutoff"].max())[:10] == "2026-05-03"
    said = " ".join(done.out.split())  # a long path folds the lines of the table
    for text in ("champion", "mlflow ui --backend-store-uri sqlite:///", "60 series ="):
        assert text in said
    assert len(list((tmp_path / "it is here").glob("*/report.html"))) == 2
    assert [line for line in done.err.splitlines() if not line.startswith("{")] == []


def test_the_demo_compares_at_least_three_recurrent_and_eight_classical_models_on_both_panels() -> None:
    for name in (REAL, SAMPLE):
        models = [section.model for section in load_config(locate(name), locate=locate).models]
        recurrent = [model for model in models if model in RECURRENT]
        assert len(recurrent) >= 3
        assert len(models) - len(recurrent) >= 8
