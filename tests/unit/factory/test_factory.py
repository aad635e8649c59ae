"""From names and plain values to objects, and from recipes back to the same forecaster."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.config.load import check_config
from forecast.core.errors import ConfigError, InputMissing, ModelError
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.factory import (
    build_forecaster,
    build_model,
    build_task,
    load_forecaster,
    model_names,
    read_future,
    read_panel,
    rebuild,
)
from forecast.neural.registry import NEURAL
from forecast.storage.bundle import save_bundle

LEVELS = (0.1, 0.5, 0.9)
SMALL = {"max_steps": 3, "hidden_size": 8, "validate_every": 0}
TRAINED = dict.fromkeys(NEURAL, SMALL) | {"auto": {"max_steps": 2, "workers": 2}}


@pytest.fixture(scope="module")
def panel() -> Panel:
    rng = np.random.default_rng(3)
    days = pd.date_range("2026-01-05", periods=84, freq="D")
    week = np.tile([3.0, 4, 5, 6, 9, 12, 2], 12)
    parts = [pd.DataFrame({"unique_id": f"{n}", "ds": days, "y": (n + 1) * week + rng.normal(0, 0.5, 84)}) for n in range(4)]
    return Panel.from_frame(pd.concat(parts), Frequency.parse("D"))


@pytest.mark.parametrize("model", [name for name in model_names() if name != "auto"])
def test_every_model_of_the_registries_comes_back_from_its_bundle_with_the_same_forecasts(
    model: str, panel: Panel, tmp_path: Path
) -> None:
    forecaster = build_forecaster(model, horizon=7, levels=LEVELS, season_lengths=(7,), arguments=TRAINED.get(model), name="mine")
    forecaster.fit(panel)
    expected = forecaster.predict(panel)
    save_bundle(
        tmp_path / "b", forecaster, frequency=panel.frequency, roles=Roles(), training_cutoff="x", panel_fingerprint="y", profile={}
    )
    again, bundle = load_forecaster(tmp_path / "b")
    assert (again.name, bundle.horizon, bundle.levels) == ("mine", 7, LEVELS)
    found = again.predict(panel)
    assert np.array_equal(found.quantiles, expected.quantiles)
    assert np.array_equal(found.mean, expected.mean)
    assert again.recipe() == forecaster.recipe()
    assert json.loads(json.dumps(forecaster.recipe())) == forecaster.recipe()


def test_an_unknown_model_and_wrong_arguments_are_configuration_mistakes() -> None:
    with pytest.raises(ConfigError, match="did you mean 'seasonal_naive'"):
        build_forecaster("seasonal_naif", horizon=1, levels=LEVELS, season_lengths=())
    with pytest.raises(ConfigError) as caught:
        build_forecaster("gru", horizon=1, levels=LEVELS, season_lengths=(), arguments={"hidden": 3, "layers": "x"})
    assert len(caught.value.mistakes) == 2


@pytest.mark.parametrize(
    "recipe",
    [
        {}, {"kind": 7}, {"kind": "os.system"}, {"kind": "naive", "horizon": 1, "sink": {}}, {"kind": "naive", "horizon": 1, "command": "x"},
        {"kind": "gru", "horizon": 1, "encoder": "lstm"},
    ],
)  # fmt: skip
def test_a_recipe_can_name_nothing_but_what_the_registries_have(recipe: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="saved by another version"):
        rebuild(recipe, {})


def configuration(folder: Path) -> dict[str, object]:
    rows = pd.DataFrame({
        "shop": "007", "day": pd.date_range("2026-01-01", periods=20), "sold": np.arange(20.0), "price": 2.0, "odd": [np.inf] * 20,
    })  # fmt: skip
    rows.iloc[:15].to_csv(folder / "history.csv", index=False)
    rows.iloc[15:].drop(columns="sold").to_csv(folder / "future.csv", index=False)
    pd.DataFrame({"shop": ["007"], "area": [12.5], "town": ["x"]}).to_csv(folder / "shops.csv", index=False)
    names = {"unique_id": "shop", "ds": "day", "y": "sold"}
    return {
        "data": {
            "source": {"kind": "csv", "path": str(folder / "history.csv"), "columns": names},
            "future": {"kind": "csv", "path": str(folder / "future.csv"), "columns": names},
            "static": {"kind": "csv", "path": str(folder / "shops.csv"), "columns": names},
            "frequency": "D", "roles": {"known": ["price"], "static": ["area"]},
        },
        "task": {"horizon": 5, "levels": [0.5]}, "models": [{"model": "gru", "name": "mine", "hidden_size": 8}, {"model": "naive"}], "seed": 4,
    }  # fmt: skip


def test_only_columns_with_a_role_are_read(tmp_path: Path) -> None:
    config = check_config(configuration(tmp_path), "test")
    panel, future = read_panel(config.data), read_future(config.data)
    assert panel.roles == Roles(known=("price",), static=("area",))
    assert (list(panel.ids), panel.static.tolist()) == (["007"], [[12.5]])
    assert future is not None
    assert future.require(panel.ids, panel.ends + 1, 5).tolist() == [[[2.0]] * 5]


def test_a_missing_covariate_column_names_file_and_neighbour(tmp_path: Path) -> None:
    raw = configuration(tmp_path)
    raw["data"]["roles"]["known"] = ["prise"]  # type: ignore[index]
    with pytest.raises(InputMissing, match=r"history\.csv.*'prise'.*'price'"):
        read_panel(check_config(raw, "test").data)


def test_seed_and_name_reach_the_models_that_take_them(tmp_path: Path) -> None:
    config = check_config(configuration(tmp_path), "test")
    mine, naive = (build_model(config, section) for section in config.models)
    assert (mine.recipe()["seed"], mine.name, mine.levels, mine.horizon) == (4, "mine", (0.5,), 5)
    assert "seed" not in naive.recipe()
    assert build_task(config).season_lengths == (7,)
