"""A configuration is checked as a whole: every mistake at once, each with the path of its key and the nearest known name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from forecast.config.load import check_config, load_config, require_sections
from forecast.config.show import json_schema, resolved
from forecast.config.text import to_yaml
from forecast.core.errors import ConfigError


def good() -> dict[str, Any]:
    return {
        "data": {"source": {"kind": "csv", "path": "sales.csv", "columns": {"y": "sold"}}, "frequency": "D", "season_lengths": [7]},
        "task": {"horizon": 7, "levels": [0.1, 0.5, 0.9]},
        "models": [{"model": "seasonal_naive"}, {"model": "window_average", "window": 14, "time_limit": "2m"}],
    }


def mistakes_of(raw: dict[str, Any], *overrides: str, folder: Path) -> tuple[str, ...]:
    file = folder / "c.yaml"
    file.write_text(to_yaml(raw))
    with pytest.raises(ConfigError) as caught:
        load_config(file, overrides)
    return caught.value.mistakes


def test_a_good_file_becomes_typed_frozen_values(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(to_yaml(good()))
    config = load_config(file, ["models.1.window=21", "seed=3", "budget=5m"])
    assert (config.models[1].arguments, config.models[1].time_limit) == ({"window": 21}, 120.0)
    assert (config.seed, config.budget) == (3, 300.0)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 4


def test_all_mistakes_are_reported_at_once_with_path_and_nearest_name(tmp_path: Path) -> None:
    raw = good()
    raw["data"]["sauce"] = 1
    raw["data"]["source"]["colums"] = {}
    raw["data"]["frequency"] = "H"
    raw["task"]["horizon"] = "seven"
    raw["task"]["levels"] = [0.9, 0.1]
    raw["models"] += [{"model": "seasonal_naife"}, {"model": "window_average", "windw": 3, "time_limit": "soon"}, {"name": "x"}]
    raw["trakking"] = {}
    raw["data"]["static"] = {"kind": "parket", "path": "x"}
    found = mistakes_of(raw, "models.0.history_limit=many", "nonsense", folder=tmp_path)
    expected = {
        "data.sauce": "did you mean 'source'?", "data.source.colums": "did you mean 'columns'?", "data.frequency": "use h",
        "task.horizon": 'found "seven"', "task.levels": "must ascend", "models.2.model": "did you mean 'seasonal_naive'?",
        "models.3.windw": "did you mean 'window'?", "models.3.time_limit": "no duration", "models.4.model": "missing",
        "trakking": "did you mean 'tracking'?", "data.static.kind": "did you mean 'parquet'?",
        "models.0.history_limit": 'found "many"', "--set nonsense": "path.to.key=value",
    }  # fmt: skip
    by_path = {line.split(": ")[0]: line for line in found}
    assert set(by_path) == set(expected)
    assert [path for path, text in expected.items() if text not in by_path[path]] == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("task.horizon=7.0", "valid integer"),
        ("task.horizon=true", "valid integer"),
        ("task.horizon='7'", "valid integer"),
        ("task.horizon=0", "greater than or equal to 1"),
        ("task.metrics=[masee]", "did you mean 'mase'?"),
        ("task.anchor=end", "'series_end' or 'calendar'"),
        ("task.levels=[0.5, 1.5]", "between 0 and 1"),
        ("data.source.path=7", "valid string"),
        ("data.source.gaps=zero", "needs `frequency`"),
        ("data.source.kind=7", "valid string"),
        ("data.roles.known=[price, price]", "more than one role"),
        ("data.roles.static=[area]", "give data.static a source"),
        ("models.1={model: seasonal_naive}", "give each a `name` of its own"),
        ("models.0=7", "found 7"),
        ("models=7", "found 7"),
        ("data=7", "found 7"),
        ("score.policies.duplicates=first", "found \"first\""),
        ("score.policies.duplicate=last", "did you mean 'duplicates'?"),
        ("score.run_date=20.11.2026", "date"),
        ("data.source.path=shipped:data/sample/nowhere.parquet", "travel with the project"),
    ],
)  # fmt: skip
def test_a_single_mistake_is_one_line_that_says_what_to_do(override: str, message: str, tmp_path: Path) -> None:
    (line,) = mistakes_of(good(), override, folder=tmp_path)
    assert message in line


def test_a_duplicate_key_is_a_mistake_beside_the_others(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(to_yaml(good()) + "seed: 1\nseed: 2\nbudgett: 3\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert ["seed: stands twice" in caught.value.mistakes[0], "did you mean 'budget'" in caught.value.mistakes[1]] == [True, True]


def test_shipped_paths_are_found_by_the_caller(tmp_path: Path) -> None:
    raw = good()
    raw["data"]["source"]["path"] = "shipped:data/x.csv"
    config = check_config(raw, "test", locate=lambda name: tmp_path / name)
    assert config.data.source.arguments["path"] == str(tmp_path / "data/x.csv")


def test_a_command_names_every_section_that_it_misses() -> None:
    config = check_config({"data": good()["data"]}, "test")
    with pytest.raises(ConfigError) as caught:
        require_sections(config, "benchmark", "data", "task", "models")
    assert [line.split(":")[0] for line in caught.value.mistakes] == ["task", "models"]


def test_the_resolved_configuration_has_every_default_and_is_a_configuration_itself() -> None:
    shown = resolved(check_config(good(), "test"))
    assert (shown["data"]["source"]["duplicates"], shown["models"][0]["history_limit"]) == ("error", None)
    assert resolved(check_config(shown, "test")) == shown
    assert json.loads(json.dumps(shown)) == shown


def test_the_schema_has_a_closed_variant_for_each_source_and_model() -> None:
    schema = json_schema()
    variants = {v["title"]: v for v in schema["$defs"]["ModelSection"]["oneOf"]}
    assert {"gru", "seasonal_naive", "window_average"} <= set(variants)
    assert "hidden_size" in variants["gru"]["properties"]
    assert not [name for name, variant in variants.items() if variant["additionalProperties"] or "sink" in variant["properties"]]
    assert {v["title"] for v in schema["$defs"]["SourceSection"]["oneOf"]} >= {"csv", "parquet"}
    json.dumps(schema)


def test_a_configuration_of_classical_models_does_not_load_torch() -> None:
    code = (
        "import sys, json; from forecast.config.load import check_config; check_config(json.loads(sys.argv[1]), 'x');"
        "print(sorted({'torch', 'mlflow', 'pytorch_lightning', 'statsforecast', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, json.dumps(good())], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
