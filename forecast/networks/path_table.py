"""Where the naive paths of one origin are read in the rows that a state carries, worked out once as tables.

A path is a gather of single rows, a mean of such gathers, or a line; with nothing missing that is all there is to it. Where rows are
missing, each entry has its candidates, newest first. It must not read values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from forecast.networks.naive_paths import NaivePaths

Indices: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class PathTable:
    """Tables of the paths in the order: last value, the cycles of all seasons, the means of cycles, drift, level.

    order: the place of each of them among the paths of `NaivePaths`. Shape [R].
    rows: n, rows that the paths are read from: the ring and the step itself, which is the last.
    cycles: row of each step of each cycle. Shape [G, H].
    candidates: rows that may stand in for it, newest first, n where there is none. Shape [G, H, candidates].
    means: weights of the cycles in the means, 1 / cycles or 0. Shape [means, G].
    level, drift: steps of the windows. oldest: the first row that counts.
    """

    order: Indices
    rows: int
    cycles: Indices
    candidates: Indices
    means: Floats
    level: int
    drift: int
    oldest: int

    @classmethod
    def of(cls, paths: NaivePaths, rows: int) -> PathTable:
        """Returns the tables of some paths that are read from the last `rows` rows."""
        order, means, members, place = [0], [], [], 1
        cycles: list[Indices] = []
        for season, count in zip(paths.season_lengths, paths.cycles, strict=True):
            members.append(range(len(cycles), len(cycles) + count))
            cycles += [rows - back * season + np.arange(paths.horizon) % season for back in range(1, count + 1)]
            order += range(place, place + count)
            means += [place + count] if count > 1 else []
            place += count + (count > 1)
        stand_ins = [_earlier(cycle, season, rows - 1 - paths.lead, rows) for cycle, season in _with_season(paths, cycles)]
        longest = max([s.shape[1] for s in stand_ins], default=1)
        filled = [np.pad(s, ((0, 0), (0, longest - s.shape[1])), constant_values=rows) for s in stand_ins]
        averaged = [[(g in group) / len(group) for g in range(len(cycles))] for group in members if len(group) > 1]
        return cls(
            np.array([*order, *means, place, place + 1]), rows, np.array(cycles, np.int64).reshape(-1, paths.horizon),
            np.array(filled, np.int64).reshape(-1, paths.horizon, longest), np.array(averaged).reshape(len(averaged), len(cycles)),
            paths.level_window, paths.drift_window, rows - 1 - paths.lead,
        )  # fmt: skip


def _with_season(paths: NaivePaths, cycles: list[Indices]) -> list[tuple[Indices, int]]:
    seasons = [season for season, count in zip(paths.season_lengths, paths.cycles, strict=True) for _ in range(count)]
    return list(zip(cycles, seasons, strict=True))


def _earlier(cycle: Indices, season: int, oldest: int, rows: int) -> Indices:
    """The rows of a cycle and those of its phases before it, none before `oldest`, for which `rows` stands. Shape [H, candidates]."""
    count = max(int((cycle.max() - oldest) // season) + 1, 1)
    found = cycle[:, None] - season * np.arange(count)
    return np.where(found >= oldest, found, rows)
