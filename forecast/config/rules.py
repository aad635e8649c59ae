"""The scoring job's declared decisions as sections of a configuration, taken from the job's own types.

A policy that the job learns can be written in a file at once. It must not add a decision of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pydantic import BaseModel

from forecast.config.arguments import signature_model
from forecast.scoring.request import Bounds, Gates, Policies, Staleness

if TYPE_CHECKING:
    PoliciesSection: TypeAlias = BaseModel
    StalenessSection: TypeAlias = BaseModel
    GatesSection: TypeAlias = BaseModel
    BoundsSection: TypeAlias = BaseModel
else:
    PoliciesSection = signature_model(Policies, frozenset())
    StalenessSection = signature_model(Staleness, frozenset())
    GatesSection = signature_model(Gates, frozenset())
    BoundsSection = signature_model(Bounds, frozenset())
