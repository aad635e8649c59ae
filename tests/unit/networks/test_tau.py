"""The tau of the quantile head moves the median, and nothing else of the loss."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from forecast.core.errors import ConfigError
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.networks.build import NetworkSettings, build_head
from forecast.networks.heads.quantile import MEDIAN_WEIGHT, QuantileHead
from forecast.networks.interfaces import HeadInput
from tests.unit.neural.worlds import HORIZON, LEVELS, quick


def _loss(tau: float, target: float) -> float:
    head = QuantileHead(levels=LEVELS, horizon=1, season_length=1, tau=tau)
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    given = HeadInput(torch.zeros(1, 1, 1, head.width), torch.zeros(1, 1, 1), torch.ones(1, 1, 1), 0 * one, one)
    return head.loss(given, target * one).item()


def test_the_losses_of_two_taus_differ_by_the_medians_part_alone() -> None:
    weight = 2 * MEDIAN_WEIGHT / (2 + MEDIAN_WEIGHT)
    assert _loss(0.45, 1.0) - _loss(0.5, 1.0) == pytest.approx(-0.05 * weight, rel=1e-4)
    assert _loss(0.45, -1.0) - _loss(0.5, -1.0) == pytest.approx(0.05 * weight, rel=1e-4)


def _skewed() -> Panel:
    """Exponential noise around a level: quantiles of close levels lie far apart."""
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame({"unique_id": f"s{n}", "ds": np.arange(80), "y": 10 + rng.exponential(3.0, size=80)}) for n in range(8)]
    return Panel.from_frame(pd.concat(frames), Frequency.parse("integer", (1,)))


def test_a_lower_tau_trains_a_lower_median() -> None:
    panel, medians = _skewed(), []
    for tau in (0.4, 0.5, 0.6):
        forecaster = quick(
            "gru", season_lengths=(), tau=tau, max_steps=60, validate_every=0, loss_weight="spread", learning_rate=1e-2
        )
        forecaster.fit(panel)
        medians.append(forecaster.predict(panel).quantiles[:, :, 1].mean())
    assert medians[0] < medians[1] - 0.1
    assert medians[1] < medians[2] - 0.1


@pytest.mark.parametrize(
    ("changes", "levels", "said"),
    [
        ({"tau": 0.39}, LEVELS, ["tau is 0.39", "0.4 to 0.6"]),
        ({"tau": 0.61}, LEVELS, ["tau is 0.61", "0.4 to 0.6"]),
        ({"tau": 0.45}, (0.1, 0.9), ["no median", "[0.1, 0.9]", "add the level 0.5"]),
        ({"tau": 0.45, "head": "point"}, LEVELS, ["'point' has none", "take the head 'quantile'"]),
    ],
)
def test_a_tau_that_cannot_be_is_refused(changes: dict[str, object], levels: tuple[float, ...], said: list[str]) -> None:
    settings = NetworkSettings(**changes)  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as caught:
        build_head(settings, horizon=HORIZON, levels=levels, season_length=7)
    assert all(text in str(caught.value) for text in said)
