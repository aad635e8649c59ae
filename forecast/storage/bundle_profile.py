"""What the training data looked like, so that a later run can see that its input is something else.

Ids are kept as marks (a short digest), which tell new series from known ones without naming anybody. It must not judge: limits
belong to the checks of a job.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from forecast.core.arrays import FloatArray
from forecast.core.errors import ModelError
from forecast.core.panel import Panel

_PROBABILITIES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def training_profile(panel: Panel) -> dict[str, Any]:
    """Returns the profile of a panel as JSON values; None where nothing is observed.

    Keys: series, rows, missing_share, zero_share, negative_share (shares of rows; the last two of observed ones), first and last
    (stamps), lengths and scales (quantiles over series by probability; a scale is the mean absolute observation, data units),
    id_marks (ascending).
    """
    observed = ~np.isnan(panel.y)
    seen = panel.y[observed]
    series = np.repeat(np.arange(len(panel)), panel.lengths)
    counts = np.bincount(series[observed], minlength=len(panel))
    totals = np.bincount(series[observed], weights=np.abs(seen), minlength=len(panel))
    ends = np.array([panel.starts.min(), panel.ends.max()]) if len(panel) else np.zeros(0, dtype=np.int64)
    first, last = (str(stamp) for stamp in panel.frequency.stamps(ends)) if len(panel) else (None, None)
    return {
        "series": len(panel),
        "rows": panel.rows,
        "missing_share": _share(~observed),
        "zero_share": _share(seen == 0),
        "negative_share": _share(seen < 0),
        "first": first,
        "last": last,
        "lengths": _quantiles(panel.lengths.astype(np.float64)),
        "scales": _quantiles(totals[counts > 0] / counts[counts > 0]),
        "id_marks": sorted(_mark(unique_id) for unique_id in panel.ids),
    }


def compare_ids(profile: Mapping[str, Any], ids: Sequence[str]) -> tuple[list[str], int]:
    """Returns the ids that were not in training, ascending, and the number of training series that are not among `ids`.

    Raises:
        ModelError: the profile has no id marks.
    """
    if "id_marks" not in profile:
        raise ModelError("the profile of the bundle has no id marks; train and save the model again")
    known, given = set(profile["id_marks"]), {_mark(unique_id): unique_id for unique_id in ids}
    return sorted(given[mark] for mark in given.keys() - known), len(known - given.keys())


def _mark(unique_id: str) -> str:
    return hashlib.sha256(unique_id.encode()).hexdigest()[:16]


def _share(mask: FloatArray | np.typing.NDArray[np.bool_]) -> float | None:
    return float(mask.mean()) if len(mask) else None


def _quantiles(values: FloatArray) -> dict[str, float] | None:
    if not len(values):
        return None
    return {f"{p:g}": float(q) for p, q in zip(_PROBABILITIES, np.quantile(values, _PROBABILITIES), strict=True)}
