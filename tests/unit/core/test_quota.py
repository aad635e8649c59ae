"""Processors and memory are counted from the container's quota."""

from pathlib import Path

import pytest

from forecast.core.quota import cpu_quota, memory_limit


@pytest.mark.parametrize(("text", "cpus"), [("100000 100000", 1), ("150000 100000", 1), ("50000 100000", 1), ("max 100000", None)])
def test_the_quota_of_cgroup_version_2_is_rounded_down_but_never_to_none(tmp_path: Path, text: str, cpus: int | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert cpu_quota(tmp_path) == (cpus or cpu_quota(tmp_path / "nowhere"))


def test_the_quota_of_cgroup_version_1_counts_too(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu_quota(tmp_path) == 1
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert cpu_quota(tmp_path) == cpu_quota(tmp_path / "nowhere")


def test_the_memory_limit_of_the_container_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1048576\n")
    assert memory_limit(tmp_path) == 1048576
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_limit(tmp_path) == memory_limit(tmp_path / "nowhere")
