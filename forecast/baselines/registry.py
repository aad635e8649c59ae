"""The closed list of baselines by name. Importing it must stay cheap: the libraries behind the models are imported when they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from forecast.baselines.flat_models import CrostonSbaModel, WindowAverageModel
from forecast.baselines.local_forecaster import LocalForecaster
from forecast.baselines.local_model import LocalModel
from forecast.baselines.naive_models import DriftModel, MeanModel, NaiveModel, SeasonalNaiveModel
from forecast.baselines.statistical_models import STATISTICAL_MODELS
from forecast.core.forecaster import DEFAULT_LEVELS, Forecaster

LOCAL_MODELS: tuple[LocalModel, ...] = (
    NaiveModel(), SeasonalNaiveModel(), DriftModel(), MeanModel(), CrostonSbaModel(), *STATISTICAL_MODELS,
)  # fmt: skip


def window_average(
    *, horizon: int, levels: Sequence[float] = DEFAULT_LEVELS, season_lengths: Sequence[int] = (), name: str | None = None,
    history_limit: int | None = None, window: int | None = None,
) -> Forecaster:  # fmt: skip
    """Returns the forecaster of the average of the last `window` values; see WindowAverageModel and LocalForecaster."""
    model = WindowAverageModel(window)
    return LocalForecaster(
        model, horizon=horizon, levels=levels, season_lengths=season_lengths, name=name, history_limit=history_limit
    )


BASELINES: Mapping[str, Callable[..., Forecaster]] = {
    **{model.kind: partial(LocalForecaster, model) for model in LOCAL_MODELS},
    "window_average": window_average,
}
