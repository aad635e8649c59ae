"""When a value counts as recalled. Apart from the task, so that whoever only reports needs no torch."""

from __future__ import annotations

from forecast.probing.results import Recall

RECALLED = 0.9  # R^2; the sign alone, one bit, explains 0.75 of a uniform value and does not count
_RATIO = 1.15  # of neighbouring ages on a curve


def recall_of(explained: list[float], rate: float, loss: float) -> Recall:
    """Returns the horizon and a curve at ages that lie evenly on a log axis. explained: R^2 at ages 1, 2, ..."""
    oldest = len(explained)
    horizon = max((age for age, share in enumerate(explained, start=1) if share > RECALLED), default=0)
    ages, age = {oldest}, 1.0
    while age < oldest:
        ages.add(round(age))
        age *= _RATIO
    ladder = tuple(sorted(ages))
    return Recall(ladder, tuple(explained[a - 1] for a in ladder), horizon, horizon == oldest, rate, loss)
