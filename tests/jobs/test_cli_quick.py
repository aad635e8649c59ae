"""`forecast quick`: a table in, a ForecastFrame out, no configuration."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.jobs.command_line import Ran, run, sales

NAMES = ("--id", "shop", "--time", "day", "--target", "sold")


def quick(folder: Path, output: str, *options: str) -> Ran:
    return run("quick", folder / "sales.csv", "--horizon", "7", "--output", folder / output, *NAMES, *options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sales().to_csv(tmp_path / "sales.csv", index=False)
    return tmp_path


def test_every_series_is_forecast_after_its_own_end(folder: Path) -> None:
    frame = sales()
    frame[(frame["shop"] != "003") | (frame["day"] < "2026-04-01")].to_csv(folder / "sales.csv", index=False)
    done = quick(folder, "out.parquet", "--model", "seasonal_naive", "--levels", "0.1,0.5,0.9")
    assert done.code == 0, done.err
    out = pd.read_parquet(folder / "out.parquet")
    assert (len(out), list(out.columns)) == (
        42, ["unique_id", "cutoff", "ds", "step", "mean", "q0.1", "q0.5", "q0.9", "model", "status", "reason"]
    )  # fmt: skip
    ends = out.groupby("unique_id")["cutoff"].first().dt.strftime("%Y-%m-%d").to_dict()
    assert (ends["003"], ends["000"]) == ("2026-03-31", "2026-05-04")
    assert np.isfinite(out[["mean", "q0.1", "q0.9"]].to_numpy()).all()
    assert ["D (found in the data)" in done.out, "each series' own end" in done.out] == [True, True]
    assert [event["event"] for event in done.events()] == ["frequency found in the data", "model fitted"]


def test_the_suffix_decides_the_format_and_the_values_are_the_same(folder: Path) -> None:
    for name in ("a.parquet", "b.csv", "c.csv.gz", "d.tsv"):
        assert quick(folder, name, "--model", "drift", "--freq", "D").code == 0
    expected = pd.read_parquet(folder / "a.parquet")
    for name, separator in (("b.csv", ","), ("c.csv.gz", ","), ("d.tsv", "\t")):
        found = pd.read_csv(folder / name, sep=separator, dtype={"unique_id": str}, float_precision="round_trip")
        assert found["unique_id"].tolist() == expected["unique_id"].tolist()
        assert np.array_equal(found["q0.9"], expected["q0.9"])


def test_known_covariates_are_used_and_must_reach_over_the_horizon(folder: Path) -> None:
    days = pd.date_range("2026-05-05", periods=7)
    future = pd.concat([pd.DataFrame({"shop": f"00{n}", "day": days, "promo": 1}) for n in range(6)])
    future.to_csv(folder / "future.csv", index=False)
    options = ("--model", "ridge", "--known", "promo", "--future", str(folder / "future.csv"))
    assert quick(folder, "out.csv", *options).code == 0
    future.iloc[:-1].to_csv(folder / "future.csv", index=False)
    done = quick(folder, "again.csv", *options)
    assert (done.code, "005" in done.err, (folder / "again.csv").exists()) == (65, True, False)


def test_names_are_found_in_all_three_tables_and_used(folder: Path) -> None:
    rows = sales()
    rows["event"] = np.where(rows.index % 11 == 0, "fair", "none")
    rows["sold"] += 20.0 * (rows["event"] == "fair")
    rows.to_csv(folder / "sales.csv", index=False)
    shops = pd.DataFrame({"shop": sorted(rows["shop"].unique()), "kind": ["a", "b", "a", "b", "a", "b"], "area": 3.5})
    shops.to_csv(folder / "shops.csv", index=False)
    days = pd.date_range("2026-05-05", periods=7)
    forecasts = []
    for event in ("none", "fair", "moon landing"):
        pd.concat([pd.DataFrame({"shop": f"00{n}", "day": days, "event": event}) for n in range(6)]).to_csv(
            folder / "future.csv", index=False
        )
        options = ("--known", "event", "--future", str(folder / "future.csv"), "--static", str(folder / "shops.csv"))
        done = quick(folder, "out.parquet", "--model", "ridge", *options)
        assert done.code == 0, done.err
        forecasts.append(pd.read_parquet(folder / "out.parquet")["mean"].to_numpy())
    assert (forecasts[1] > forecasts[0] + 3).mean() > 0.8
    assert np.isfinite(forecasts[2]).all()


def test_the_same_input_gives_the_same_bytes(folder: Path) -> None:
    assert [quick(folder, name, "--model", "hist_gradient_boosting").code for name in ("a.parquet", "b.parquet")] == [0, 0]
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(folder: Path) -> None:
    sales(days=25).to_csv(folder / "sales.csv", index=False)  # short series: a training step costs next to nothing
    digests = []
    for name, seed in (("a.csv", "3"), ("b.csv", "3"), ("c.csv", "4")):
        assert quick(folder, name, "--seed", seed).code == 0
        digests.append(hashlib.sha256((folder / name).read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]


def test_an_output_folder_that_is_not_there_is_73_before_any_work(folder: Path) -> None:
    done = quick(folder, "nowhere/out.csv", "--model", "naive")
    assert (done.code, done.events()) == (73, [])


def test_a_table_whose_grid_cannot_be_seen_asks_for_it(folder: Path) -> None:
    sales(days=1).to_csv(folder / "sales.csv", index=False)
    done = quick(folder, "out.csv", "--model", "naive")
    assert (done.code, "--freq" in done.err) == (65, True)
