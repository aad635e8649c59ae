"""What networks would run on here, as text for people. It must not choose."""

from __future__ import annotations

import torch


def describe_device() -> str:
    """Returns the accelerator that Lightning would take, or the processors and the number of torch's threads."""
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name(0)} (CUDA {torch.version.cuda}), torch {torch.__version__}"
    return f"processors, {torch.get_num_threads()} threads, torch {torch.__version__}"
