"""Two runs have one key if and only if their outputs cannot differ."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from forecast.core.arrays import AnyArray
from forecast.core.forecaster import Weights
from forecast.scoring.key import model_digest, run_key, table_digest
from tests.faults.score_world import LastValue, table


def test_parts_that_only_look_alike_when_joined_differ() -> None:
    assert run_key({"a": "1", "b": "23"}) != run_key({"a": "12", "b": "3"})
    assert run_key({"a": "1", "b": "2"}) == run_key({"b": "2", "a": "1"})


@pytest.mark.parametrize(
    "other",
    [
        table(["a"]).assign(y=lambda f: f["y"].where(f.index != 3, f["y"] + 1e-12)),
        table(["a"]).assign(ds=lambda f: f["ds"] + pd.Timedelta(days=1)),
        table(["a"]).assign(unique_id="b"),
        table(["a"]).assign(unique_id="a\0b"),
        table(["a"]).assign(y=np.nan),
        table(["a"]).iloc[::-1],
        table(["a"]).iloc[:-1],
        table(["a"]).rename(columns={"y": "z"}),
    ],
)
def test_any_change_of_a_table_changes_its_digest(other: pd.DataFrame) -> None:
    assert table_digest(table(["a"])) != table_digest(other)


def test_ids_that_differ_after_a_nul_differ() -> None:
    digests = [table_digest(pd.DataFrame({"unique_id": [unique_id]})) for unique_id in ("a\0b", "a\0c", "a", "a\0")]
    assert len(set(digests)) == 4


def test_the_index_does_not_count_and_a_missing_table_is_not_an_empty_one() -> None:
    frame = table(["a", "b"])
    assert table_digest(frame) == table_digest(frame.set_index(frame.index + 7))
    assert table_digest(frame, None) != table_digest(frame, frame.iloc[:0])


def test_every_weight_counts() -> None:
    class Weighted(LastValue):
        values: AnyArray = np.arange(4.0)

        def weights(self) -> Weights:
            return {"w": self.values}

    plain, changed, reshaped, single = Weighted(), Weighted(), Weighted(), Weighted()
    changed.values = np.nextafter(plain.values, 9)
    reshaped.values = plain.values.reshape(2, 2)
    single.values = plain.values.astype(np.float32).astype(np.float64)
    digests = [model_digest(model) for model in (plain, changed, reshaped, Weighted(name="other"))]
    assert all(a != b for a, b in pairwise(digests))
    assert model_digest(plain) == model_digest(single)
