"""Forecasts of networks with fixed random weights, written down once: a change of the arithmetic does not go unnoticed.

After a change that is meant, take the new numbers from the failing test's message.
"""

from __future__ import annotations

from typing import get_args

import pytest

from forecast.networks.settings import EncoderName
from tests.unit.networks.worlds import Reader, random_network, random_y

# Median of the last origin of the first series, steps 1 and 6; the untouched parts of the path are the data and the naive paths.
GOLDEN: dict[EncoderName, tuple[float, float]] = {
    "elman": (39.4246, 35.7172),
    "lstm": (31.9971, 30.2526),
    "gru": (16.5395, 25.1267),
    "stacked": (54.535, 36.8708),
    "dilated": (40.3241, 34.2185),
    "esrnn": (24.2784, 23.0159),
    "linear": (36.3815, 34.3864),
    "segrnn": (32.8601, 25.0458),
    "mqrnn": (30.4, 25.7553),
    "seq2seq": (35.2832, 29.6233),
    "deepar": (31.9971, 30.2526),  # not rolled out it is the LSTM
    "min_gru": (27.4838, 15.633),
    "min_lstm": (40.4537, 29.4546),
    "s4d": (49.1116, 21.7431),
    "mamba": (31.9389, 17.8715),
    "bidirectional": (35.1389, 29.1981),
    "seq2seq_attention": (28.861, 23.1571),
    "transformer": (30.5075, 37.2787),
    "slstm": (43.3072, 43.3451),
    "mlstm": (47.1199, 31.5803),
    "rwkv": (35.3478, 26.9653),
}


def test_every_network_has_its_golden_forecast() -> None:
    assert set(GOLDEN) == set(get_args(EncoderName))


@pytest.mark.parametrize("encoder", sorted(GOLDEN))
def test_the_forecast_is_the_one_written_down(encoder: EncoderName) -> None:
    prediction, _ = Reader(random_network(encoder), random_y(2, 30)).whole()
    medians = prediction.quantiles[0, -1, :, 1]
    assert (medians[0].item(), medians[5].item()) == pytest.approx(GOLDEN[encoder], rel=1e-4)
