"""Keeps libraries from writing to the console of a job: their warnings and banners are not its events.

It must not hide errors.
"""

from __future__ import annotations

import logging
import os
import warnings

_LOUD = (
    "pytorch_lightning",
    "lightning",
    "lightning.pytorch",
    "lightning_fabric",
    "statsforecast",
    "mlflow",
    "alembic",
    "numba",
    "matplotlib",
)


def quiet_libraries() -> None:
    """Turns off warnings and informational logging of libraries in this process; call it before they are imported."""
    warnings.simplefilter("ignore")
    os.environ.setdefault("PYTHONWARNINGS", "ignore")  # for processes that libraries start
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.ERROR)
