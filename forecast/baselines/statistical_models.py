"""The statistical models of statsforecast, one row of a table each, with the intervals that it has or should have.

The library is called at its lowest level, one series at a time: its own loop over a panel stops at the first series that fails.
Three of its intervals were found wrong and are computed here instead (tests show the first and the last): ETS uses the season count of the last
step for all steps, the class-2 variance of a trend with season multiplies alpha into it, and Theta with an additive season counts
the season itself as noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from forecast.baselines.filling import seasonal_fill
from forecast.baselines.intervals import normal_quantiles
from forecast.baselines.local_model import LocalForecast, LocalModel, Question, TooShort
from forecast.core.arrays import FloatArray

Fit = Callable[[FloatArray, int, tuple[int, ...]], tuple[FloatArray, FloatArray]]
"""Complete series, horizon, usable season lengths -> mean [H] and standard deviation [H]."""

ARIMA_LONGEST_SEASON = 24  # the state of a seasonal ARIMA has more than one number per step of its season
_ONE_SIGMA = 68.26894921370858  # percent between mean - 1 sigma and mean + 1 sigma


@final
@dataclass(frozen=True, slots=True)
class StatisticalModel(LocalModel):
    """One model of the library. It is fitted in units of the series' mean size, so that its optimiser sees no units.

    Missing values are filled along their phase (`seasonal_fill`); a constant series is its own forecast, without width. Seasons
    that do not fit twice into the history are left out; the others reach `fit`, shortest first.
    """

    kind: str
    fit: Fit
    cost: str
    min_rows: int
    history_limit: int | None = None

    def forecast(self, y: FloatArray, question: Question) -> LocalForecast:
        """Returns the model's mean and its normal quantiles.

        Raises:
            TooShort: fewer than `min_rows` rows.
        """
        if len(y) < self.min_rows:
            raise TooShort(f"{len(y)} rows, {self.min_rows} are needed")
        seasons = tuple(m for m in question.season_lengths if len(y) >= max(2 * m, m + 9))
        complete = seasonal_fill(y, seasons[0] if seasons else 1)
        size = float(np.mean(np.abs(complete)))
        if complete.min() == complete.max():
            mean, spread, size = np.full(question.horizon, complete[-1]), np.zeros(question.horizon), 1.0
        else:
            mean, spread = self.fit(complete / size, question.horizon, seasons)
        return LocalForecast(mean * size, normal_quantiles(mean * size, spread * size, question.levels))


def _ets(y: FloatArray, horizon: int, season_length: int, components: str) -> tuple[FloatArray, FloatArray]:
    from statsforecast.models import AutoETS

    fitted = AutoETS(season_length, model=components).fit(y)
    mean = np.asarray(fitted.predict(horizon)["mean"], dtype=np.float64)
    return mean, ets_spread(fitted.model_, mean)


def auto_ets(y: FloatArray, horizon: int, seasons: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Error, trend and season chosen by AICc; uses the shortest season."""
    return _ets(y, horizon, seasons[0] if seasons else 1, "ZZZ")


