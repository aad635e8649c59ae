"""The counting, the rates and the race of the speed benchmark, on numbers that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.train_speed import (
    Rate,
    judged_by,
    mase,
    middle,
    middle_seconds,
    race_lines,
    rate,
    reachable,
    seconds_to,
    speed_table,
)
from benchmarks.train_speed_ours import supervised_origins
from forecast.networks.interfaces import Batch
from tests.unit.networks.worlds import HORIZON, Reader, random_network, random_y

TICKS = [(0.0, 0.0, 0), (9.0, 9.0, 10), (10.0, 9.5, 30), (11.0, 10.0, 50)]
STEPS = 30


def _batch(y: torch.Tensor) -> Batch:
    reader = Reader(random_network("gru"), y)
    batch = reader.batch(0, STEPS, reader.every(0, STEPS))
    lead = torch.full((len(y), reader.network.lead), torch.nan, dtype=torch.float64)
    return batch._replace(y=torch.cat([lead, y], dim=1))


def test_a_rate_leaves_the_warm_up_out() -> None:
    assert rate(TICKS, 1) == Rate(wall=20.0, cpu=40.0, step_ms=500.0, origins=20.0)
    with pytest.raises(ValueError, match="nothing is left"):
        rate(TICKS, 3)


def test_medians_are_of_each_number_on_its_own() -> None:
    assert middle([Rate(1, 30, 5, 2), Rate(2, 20, 9, 2), Rate(9, 10, 7, 2)]) == Rate(2, 20, 7, 2)


def test_the_table_divides_every_rate_by_that_of_the_peer() -> None:
    rows = speed_table({"ours": Rate(900, 1000, 1, 1), "peer": Rate(200, 250, 1, 1)}, against="peer")
    assert [row.split()[-1] for row in rows[1:]] == ["4.00", "1.00"]
    assert speed_table({"ours": Rate(1, 1, 1, 1)}, against="peer")[1].split()[-1] == "-"


def test_origins_count_that_have_a_past_and_a_target() -> None:
    y = random_y(1, STEPS + HORIZON).nan_to_num(50.0)
    whole = _batch(y)
    network = random_network("gru")
    assert supervised_origins(network, whole) == STEPS
    y[:, :5] = torch.nan  # five steps at which nothing is known yet
    assert supervised_origins(network, _batch(y)) == STEPS - 5
    y[:, 20:] = torch.nan  # the last target is step 19: step 18 is the last origin
    assert supervised_origins(network, _batch(y)) == 19 - 5


def test_uncounted_origins_are_those_whose_loss_is_nothing() -> None:
    network, y = random_network("gru"), random_y(1, STEPS + HORIZON)
    batch = _batch(y)
    alone = [batch._replace(origins=batch.origins[:, [step]]) for step in range(STEPS)]
    learnt = [float(network.loss(one).detach()) != 0 for one in alone]
    assert [supervised_origins(network, one) == 1 for one in alone] == learnt
    assert supervised_origins(network, batch) == sum(learnt)


def test_mase_is_the_mean_of_the_series_own_ratios() -> None:
    forecasts = np.array([[[1.0, 3.0], [10.0, 10.0], [0.0, 0.0]]])
    actual = np.array([[1.0, 1.0], [14.0, 6.0], [5.0, 5.0]])
    assert mase(forecasts, actual, np.array([2.0, 1.0, 0.0])).tolist() == [(1.0 / 2 + 4.0 / 1) / 2]


def test_the_target_is_what_all_runs_of_the_peer_reach() -> None:
    curves = [np.array([3.0, 1.0, 2.0]), np.array([3.0, 2.5, 1.5])]
    target = reachable(curves)
    assert target == 1.5
    assert [seconds_to(target, [1.0, 2.0, 3.0], curve) for curve in curves] == [2.0, 3.0]
    assert seconds_to(0.5, [1.0, 2.0, 3.0], curves[0]) is None


def test_a_median_run_that_did_not_get_there_has_no_seconds() -> None:
    assert middle_seconds([5.0, None, 3.0]) == 5.0
    assert middle_seconds([None, None, 3.0]) is None
    found = {"medians": {"ours": 2.0, "peer": None}, "seconds": {"ours": [2.0], "peer": [None]}, "target": 1.0, "limit": 9.0}
    lines = race_lines("gru", found)
    assert "2.0 CPU s here, not reached within 9 CPU s of the peer, ratio -" in lines[0]
    assert race_lines("gru", found | {"medians": {"ours": 2.0, "peer": 5.0}})[0].endswith("ratio 2.5")


def test_the_judge_knows_actual_values_and_seasonal_differences_by_id() -> None:
    before = pd.DataFrame({"unique_id": ["b"] * 3 + ["a"] * 3, "ds": [1, 2, 3] * 2, "y": [0.0, 1.0, 4.0, 7.0, 7.0, 7.0]})
    after = pd.DataFrame({"unique_id": ["b", "a"], "ds": [4, 4], "y": [5.0, 7.0]})
    actual, unit = judged_by(before, after, 1)
    assert actual.tolist() == [[7.0], [5.0]]
    assert unit.tolist() == [0.0, 2.0]
    assert judged_by(before, after, 2)[1].tolist() == [0.0, 4.0]
