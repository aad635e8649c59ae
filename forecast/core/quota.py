"""How many processors and how much memory this process may use: the container's quota, never the host's count.

It must not start anything.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def cpu_quota(cgroup: Path = CGROUP) -> int:
    """Returns the whole number of processors to use, at least 1: the least of affinity, cgroup version 2 and version 1."""
    limits = [float(len(os.sched_getaffinity(0)))]
    limits += _quota_v2(cgroup / "cpu.max") + _quota_v1(cgroup / "cpu")
    return max(1, math.floor(min(limits)))


def memory_limit(cgroup: Path = CGROUP) -> int:
    """Returns the bytes of memory that this process may use: the least of the machine's and the container's."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        text = _read(file)
        if text.isdecimal():
            limits.append(int(text))
    return min(limits)


def _quota_v2(file: Path) -> list[float]:
    """The limit of `cpu.max`, which holds quota and period in microseconds, or `max` for none."""
    words = _read(file).split()
    return [int(words[0]) / int(words[1])] if len(words) == 2 and words[0].isdecimal() and int(words[1]) else []


def _quota_v1(folder: Path) -> list[float]:
    """The limit of `cpu.cfs_quota_us` over `cpu.cfs_period_us`; a quota of -1 is none."""
    quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
    return [int(quota) / int(period)] if quota.isdecimal() and period.isdecimal() and int(period) else []


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""
