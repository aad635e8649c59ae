"""The closed list of ensembles by name. Importing it loads torch and Lightning."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from forecast.core.forecaster import Forecaster
from forecast.ensembling.auto import AutoForecaster

ENSEMBLES: Mapping[str, Callable[..., Forecaster]] = {"auto": AutoForecaster}
