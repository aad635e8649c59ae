"""Checks the arguments of a component against its own constructor, so that a new component needs no change of the configuration.

It must not build anything, nor know a component by name.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeVar, final, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from forecast.config.mistakes import explain
from forecast.config.text import Raw

Section = TypeVar("Section", bound=BaseModel)

# What the task, the data and the section's own keys say, and what a job injects.
TASK_ARGUMENTS = frozenset({"horizon", "levels", "season_lengths", "name", "sink", "progress"})
INJECTED = frozenset({"sink", "progress"})


@final
@dataclass(frozen=True, slots=True)
class Checked:
    """Arguments of the right types, in constructor order, or the lines that say what is wrong with them."""

    values: Mapping[str, Any]
    mistakes: tuple[str, ...]


def check_arguments(
    component: Callable[..., object], raw: Raw, *, reserved: Collection[str] = (), prefix: tuple[str | int, ...] = ()
) -> Checked:
    """Returns the given arguments as the component's constructor types them; arguments not given are left to its defaults.

    Args:
        component: A class or function whose parameters are annotated.
        raw: Plain values by argument name.
        reserved: Parameters that the caller fills in; they may not be given.
        prefix: Path of `raw` inside the configuration, for the messages.
    """
    model = signature_model(component, frozenset(reserved))
    try:
        parsed = validate_plain(model, raw)
    except ValidationError as error:
        return Checked({}, tuple(explain(error, raw, model, prefix)))
    given = [(name, field.alias or name) for name, field in model.model_fields.items() if name in parsed.model_fields_set]
    return Checked({argument: getattr(parsed, name) for name, argument in given}, ())


def validate_plain(model: type[Section], raw: Any) -> Section:
    """Returns the model of plain values read strictly: text is no number and 1 is not true, but a list may fill a tuple.

    Raises:
        ValidationError: all that is wrong.
    """
    return model.model_validate_json(json.dumps(raw), strict=True)


def parameter_names(component: Callable[..., object]) -> frozenset[str]:
    """Returns the names of the arguments that a component takes."""
    return frozenset(inspect.signature(component).parameters)


@cache
def signature_model(component: Callable[..., object], reserved: frozenset[str]) -> type[BaseModel]:
    """Returns a frozen model with one field per keyword parameter of a component, without the reserved and the bound ones."""
    target, bound = _unwrap(component)
    hints = get_type_hints(target.__init__ if inspect.isclass(target) else target)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(component).parameters.items():
        if name in reserved | bound or parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        if hasattr(BaseModel, name):  # `copy`, `json`: a field of that name would hide a method of the model
            fields[f"{name}_"] = (hints.get(name, Any), Field(default, alias=name))
        else:
            fields[name] = (hints.get(name, Any), default)
    settings = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, protected_namespaces=())
    return create_model(getattr(target, "__name__", "Arguments"), __config__=settings, **fields)


def _unwrap(component: Callable[..., object]) -> tuple[Callable[..., object], frozenset[str]]:
    """The class or function inside partials, and the arguments that they bind."""
    bound: frozenset[str] = frozenset()
    while isinstance(component, partial):
        bound |= frozenset(component.keywords)
        component = component.func
    return component, bound
