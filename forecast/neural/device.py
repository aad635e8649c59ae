"""What networks run on here: which device, how exactly matrices are multiplied, and both as text for people."""

from __future__ import annotations

from typing import Literal

import torch

from forecast.core.errors import ModelError

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["32-true", "bf16-mixed", "auto"]


def device_here(wanted: DeviceName) -> torch.device:
    """Returns the device itself; for `auto` the GPU where torch finds one.

    Raises:
        ModelError: a GPU is asked for and torch finds none.
    """
    found = torch.cuda.is_available()
    if wanted == "cuda" and not found:
        raise ModelError(
            f"device 'cuda' was asked for and torch {torch.__version__} finds no GPU; take 'auto' or 'cpu', "
            "or install a build of torch for the GPU's driver (README.md)"
        )
    return torch.device("cuda" if found and wanted != "cpu" else "cpu")


def describe_device() -> str:
    """Returns what networks run on unless they are told otherwise: the GPU, or the processors with torch's threads."""
    if device_here("auto").type == "cuda":
        memory = torch.cuda.get_device_properties(0).total_memory / 1e9
        return f"{torch.cuda.get_device_name(0)}, {memory:.0f} GB, CUDA {torch.version.cuda}, torch {torch.__version__}"
    return f"processors, {torch.get_num_threads()} threads, torch {torch.__version__}"


def precision_here(wanted: Precision, device: torch.device) -> Literal["32-true", "bf16-mixed"]:
    """Returns the precision itself; for `auto` bfloat16 where the device has instructions for it.

    On processors that is a third less time, accuracy as good as the same (docs/log.md).
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if torch.cpu.get_capabilities().get("avx512_bf16", False) else "32-true"
