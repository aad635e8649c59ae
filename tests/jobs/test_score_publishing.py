"""A run publishes one whole result, once, and the same inputs always give the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from forecast.core.errors import ConfigError
from forecast.scoring.job import Surroundings, run_score
from forecast.storage.sinks.file_sink import read_footer
from forecast.storage.sinks.sql_sink import SqlSink
from pipelines.score import score_request
from pipelines.verbs import read_config
from tests.faults.score_world import HORIZON, LAST_DAY, LastValue, contents, names, published, request, table, with_frame

COLUMNS = [
    "run_date",
    "unique_id",
    "cutoff",
    "ds",
    "step",
    "mean",
    "q0.1",
    "q0.5",
    "q0.9",
    "model",
    "model_version",
    "status",
    "reason",
]


def test_a_run_publishes_every_step_of_every_series(tmp_path: Path) -> None:
    report = run_score(request(tmp_path, table(["a", "b"])))
    frame = pd.read_parquet(published(tmp_path))
    assert list(frame.columns) == COLUMNS
    assert list(zip(frame["unique_id"], frame["step"], strict=True)) == [(i, s) for i in "ab" for s in (1, 2, 3)]
    assert (frame["cutoff"] == LAST_DAY).all()
    assert (frame["ds"] == LAST_DAY + pd.to_timedelta(frame["step"], unit="D")).all()
    assert (frame["status"] == "ok").all()
    assert (frame["model_version"] == "1").all()
    assert report.published
    assert report.summary() == "2 series = 2 ok + 0 fallback + 0 quarantined + 0 excluded"


def test_the_second_run_finds_nothing_to_do_and_changes_no_byte(tmp_path: Path) -> None:
    first = run_score(request(tmp_path, table(names(5))))
    before = contents(tmp_path)
    inode = published(tmp_path).stat().st_ino
    model = LastValue()
    second = run_score(request(tmp_path, table(names(5)), model))
    assert contents(tmp_path) == before
    assert published(tmp_path).stat().st_ino == inode
    assert not model.asked
    assert second == replace(first, published=False)


def test_two_folders_get_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        run_score(request(tmp_path / folder, table(names(300))))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_number_of_shards_leaves_no_trace(tmp_path: Path) -> None:
    frame = table(names(700), days=10)
    run_score(request(tmp_path / "one", frame, shard_series=1024))
    run_score(request(tmp_path / "three", frame, shard_series=256))
    assert contents(tmp_path / "one") == contents(tmp_path / "three")


def test_the_order_of_the_rows_leaves_no_trace_in_the_forecasts(tmp_path: Path) -> None:
    frame = table(names(10))
    run_score(request(tmp_path / "one", frame))
    run_score(request(tmp_path / "two", frame.sample(frac=1.0, random_state=1)))
    one, two = (pd.read_parquet(published(tmp_path / folder)) for folder in ("one", "two"))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


@pytest.mark.parametrize("change", ["data", "version", "configuration", "code"])
def test_whatever_the_output_depends_on_makes_another_run(tmp_path: Path, change: str) -> None:
    asked = request(tmp_path, table(["a", "b"]))
    first = run_score(asked)
    frame = table(["a", "b"])
    frame.loc[frame.index[-1], "y"] += 1e-9
    changed = {
        "data": with_frame(asked, frame),
        "version": request(tmp_path, table(["a", "b"]), version="2"),
        "configuration": replace(asked, configuration="another"),
        "code": replace(asked, code_version="0.2.0"),
    }[change]
    second = run_score(changed)
    assert second.published
    assert second.key != first.key


def test_a_readers_glob_sees_only_what_is_published(tmp_path: Path) -> None:
    frame = table(["a", "b"])
    frame.loc[frame["unique_id"] == "b", "y"] = np.nan
    asked = request(tmp_path, pd.concat([frame, table(names(20))]))
    run_score(asked)
    run_score(replace(asked, run_date=date(2026, 3, 2)))
    assert list((tmp_path / "_quarantine").rglob("*.part"))
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.parquet"))
    assert found == ["run_date=2026-03-01/forecasts.parquet", "run_date=2026-03-02/forecasts.parquet"]
    whole = pd.read_parquet(tmp_path)
    assert len(whole) == 2 * 21 * HORIZON
    assert not whole.duplicated(["run_date", "unique_id", "step"]).any()


def test_rows_after_the_cutoff_change_no_byte(tmp_path: Path) -> None:
    frame = table(names(4))
    late = table([*names(3), "born later"], days=5, end=LAST_DAY + pd.Timedelta(days=5)).assign(y=1e9)
    ugly = late.head(2).assign(ds=LAST_DAY + pd.Timedelta(days=2, hours=7), y=np.inf)
    run_score(request(tmp_path / "then", frame))
    run_score(request(tmp_path / "now", pd.concat([late, ugly, frame, late], ignore_index=True)))
    assert contents(tmp_path / "then") == contents(tmp_path / "now")


def test_a_series_that_ended_early_is_forecast_after_the_common_cutoff(tmp_path: Path) -> None:
    model = LastValue()
    run_score(request(tmp_path, pd.concat([table(["a"]), table(["b"], end=LAST_DAY - pd.Timedelta(days=6))]), model))
    frame = pd.read_parquet(published(tmp_path))
    assert (frame.groupby("unique_id")["ds"].min() == LAST_DAY + pd.Timedelta(days=1)).all()
    assert np.isnan(model.histories[0].series(1)[-6:]).all()


def test_the_run_report_is_the_footer_and_can_be_rebuilt(tmp_path: Path) -> None:
    asked = request(tmp_path, table(["a"]))
    report = tmp_path / "_runs" / f"{run_score(asked).key}.json"
    assert json.loads(report.read_text()) == read_footer(published(tmp_path))
    before = report.read_bytes()
    report.unlink()
    assert not run_score(asked).published
    assert report.read_bytes() == before


def test_no_work_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "_work" / "2026-03-01-of-another-key").mkdir(parents=True)
    run_score(request(tmp_path, table(["a"])))
    assert not list((tmp_path / "_work").iterdir())


def test_a_damaged_published_file_is_published_again(tmp_path: Path) -> None:
    asked = request(tmp_path, table(["a"]))
    run_score(asked)
    whole = published(tmp_path).read_bytes()
    published(tmp_path).write_bytes(whole[: len(whole) // 2])
    assert run_score(asked).published
    assert published(tmp_path).read_bytes() == whole


def test_the_clock_reaches_no_published_file(tmp_path: Path) -> None:
    run_score(request(tmp_path / "early", table(["a"])), Surroundings(clock=lambda: 0.0))
    run_score(request(tmp_path / "late", table(["a"])), Surroundings(clock=lambda: 2e9))
    assert contents(tmp_path / "early") == contents(tmp_path / "late")


def test_a_run_publishes_to_a_database_once_and_a_changed_one_replaces_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"sqlite:///{tmp_path}/data.db"
    monkeypatch.setenv("FORECAST_DATABASE_URL", address)
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    asked = replace(request(tmp_path / "out", table(names(3))), sink=SqlSink())
    first = run_score(asked)
    second = run_score(asked)
    assert (first.published, second) == (True, replace(first, published=False))
    assert first.place.startswith("forecasts of sqlite")
    before = pd.read_sql("select * from forecasts", engine)
    assert len(before) == 3 * HORIZON
    assert not published(tmp_path / "out").exists()
    run_score(with_frame(asked, table(names(2))))
    assert sorted(pd.read_sql("select * from forecasts", engine)["unique_id"].unique()) == names(2)


def test_a_configuration_names_its_sink() -> None:
    file = Path(__file__).parents[2] / "configs" / "score" / "sample.yaml"
    config = read_config(file, ["score.sink.kind=sql", "score.sink.table=shop.forecasts"])
    sink = score_request(config, date(2026, 5, 4)).sink
    assert sink is not None
    assert type(sink) is SqlSink
    with pytest.raises(ConfigError) as wrong:
        read_config(file, ["score.sink.kind=sql", "score.sink.tabel=x"])
    assert any(mistake.startswith("score.sink.tabel") for mistake in wrong.value.mistakes)
