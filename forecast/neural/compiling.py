"""Networks whose loss torch.compile translates to C++ or Triton. What is asked of the machine for that is asked here, before a step.

It must not train.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

import torch
from torch import Tensor

from forecast.core.errors import ModelError
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.interfaces import Batch
from forecast.networks.state import NetworkState

Loss = Callable[[Batch, NetworkState | None], tuple[Tensor, NetworkState]]
COMPILERS = ("g++", "clang++")  # that inductor can use


def compiled_loss(network: ForecastingNetwork, device: torch.device) -> Loss:
    """Returns `network.loss_onwards`, translated at the first call for the shapes of that batch; recurrent kernels stay as they are.

    Raises:
        ModelError: no compiler for C++ on a machine whose networks run on the processors.
    """
    if device.type == "cpu" and not any(map(shutil.which, COMPILERS)):
        raise ModelError(
            f"compile needs a compiler for C++ and none of {list(COMPILERS)} is on the PATH; install one, or set compile to false"
        )
    found: Loss = torch.compile(network.loss_onwards, dynamic=False)
    return found
