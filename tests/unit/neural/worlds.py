"""Small panels and quick settings for the laws of the neural forecaster."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd

from forecast.core.forecaster import Forecaster
from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles
from forecast.networks.build import build_network
from forecast.networks.covariates import Columns
from forecast.networks.settings import EncoderName, NetworkSettings
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.registry import NEURAL

HORIZON = 4
LEVELS = (0.1, 0.5, 0.9)


def ragged_panel(series: int = 6, longest: int = 70, covariates: bool = False, seed: int = 0) -> Panel:
    """Returns weekly-seasonal daily series of 1 to `longest` days with gaps; the first ones have 1, 2, 5 days."""
    rng = np.random.default_rng(seed)
    lengths = [*(1, 2, 5), *rng.integers(40, longest + 1, max(series - 3, 0))][:series]
    frames = []
    for number, length in enumerate(lengths):
        start = pd.Timestamp("2024-01-01") + pd.Timedelta(days=int(rng.integers(20)))
        t = np.arange(length)
        y = 20 + 10 * number + 5 * np.sin(2 * np.pi * t / 7) + rng.normal(size=length)
        y[1:][rng.random(length - 1) < 0.1] = np.nan
        frame = pd.DataFrame({"unique_id": f"s{number:02d}", "ds": pd.date_range(start, periods=length, freq="D"), "y": y})
        frames.append(frame.assign(promo=(rng.random(length) < 0.2).astype(float)))
    roles = Roles(known=("promo",)) if covariates else Roles()
    return Panel.from_frame(pd.concat(frames), Frequency.parse("D", (7,)), roles)


def quick(model: str = "gru", **changes: object) -> NeuralForecaster:
    """Returns an untrained small network that trains in a second."""
    arguments: dict[str, object] = {
        "horizon": HORIZON, "levels": LEVELS, "season_lengths": (7,), "hidden_size": 8, "lags": 14, "max_steps": 6, "validate_every": 3,
        "batch_size": 8, "segment": 24, "layers": 2,
    }  # fmt: skip
    made: Forecaster = NEURAL[model](**(arguments | changes))
    assert isinstance(made, NeuralForecaster)
    return made


def future_of(panel: Panel, value: float = 0.5) -> KnownFuture:
    """Returns the promo column of the H days after each series' end."""
    offsets = np.arange(len(panel) + 1) * HORIZON
    return KnownFuture(("promo",), panel.ids, offsets, panel.ends + 1, np.full((len(panel) * HORIZON, 1), value))


def _carries(name: str) -> bool:
    """Whether the network of a name can be fed piece by piece."""
    settings = NetworkSettings(encoder=cast(EncoderName, name), lags=8, hidden_size=8)
    return build_network(settings, horizon=1, levels=LEVELS, season_lengths=(), columns=Columns()).encoder.carries


CARRYING = sorted(filter(_carries, NEURAL))
