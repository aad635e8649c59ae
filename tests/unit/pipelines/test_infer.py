"""The grid that a table's stamps lie on is found, or the user is asked."""

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import DataError
from forecast.core.frequency import Frequency
from pipelines.infer import infer_frequency

ALIASES = ["h", "30min", "15min", "D", "B", "W-SUN", "W-MON", "MS", "ME", "QS-JAN", "QS-FEB", "QE-DEC", "YS-JAN", "YE-DEC", "YS-APR",
           "s", "6h", "2D", "integer"]  # fmt: skip


def frame_of(alias: str, lengths: tuple[int, ...] = (60, 40), holes: int = 0) -> pd.DataFrame:
    frequency = Frequency.parse(alias)
    rng = np.random.default_rng(1)
    parts = []
    for series, length in enumerate(lengths):
        keep = np.sort(rng.choice(length, length - holes, replace=False))
        parts.append(pd.DataFrame({"unique_id": str(series), "ds": frequency.stamps(200 + 3 * series + keep)}))
    return pd.concat(parts).sample(frac=1, random_state=2)


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("holes", [0, 8])
def test_the_grid_of_shuffled_series_with_gaps_is_found(alias: str, holes: int) -> None:
    found = infer_frequency(frame_of(alias, holes=holes))
    assert found.kind == Frequency.parse(alias).kind
    frame = frame_of(alias, holes=holes)
    assert np.array_equal(found.stamps(found.ordinals(frame["ds"].to_numpy())[0]), frame["ds"].to_numpy())
    assert (found.width, found.at_end) == (Frequency.parse(alias).width, Frequency.parse(alias).at_end)


def test_days_that_include_weekends_are_not_business_days() -> None:
    assert infer_frequency(frame_of("D", lengths=(9,))).alias == "D"


def test_given_seasons_are_kept() -> None:
    assert infer_frequency(frame_of("h"), (24,)).season_lengths == (24,)


def test_one_stamp_per_series_asks_the_user() -> None:
    with pytest.raises(DataError, match="give it with --freq"):
        infer_frequency(pd.DataFrame({"unique_id": ["a", "b"], "ds": pd.to_datetime(["2026-01-01", "2026-01-02"])}))


def test_stamps_without_a_grid_ask_the_user() -> None:
    times = pd.to_datetime(["2026-01-01 00:00:00", "2026-01-01 00:00:07", "2026-01-01 05:13:20", "2026-03-01 11:00:01"])
    with pytest.raises(DataError, match="lie on no grid"):
        infer_frequency(pd.DataFrame({"unique_id": "a", "ds": times}))
