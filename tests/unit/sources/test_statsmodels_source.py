"""The real series that come with statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import ConfigError, InputMissing
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.storage.sources.statsmodels_source import DATASETS, StatsmodelsSource


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_every_data_set_is_a_panel_on_its_own_frequency(dataset: str) -> None:
    source = StatsmodelsSource(dataset)
    panel = Panel.from_frame(source.read(), Frequency.parse(source.frequency))
    assert panel.lengths.min() >= 100
    assert np.isnan(panel.y).mean() < 0.05
    assert dataset in source.describe()


def test_macrodata_is_twelve_quarterly_series_without_a_change() -> None:
    frame = StatsmodelsSource("macrodata").read()
    assert frame["unique_id"].nunique() == 12
    gdp = frame[frame["unique_id"] == "realgdp"].set_index("ds")["y"]
    assert (gdp.index[0], gdp.index[-1], len(gdp)) == (pd.Timestamp("1959-01-01"), pd.Timestamp("2009-07-01"), 203)
    assert gdp.loc["1959-04-01"] == 2778.801


def test_years_of_twelve_columns_become_one_monthly_series() -> None:
    frame = StatsmodelsSource("elnino").read()
    assert len(frame) == 61 * 12
    pd.testing.assert_index_equal(
        pd.DatetimeIndex(frame["ds"]), pd.date_range("1950-01-01", periods=732, freq="MS", name="ds"), exact="equiv"
    )


def test_some_series_can_be_chosen() -> None:
    assert sorted(StatsmodelsSource("macrodata", series=("unemp", "cpi")).read()["unique_id"].unique()) == ["cpi", "unemp"]
    with pytest.raises(InputMissing, match=r"no series \['gdp'\]; it has realgdp"):
        StatsmodelsSource("macrodata", series=("gdp",)).read()


def test_an_unknown_data_set_gets_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="no data set 'macro_data'; nearest: 'macrodata'"):
        StatsmodelsSource("macro_data")


@pytest.mark.parametrize("content", ["future", "static"])
def test_there_is_a_history_alone(content: str) -> None:
    with pytest.raises(InputMissing, match=f"has no {content} table"):
        StatsmodelsSource("nile").read(content)  # type: ignore[arg-type]
