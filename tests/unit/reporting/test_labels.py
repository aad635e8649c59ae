"""Labels of a scatter chart never lie on each other."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from forecast.reporting.labels import box_of, place_labels


@pytest.mark.parametrize("seed", range(10))
def test_no_label_lies_on_another_or_on_a_point(seed: int) -> None:
    chance = np.random.default_rng(seed)
    x, y = chance.random(15).tolist(), (0.3 * chance.random(15)).tolist()
    texts = ["m" * int(n) for n in chance.integers(3, 25, 15)]
    sides = place_labels(x, y, texts)
    boxes = [(i, box_of(x[i], y[i], texts[i], side)) for i, side in enumerate(sides) if side]
    assert not any(a.meets(b) for (_, a), (_, b) in combinations(boxes, 2))
    assert not any(box.meets(box_of(x[j], y[j], "", "")) for i, box in boxes for j in range(15) if j != i)


def test_the_first_labels_choose_first_and_a_label_without_room_is_left_out() -> None:
    sides = place_labels([0.5] * 12, [0.5] * 12, ["a long label"] * 12)
    assert sides[:2] == ["top center", "bottom center"]
    assert sides[-1] is None
    assert place_labels([0.2, 0.8], [0.5, 0.5], ["a", "b"]) == ["top center", "top center"]
