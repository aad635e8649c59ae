"""The closed list of baselines by name. Importing it must stay cheap: the libraries behind the models are imported when they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from forecast.baselines.flat_models import CrostonSbaModel, WindowAverageModel
from forecast.baselines.global_forecaster import GlobalForecaster
from forecast.baselines.local_forecaster import LocalForecaster
from forecast.baselines.local_model import LocalModel
from forecast.baselines.naive_models import DriftModel, MeanModel, NaiveModel, SeasonalNaiveModel
from forecast.baselines.ridge import RidgeLearner
from forecast.baselines.statistical_models import STATISTICAL_MODELS
from forecast.baselines.trees import TreesLearner
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


def ridge(
    *, horizon: int, levels: Sequence[float] = DEFAULT_LEVELS, season_lengths: Sequence[int] = (), seed: int = 0,
    name: str | None = None, penalty: float = 0.01, origins: int = 16_000,
) -> Forecaster:  # fmt: skip
    """Returns the forecaster of one ridge regression per step; see RidgeLearner and GlobalForecaster."""
    learner = RidgeLearner(penalty, origins)
    return GlobalForecaster(learner, horizon=horizon, levels=levels, season_lengths=season_lengths, seed=seed, name=name)


def hist_gradient_boosting(
    *, horizon: int, levels: Sequence[float] = DEFAULT_LEVELS, season_lengths: Sequence[int] = (), seed: int = 0,
    name: str | None = None, trees: int = 200, learning_rate: float = 0.1, leaves: int = 31, rows: int = 100_000,
) -> Forecaster:  # fmt: skip
    """Returns the forecaster of boosted trees over all series and steps; see TreesLearner and GlobalForecaster."""
    learner = TreesLearner(trees, learning_rate, leaves, rows)
    return GlobalForecaster(learner, horizon=horizon, levels=levels, season_lengths=season_lengths, seed=seed, name=name)


BASELINES: Mapping[str, Callable[..., Forecaster]] = {
    **{model.kind: partial(LocalForecaster, model) for model in LOCAL_MODELS},
    "window_average": window_average,
    "ridge": ridge,
    "hist_gradient_boosting": hist_gradient_boosting,
}
