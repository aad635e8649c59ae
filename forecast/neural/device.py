"""What networks run on here: as text for people, and how exactly matrices are multiplied."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["32-true", "bf16-mixed", "auto"]


def describe_device() -> str:
    """Returns that networks run on the processors, with torch's threads, and which accelerator stays unused."""
    idle = f"; {torch.cuda.get_device_name(0)} is not used yet" if torch.cuda.is_available() else ""
    return f"processors, {torch.get_num_threads()} threads, torch {torch.__version__}{idle}"


def precision_here(wanted: Precision) -> Literal["32-true", "bf16-mixed"]:
    """Returns the precision itself; for `auto` bfloat16 where the processor has instructions for it: a third less time, accuracy as
    good as the same (docs/log.md)."""
    if wanted != "auto":
        return wanted
    return "bf16-mixed" if torch.cpu.get_capabilities().get("avx512_bf16", False) else "32-true"
