"""The sample panel: generated, the same at every run, and as its README says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from data.generate_sample import HISTORY, HORIZON, write
from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles
from forecast.storage.sources.parquet_source import ParquetSource

SAMPLE = Path(__file__).parents[3] / "data" / "sample"
FILES = ("future", "sales", "stores")
KNOWN = ("promo", "price", "holiday")
DAILY = Frequency.parse("D")


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write(folder)
    return folder


@pytest.fixture(scope="module")
def sales() -> pd.DataFrame:
    return ParquetSource(SAMPLE / "sales.parquet").read()


@pytest.fixture(scope="module")
def panel(sales: pd.DataFrame) -> Panel:
    static = ParquetSource(SAMPLE / "stores.parquet").read("static")
    return Panel.from_frame(sales, DAILY, Roles(known=KNOWN, static=("floor_area", "perishable")), static)


@pytest.mark.parametrize("name", FILES)
def test_the_committed_files_are_what_the_generator_writes(regenerated: Path, name: str) -> None:
    committed, again = SAMPLE / f"{name}.parquet", regenerated / f"{name}.parquet"
    assert pq.read_table(again).equals(pq.read_table(committed))
    if pq.read_metadata(committed).created_by == pq.read_metadata(again).created_by:  # another writer, other bytes
        assert again.read_bytes() == committed.read_bytes()


def test_two_runs_write_the_same_bytes(regenerated: Path, tmp_path: Path) -> None:
    for path in write(tmp_path):
        assert path.read_bytes() == (regenerated / path.name).read_bytes()


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 400_000
    assert sorted(path.stem for path in SAMPLE.iterdir()) == sorted(FILES)


def test_there_are_sixty_series_over_three_years_with_known_columns_in_every_row(panel: Panel, sales: pd.DataFrame) -> None:
    assert len(panel) == 60
    assert panel.lengths.max() == HISTORY
    assert len(np.unique(panel.ends)) == 1
    assert not sales[list(KNOWN)].isna().any(axis=None)
    assert all(name.startswith("0") or name[0] in "12" for name in panel.ids)
    assert any(name.startswith("0") for name in panel.ids)


def test_the_known_columns_of_the_next_four_weeks_are_all_there(panel: Panel) -> None:
    future = ParquetSource(SAMPLE / "future.parquet").read("future")
    known = KnownFuture.from_frame(future, DAILY, KNOWN)
    assert known.require(panel.ids, panel.ends + 1, HORIZON).shape == (60, HORIZON, 3)
    assert len(future) == 60 * HORIZON


def test_it_has_short_gappy_and_intermittent_series(panel: Panel, sales: pd.DataFrame) -> None:
    assert int((panel.lengths < 365).sum()) == 5
    assert int((panel.lengths < HORIZON).sum()) == 2
    without_row = np.isnan(panel.known[:, 0])
    assert len(np.unique(np.searchsorted(panel.offsets, np.flatnonzero(without_row), side="right"))) == 3
    assert int((np.isnan(panel.y) & ~without_row).sum()) > 30
    assert (sales.groupby("unique_id")["y"].median() == 0).sum() >= 5


def test_no_row_is_missing_in_the_last_year(panel: Panel) -> None:
    """So that a backtest finds the known columns of every horizon."""
    assert not np.isnan(panel.tail(365).known).any()


def test_sales_are_whole_and_not_negative(sales: pd.DataFrame) -> None:
    y = sales["y"].dropna()
    assert (y >= 0).all()
    assert (y == y.round()).all()


def test_promotions_cut_the_price_and_raise_the_sales(sales: pd.DataFrame) -> None:
    by_promo = sales.groupby(["unique_id", "promo"]).agg(price=("price", "mean"), y=("y", "mean")).unstack()
    both = by_promo.dropna()
    assert len(both) > 40
    assert (both["price"][1.0] < both["price"][0.0]).all()
    assert (both["y"][1.0] > both["y"][0.0]).mean() > 0.9


def test_shops_have_their_own_week_and_products_their_own_year(sales: pd.DataFrame) -> None:
    sunday = sales["ds"].dt.dayofweek == 6
    of = sales["unique_id"].str[:3]
    assert (sales.loc[sunday & of.isin(["007", "012", "104"]), "y"].fillna(0) == 0).all()
    assert sales.loc[sunday & (of == "250"), "y"].mean() > 10
    month = sales.assign(month=sales["ds"].dt.month, product=sales["unique_id"].str[4:]).groupby(["product", "month"])["y"].mean()
    assert month["strawberries-500g"].idxmax() in (5, 6)
    assert month["chocolate-box"].idxmax() == 12
    assert month["ice-cream-tub"].idxmax() in (6, 7, 8)
