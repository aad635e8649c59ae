"""What users import from `forecast` is small, said on purpose, and costs nothing until it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import forecast

NAMES = [
    "CarriedState", "ConfigError", "DataError", "Evaluation", "ForecastError", "ForecastFrame", "Forecaster", "Frequency",
    "GateError", "KnownFuture", "ModelError", "Panel", "Roles", "StateError", "Task", "advance", "build_forecaster",
    "compare", "evaluate", "forecast_plot", "hidden_states", "hidden_states_by_step", "leaderboard", "load_config",
    "load_forecaster", "load_state", "model_names", "read_panel", "run_score", "save_bundle", "save_state", "start",
    "state_spec", "step", "update", "write_report",
]  # fmt: skip


def test_the_public_surface_is_what_this_list_says() -> None:
    assert forecast.__all__ == NAMES
    assert dir(forecast) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_carries_its_name(name: str) -> None:
    assert getattr(forecast, name).__name__ == name


def test_a_name_that_is_not_public_is_not_there() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        forecast.nonsense  # noqa: B018


def test_importing_the_library_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import forecast; print([m for m in ('pandas', 'numpy', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_panels_and_classical_models_need_no_torch() -> None:
    code = (
        "import sys; from forecast import Panel, Task, build_forecaster, evaluate, leaderboard\n"
        "build_forecaster('seasonal_naive', horizon=2, levels=(0.5,), season_lengths=(7,))\n"
        "print([m for m in ('torch', 'mlflow', 'plotly', 'statsforecast') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
