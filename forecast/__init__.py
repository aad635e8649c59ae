"""Forecasts of many time series by recurrent networks and classical baselines: the names that users of the library import.

Each name is imported when it is first asked for, so that `import forecast` costs nothing and only networks load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast.config.load import load_config as load_config
    from forecast.core.errors import ConfigError as ConfigError
    from forecast.core.errors import DataError as DataError
    from forecast.core.errors import ForecastError as ForecastError
    from forecast.core.errors import GateError as GateError
    from forecast.core.errors import ModelError as ModelError
    from forecast.core.errors import StateError as StateError
    from forecast.core.forecast_frame import ForecastFrame as ForecastFrame
    from forecast.core.forecaster import Forecaster as Forecaster
    from forecast.core.frequency import Frequency as Frequency
    from forecast.core.known_future import KnownFuture as KnownFuture
    from forecast.core.panel import Panel as Panel
    from forecast.core.panel import Roles as Roles
    from forecast.evaluation.backtest import evaluate as evaluate
    from forecast.evaluation.evaluation import Evaluation as Evaluation
    from forecast.evaluation.leaderboard import leaderboard as leaderboard
    from forecast.evaluation.significance import compare as compare
    from forecast.evaluation.task import Task as Task
    from forecast.factory import build_forecaster as build_forecaster
    from forecast.factory import load_forecaster as load_forecaster
    from forecast.factory import load_state as load_state
    from forecast.factory import model_names as model_names
    from forecast.factory import read_panel as read_panel
    from forecast.factory import save_state as save_state
    from forecast.neural.advance import advance as advance
    from forecast.neural.carried_state import start as start
    from forecast.neural.carried_state import step as step
    from forecast.neural.carried_state import update as update
    from forecast.neural.hidden_states import hidden_states as hidden_states
    from forecast.neural.hidden_states import hidden_states_by_step as hidden_states_by_step
    from forecast.neural.hidden_states import state_spec as state_spec
    from forecast.neural.state_value import CarriedState as CarriedState
    from forecast.reporting.plots import forecast_plot as forecast_plot
    from forecast.reporting.report import write_report as write_report
    from forecast.scoring.job import run_score as run_score
    from forecast.storage.bundle import save_bundle as save_bundle

_PLACES = {
    "CarriedState": "neural.state_value",
    "ConfigError": "core.errors",
    "DataError": "core.errors",
    "Evaluation": "evaluation.evaluation",
    "ForecastError": "core.errors",
    "ForecastFrame": "core.forecast_frame",
    "Forecaster": "core.forecaster",
    "Frequency": "core.frequency",
    "GateError": "core.errors",
    "KnownFuture": "core.known_future",
    "ModelError": "core.errors",
    "Panel": "core.panel",
    "Roles": "core.panel",
    "StateError": "core.errors",
    "Task": "evaluation.task",
    "advance": "neural.advance",
    "build_forecaster": "factory",
    "compare": "evaluation.significance",
    "evaluate": "evaluation.backtest",
    "forecast_plot": "reporting.plots",
    "hidden_states": "neural.hidden_states",
    "hidden_states_by_step": "neural.hidden_states",
    "leaderboard": "evaluation.leaderboard",
    "load_config": "config.load",
    "load_forecaster": "factory",
    "load_state": "factory",
    "model_names": "factory",
    "read_panel": "factory",
    "run_score": "scoring.job",
    "save_bundle": "storage.bundle",
    "save_state": "factory",
    "start": "neural.carried_state",
    "state_spec": "neural.hidden_states",
    "step": "neural.carried_state",
    "update": "neural.carried_state",
    "write_report": "reporting.report",
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    """Returns a public name from the module that has it."""
    if name not in _PLACES:
        raise AttributeError(f"module 'forecast' has no attribute {name!r}")
    value = getattr(import_module(f"forecast.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Returns the public names."""
    return sorted(_PLACES)