def holt_winters(y: FloatArray, horizon: int, seasons: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Additive trend and season; Holt's linear trend where no season fits."""
    return _ets(y, horizon, seasons[0] if seasons else 1, "AAA" if seasons else "AAN")


def auto_theta(y: FloatArray, horizon: int, seasons: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """The best of four Theta models by mean squared error."""
    return _theta(y, horizon, seasons, None)


def dynamic_optimized_theta(y: FloatArray, horizon: int, seasons: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """The Theta model with an optimised second line and a drift that moves (Fiorucci et al. 2016)."""
    return _theta(y, horizon, seasons, "DOTM")


def _theta(y: FloatArray, horizon: int, seasons: tuple[int, ...], model: str | None) -> tuple[FloatArray, FloatArray]:
    from statsforecast.models import AutoTheta

    fitted = AutoTheta(seasons[0] if seasons else 1, model=model).fit(y)
    return np.asarray(fitted.predict(horizon)["mean"], dtype=np.float64), theta_spread(fitted.model_, horizon)


def auto_arima(y: FloatArray, horizon: int, seasons: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Stepwise search by AICc, approximate for long histories as in the R package; seasons above 24 steps are left out."""
    from statsforecast.models import AutoARIMA

    m = seasons[0] if seasons and seasons[0] <= ARIMA_LONGEST_SEASON else 1
    return _library(AutoARIMA(season_length=m, approximation=len(y) > 150 or m > 12), y, horizon)


def mstl(y: FloatArray, horizon: int, seasons: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """All seasons taken out by repeated STL, the rest forecast by ETS without season; just that ETS where no season fits."""
    from statsforecast.models import MSTL, AutoETS

    return _library(MSTL(list(seasons)) if seasons else AutoETS(model="ZZN"), y, horizon)


def _library(model: Any, y: FloatArray, horizon: int) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation from the library's own normal interval."""
    out = model.forecast(y=y, h=horizon, level=[_ONE_SIGMA])
    mean = np.asarray(out["mean"], dtype=np.float64)
    return mean, np.asarray(out[f"hi-{_ONE_SIGMA}"] - out[f"lo-{_ONE_SIGMA}"], dtype=np.float64) / 2


def ets_spread(model: Any, mean: FloatArray) -> FloatArray:
    """Returns the standard deviation of each step of a fitted ETS model.

    Args:
        model: `AutoETS(...).fit(y).model_`.
        mean: Its forecast. Shape [H].

    Source: Hyndman, Koehler, Ord & Snyder (2008), Forecasting with Exponential Smoothing, sections 6.2 and 6.3.
    """
    error, _, season, _ = model["components"]
    alpha, beta, gamma, phi = (0.0 if np.isnan(p) else float(p) for p in model["par"][:4])
    m, sigma2, steps = int(model["m"]), float(model["sigma2"]), np.arange(1, len(mean) + 1)
    damping = np.cumsum((phi if model["components"][3] == "D" else 1.0) ** steps)  # phi_j
    c = alpha + beta * damping + gamma * ((steps % m == 0) & (season == "A"))
    if error == "A":  # eq. 6.1: v_h = sigma^2 (1 + sum of c_j^2, j < h)
        return np.sqrt(sigma2 * (1 + np.concatenate([[0.0], np.cumsum(c[:-1] ** 2)])))
    factor: FloatArray = np.ones(len(mean))
    growth: FloatArray = np.ones(len(mean))
    if season == "M":  # the last m states are s_t, s_{t-1}, ...: step h uses the one of its phase
        factor = np.asarray(model["states"][-1][-m:][::-1][(steps - 1) % m])
        growth = np.asarray((1 + gamma**2 * sigma2) ** ((steps - 1) // m), dtype=np.float64)
    level = mean / factor
    theta: FloatArray = np.square(level)
    for h in range(1, len(mean)):  # eq. 6.2: theta_h = mu_h^2 + sigma^2 sum of c_j^2 theta_{h-j}
        theta[h] += sigma2 * np.dot(c[:h] ** 2, theta[:h][::-1])
    variance = factor**2 * (theta * (1 + sigma2) * growth - level**2)
    return np.sqrt(np.maximum(variance, 0.0))


def theta_spread(model: Any, horizon: int) -> FloatArray:
    """Returns the standard deviation of each step of a fitted Theta model, as simple exponential smoothing with drift.

    Args:
        model: `AutoTheta(...).fit(y).model_`.
        horizon: H.

    Source: Hyndman & Billah (2003), International Journal of Forecasting 19(2): sigma^2 (1 + (h - 1) alpha^2).
    """
    residuals: FloatArray = model["residuals"]
    factor: FloatArray = np.ones(horizon)
    if model.get("decompose", False):  # the library hands residuals out with the season put back
        season = model["seas_forecast"]["mean"]
        inside = season[np.arange(-len(residuals), 0) % len(season)]
        multiplicative = model["decomposition_type"] == "multiplicative"
        residuals = residuals / inside if multiplicative else residuals - inside
        factor = np.asarray(season[np.arange(horizon) % len(season)]) if multiplicative else factor
    start = 3 if len(residuals) > 4 else 0  # the library's burn-in
    sigma = float(np.std(residuals[start:], ddof=1))
    return np.asarray(factor * sigma * np.sqrt(1 + np.arange(horizon) * model["par"]["alpha"] ** 2))


STATISTICAL_MODELS = (
    StatisticalModel("holt_winters", holt_winters, "0.05 s per series of 700 rows with season 24", min_rows=9),
    StatisticalModel("auto_ets", auto_ets, "0.3 s per series of 700 rows with season 24", min_rows=7),
    StatisticalModel("auto_theta", auto_theta, "0.05 s per series of 700 rows", min_rows=5),
    StatisticalModel("dynamic_optimized_theta", dynamic_optimized_theta, "0.02 s per series of 700 rows", min_rows=5),
    StatisticalModel("auto_arima", auto_arima, "3 to 10 s per series of 700 rows with season 24", min_rows=5, history_limit=1000),
    StatisticalModel("mstl", mstl, "0.15 s per series of 700 rows with seasons 24 and 168", min_rows=7),
)
