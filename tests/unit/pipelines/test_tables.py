"""Tables say the important things on a narrow terminal too."""

import numpy as np
import pandas as pd
import pytest

from pipelines.tables import columns_that_fit, numbers, stamp_text

COLUMNS, ROWS = ["model", "mase", "wql", "MB"], [["seasonal_naive", "1.000", "0.100", "153.2"]]


@pytest.mark.parametrize(
    ("width", "kept"), [(80, COLUMNS), (30, ["model", "mase", "wql"]), (25, ["model", "mase"]), (3, ["model", "mase"])]
)
def test_spare_columns_go_in_their_order_until_the_rest_fits(width: int, kept: list[str]) -> None:
    assert columns_that_fit(COLUMNS, ROWS, width, ["MB", "wql"]) == kept


def test_a_number_that_cannot_be_measured_is_a_dash() -> None:
    frame = pd.DataFrame({"a": [1234.5678, np.nan], "b": ["x", "y"], "c": [1, 2]})
    assert numbers(frame) == [["1,234.568", "x", "1"], ["-", "y", "2"]]


def test_a_stamp_has_no_zeros_at_its_end() -> None:
    stamps = [np.datetime64("2026-05-03", "ns"), np.datetime64("2026-05-03T14:30", "ns"), 17]
    assert [stamp_text(stamp) for stamp in stamps] == ["2026-05-03", "2026-05-03 14:30:00", "17"]
