"""The guide's examples run: clusters of hidden states say what they are said to say."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from forecast import hidden_states, start
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from tests.architecture.source_tree import ROOT
from tests.unit.neural.worlds import quick


def _two_kinds() -> Panel:
    """Six series with a week and six that alternate."""
    rng, t, frames = np.random.default_rng(0), np.arange(80), []
    for number in range(12):
        wave = np.sin(2 * np.pi * t / 7) if number < 6 else (-1.0) ** t
        y = 20 + 5 * wave + rng.normal(size=80)
        ds = pd.date_range("2024-01-01", periods=80, freq="D")
        frames.append(pd.DataFrame({"unique_id": f"s{number:02d}", "ds": ds, "y": y}))
    return Panel.from_frame(pd.concat(frames), Frequency.parse("D", (7,)))


def test_the_examples_of_the_guide_find_the_two_kinds_of_series() -> None:
    panel, gru = _two_kinds(), quick(hidden_size=16)
    gru.fit(panel)
    names: dict[str, Any] = {"gru": gru, "panel": panel, "state": start(gru, panel), "hidden_states": hidden_states}
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "state.md").read_text(), flags=re.DOTALL)
    for example in examples[1:]:
        exec(example, names)
    groups = names["groups"]
    assert len(set(groups[:6])) == len(set(groups[6:])) == 1
    assert groups[0] != groups[6]
