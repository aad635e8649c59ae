"""Finds sources and models by name in the closed registries, importing only the registry that is asked.

A configuration of classical models must not load torch: the networks' registry is opened last, and only for a name that no
other registry has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from forecast.core.forecaster import Forecaster

Maker = Callable[..., Forecaster]

# Registry modules in the order of what their import costs.
_MODELS = (
    ("forecast.baselines.registry", "BASELINES"),
    ("forecast.neural.registry", "NEURAL"),
    ("forecast.ensembling.registry", "ENSEMBLES"),
)


def find_model(name: str) -> Maker | None:
    """Returns what makes the forecaster of a name; None where no registry has it."""
    for module, attribute in _MODELS:
        registry = _registry(module, attribute)
        if name in registry:
            return registry[name]
    return None


def model_names() -> tuple[str, ...]:
    """Returns the names of all models, registry by registry."""
    return tuple(name for module, attribute in _MODELS for name in _registry(module, attribute))


def source_kinds() -> Mapping[str, Callable[..., object]]:
    """Returns the sources by kind."""
    from forecast.storage.sources.registry import SOURCES

    return SOURCES


def sink_kinds() -> Mapping[str, Callable[..., object]]:
    """Returns the sinks by kind."""
    from forecast.storage.sinks.registry import SINKS

    return SINKS


def _registry(module: str, attribute: str) -> Mapping[str, Maker]:
    return cast(Mapping[str, Maker], getattr(import_module(module), attribute))
