"""What networks would run on here, as text for people. It must not choose."""

from __future__ import annotations

import torch


def describe_device() -> str:
    """Returns that networks run on the processors, with torch's threads, and which accelerator stays unused."""
    idle = f"; {torch.cuda.get_device_name(0)} is not used yet" if torch.cuda.is_available() else ""
    return f"processors, {torch.get_num_threads()} threads, torch {torch.__version__}{idle}"
