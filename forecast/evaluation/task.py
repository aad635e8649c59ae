"""Everything that defines an experiment but the model and the data, as one frozen value with a fingerprint.

Two runs are comparable only if the fingerprints of their tasks and of their panels agree. This module must not know models.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, final

import numpy as np

from forecast.core.arrays import IntArray
from forecast.core.errors import ConfigError
from forecast.core.forecaster import DEFAULT_LEVELS
from forecast.core.panel import Panel
from forecast.evaluation.metrics import METRICS

Refit: TypeAlias = Literal["never", "each"]
Anchor: TypeAlias = Literal["series_end", "calendar"]

DEFAULT_METRICS = (
    "mase",
    "smape",
    "wql",
    "scaled_quantile_loss",
    "rmsse",
    "coverage_80",
    "width_80",
    "mae",
    "rmse",
    "bias",
    "scaled_bias",
)
_FORMAT = 1  # of the fingerprint: raise it when the meaning of a field changes


@final
@dataclass(frozen=True, slots=True)
class Task:
    """A rolling-origin experiment.

    horizon: H, the steps of each forecast.
    windows: W, the number of cutoffs of each series.
    step: steps between neighbouring cutoffs; None for one horizon, so that windows do not overlap.
    season_lengths: the first is the season of the scaled metrics; none means 1. It belongs to the experiment and need not be the
        season of the data: the M4 competition measures weekly series with season 1.
    levels: quantile levels that every forecast must have.
    metrics: names in `METRICS`; the first one ranks.
    refit: `never` fits once, on the rows up to the first cutoff; `each` fits again at every cutoff.
    anchor: `series_end` makes the last H rows of each series its last window (the split of the M competitions); `calendar` counts back
        from the panel's last stamp, the same cutoffs for all series.

    Raises:
        ConfigError: fields that make no sense, all at once.
    """

    horizon: int
    windows: int = 1
    step: int | None = None
    season_lengths: tuple[int, ...] = ()
    levels: tuple[float, ...] = DEFAULT_LEVELS
    metrics: tuple[str, ...] = DEFAULT_METRICS
    refit: Refit = "never"
    anchor: Anchor = "series_end"

    def __post_init__(self) -> None:
        mistakes = [*_counts(self), *_levels(self.levels), *_metrics(self.metrics)]
        mistakes += [] if self.refit in ("never", "each") else [f"task.refit: {self.refit!r} is not 'never' or 'each'"]
        mistakes += (
            [] if self.anchor in ("series_end", "calendar") else [f"task.anchor: {self.anchor!r} is not 'series_end' or 'calendar'"]
        )
        if mistakes:
            raise ConfigError(f"the task has {len(mistakes)} mistakes; correct them:", mistakes)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Task:
        """Returns the task of what `fields` gave, read back from JSON."""
        plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
        return cls(**plain)

    def fields(self) -> dict[str, Any]:
        """Returns the fields as plain JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @property
    def stride(self) -> int:
        """Steps between neighbouring cutoffs."""
        return self.horizon if self.step is None else self.step

    @property
    def scale_season(self) -> int:
        """The season of the scaled metrics, in steps."""
        return self.season_lengths[0] if self.season_lengths else 1

    def cutoffs(self, panel: Panel) -> IntArray:
        """Returns the ordinals of the last known step, ascending along W. Shape [N, W].

        A series may be too short for some of them: those lie before its first row.
        """
        ends = panel.ends if self.anchor == "series_end" else np.full(len(panel), panel.last_cutoff)
        back = self.stride * np.arange(self.windows - 1, -1, -1)
        return np.asarray(ends[:, None] - self.horizon - back, dtype=np.int64)

    def training_part(self, panel: Panel) -> Panel:
        """Returns the rows up to the first cutoff; series without one are left out."""
        return panel.until(self.cutoffs(panel)[:, 0])

    def fingerprint(self) -> str:
        """Returns the SHA-256 of all fields: equal for equal experiments, in every process and version of Python."""
        fields = {**self.fields(), "step": self.stride, "format": _FORMAT}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _counts(task: Task) -> list[str]:
    found = {"horizon": task.horizon, "windows": task.windows} | ({} if task.step is None else {"step": task.step})
    found |= {f"season_lengths.{i}": m for i, m in enumerate(task.season_lengths)}
    return [f"task.{name}: {value!r} is not a whole number from 1 up" for name, value in found.items() if not _is_count(value)]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _levels(levels: tuple[float, ...]) -> list[str]:
    outside = [f"task.levels.{i}: {q!r} is not between 0 and 1" for i, q in enumerate(levels) if not 0 < q < 1]
    ordered = all(a < b for a, b in itertools.pairwise(levels))
    return outside or ([] if ordered else [f"task.levels: {list(levels)} do not ascend"])


def _metrics(names: tuple[str, ...]) -> list[str]:
    if not names:
        return ["task.metrics: none given; name at least one, the first ranks"]
    again = [
        f"task.metrics: {name!r} is there {names.count(name)} times" for name in sorted({n for n in names if names.count(n) > 1})
    ]
    unknown = [f"task.metrics.{i}: {_unknown(name)}" for i, name in enumerate(names) if name not in METRICS]
    ranks = names[0] not in METRICS or METRICS[names[0]].better == "lower"
    return (
        unknown
        + again
        + ([] if ranks else [f"task.metrics.0: {names[0]!r} cannot rank; put one first whose lower values are better"])
    )


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, METRICS, n=1)
    return f"{name!r} is unknown; " + (f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(METRICS))}")
