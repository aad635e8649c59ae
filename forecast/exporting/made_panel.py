"""A panel to compare an export on where no data are at hand: seasons, noise, gaps, a constant, zeros. It must not be learned from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles

SERIES = 8


def made_panel(frequency: Frequency, roles: Roles, season_lengths: tuple[int, ...], rows: int) -> Panel:
    """Returns SERIES series with the covariates of some roles; the first one has `rows` rows, each next one fewer."""
    rng, season = np.random.default_rng(0), season_lengths[0] if season_lengths else 5
    start = np.array([0]) if frequency.kind == "integer" else np.array(["2024-01-01"], "datetime64[ns]")
    first = int(frequency.ordinals(start)[0][0])
    frames = []
    for number in range(SERIES):
        t = np.arange(rows - number * (rows // (3 * SERIES)))
        y = 100.0 + 20.0 * np.sin(2 * np.pi * t / season) + rng.normal(0.0, 3.0, len(t)).cumsum() / 3
        y = {0: y, 1: np.zeros(len(t)), 2: np.full(len(t), 7.3)}.get(number, y * 10.0 ** (number - 4))
        y[1:][rng.random(len(t) - 1) < 0.03 * number * (number > 2)] = np.nan
        covariates = {name: rng.normal(size=len(t)) for name in (*roles.known, *roles.past)}
        stamps = frequency.stamps(first + t)
        frames.append(pd.DataFrame({"unique_id": f"made_{number}", "ds": stamps, "y": y, **covariates}))
    static = pd.DataFrame(
        {"unique_id": [f"made_{n}" for n in range(SERIES)], **{name: rng.normal(size=SERIES) for name in roles.static}}
    )
    return Panel.from_frame(pd.concat(frames), frequency, roles, static if roles.static else None)
