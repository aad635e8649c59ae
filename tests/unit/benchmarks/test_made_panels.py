"""Generated panels: the same every time, measurable, and with as much in them as they say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.made_panels import MADE, NOTHING_TO_LEARN, made_case
from forecast.core.seasonal_error import seasonal_errors

every_panel = pytest.mark.parametrize("name", sorted(MADE))


@every_panel
def test_the_same_seed_makes_the_same_panel_and_another_one_another(name: str) -> None:
    assert made_case(name).panel.fingerprint() == made_case(name).panel.fingerprint()
    assert made_case(name).panel.fingerprint() != made_case(name, seed=1).panel.fingerprint()


@every_panel
def test_every_series_has_a_finite_scale_in_its_history_and_a_whole_truth(name: str) -> None:
    case, recipe = made_case(name), MADE[name]
    histories = case.panel.lengths - case.task.horizon
    assert len(case.panel) == recipe.series
    assert recipe.rows[0] <= histories.min()
    assert histories.max() <= recipe.rows[1]
    assert np.isfinite(case.panel.y).all()
    scale = seasonal_errors(case.panel, case.task.cutoffs(case.panel), case.task.scale_season).absolute
    assert np.isfinite(scale).all()
    assert (scale > 0).all()


def test_the_panels_with_nothing_to_learn_are_the_size_that_was_asked_for() -> None:
    sizes = {name: (len(made_case(name).panel), made_case(name).task.horizon) for name in NOTHING_TO_LEARN}
    assert sizes == {"random_walks": (200, 30), "white_noise": (200, 30), "short_series": (200, 4)}


def test_walks_remember_everything_and_noise_nothing() -> None:
    def memory(name: str) -> float:
        panel = made_case(name).panel
        return float(np.mean([np.corrcoef(y[1:], y[:-1])[0, 1] for y in map(panel.series, range(len(panel)))]))

    assert memory("random_walks") > 0.9
    assert abs(memory("white_noise")) < 0.03
