"""Every shipped configuration is checked, resolved and built; those of shipped data run."""

from __future__ import annotations

from pathlib import Path

import pytest

from forecast.config.load import check_config, load_config
from forecast.config.show import resolved
from forecast.factory import build_model, model_names
from pipelines.demo import REAL, SAMPLE
from pipelines.shipped import configurations, locate
from tests.jobs.command_line import run

FILES = configurations()
SHIPPED_DATA = [file for file in FILES if "shared" not in file.read_text()]
IN_DEMO = {locate(REAL), locate(SAMPLE)}  # test_demo.py runs these
BENCHMARKS = [file for file in SHIPPED_DATA if file.parent.name == "benchmark" and file not in IN_DEMO]


def name_of(file: Path) -> str:
    return f"{file.parent.name}/{file.stem}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_shipped_configuration_resolves_to_itself_and_its_models_can_be_built(file: Path) -> None:
    config = load_config(file, locate=locate)
    shown = resolved(config)
    assert resolved(check_config(shown, "shown")) == shown
    for section in config.models:
        assert build_model(config, section).name == section.label


@pytest.mark.parametrize("file", SHIPPED_DATA, ids=name_of)
def test_the_data_of_a_shipped_configuration_keep_the_contract(file: Path) -> None:
    done = run("check", file)
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("file", BENCHMARKS, ids=name_of)
def test_a_shipped_benchmark_runs(file: Path, tmp_path: Path) -> None:
    quick = ("--set", "models=[{model: seasonal_naive}, {model: mean}]", "--set", f"output={tmp_path}")
    done = run("benchmark", file, *quick, "--set", f"tracking.uri={tmp_path / 'mlruns'}")
    assert done.code == 0, done.err
    assert "seasonal_naive" in done.out


def test_every_model_has_a_configuration_of_its_own() -> None:
    of_models = {file.stem: load_config(file, locate=locate).models for file in FILES if file.parent.name == "models"}
    assert set(of_models) == set(model_names())
    assert [stem for stem, models in of_models.items() if [one.model for one in models] != [stem]] == []
