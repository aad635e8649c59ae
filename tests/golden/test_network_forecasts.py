"""Forecasts of networks with fixed random weights, written down once: a change of the arithmetic does not go unnoticed.

After a change that is meant, take the new numbers from the failing test's message.
"""

from __future__ import annotations

from typing import get_args

import pytest

from forecast.networks.build import EncoderName
from tests.unit.networks.worlds import Reader, random_network, random_y

# Median of the last origin of the first series, steps 1 and 6; the untouched parts of the path are the data and the naive paths.
GOLDEN: dict[EncoderName, tuple[float, float]] = {
    "elman": (35.154, 32.7159),
    "lstm": (34.5559, 26.6494),
    "gru": (32.5606, 22.4541),
    "stacked": (36.1467, 25.7296),
    "dilated": (34.2703, 32.5695),
    "esrnn": (24.97, 29.8347),
}


def test_every_network_has_its_golden_forecast() -> None:
    assert set(GOLDEN) == set(get_args(EncoderName))


@pytest.mark.parametrize("encoder", sorted(GOLDEN))
def test_the_forecast_is_the_one_written_down(encoder: EncoderName) -> None:
    prediction, _ = Reader(random_network(encoder), random_y(2, 30)).whole()
    medians = prediction.quantiles[0, -1, :, 1]
    assert (medians[0].item(), medians[5].item()) == pytest.approx(GOLDEN[encoder], rel=1e-4)
