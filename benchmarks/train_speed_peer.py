"""One measurement of neuralforecast, in its own environment; `train_speed.py` starts it and reads its last line.

It knows nothing of this project. The request is one JSON argument, the answer one line of JSON on the console.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MQLoss
from neuralforecast.models import GRU, LSTM

CELLS = {"gru": GRU, "lstm": LSTM}


class CountingLoss(MQLoss):  # type: ignore[misc]
    """The quantile loss, which also counts the windows that enter it: those with at least one target that its mask lets through."""

    windows = 0

    def __call__(
        self, y: torch.Tensor, y_hat: torch.Tensor, y_insample: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Returns the loss; see MQLoss."""
        type(self).windows += len(y) if mask is None else int((mask.flatten(1).sum(dim=1) > 0).sum())
        loss: torch.Tensor = super().__call__(y=y, y_hat=y_hat, y_insample=y_insample, mask=mask)
        return loss


class Clock(pl.Callback):  # type: ignore[misc]
    """Reads the clocks and the count after every step; where asked, keeps copies of the weights with the clock stopped.

    Args:
        every: Steps between copies; 0 keeps none.
        limit: Processor seconds of training after which it ends.
    """

    def __init__(self, every: int, limit: float) -> None:
        self.every, self.limit = every, limit
        self.ticks: list[tuple[float, float, int]] = []
        self.copies: list[tuple[int, float, float, dict[str, torch.Tensor]]] = []
        self._wall = self._cpu = 0.0

    def on_train_batch_start(self, *_: object) -> None:
        """Starts the clock with the first batch."""
        if not self.ticks:
            self._wall, self._cpu = time.perf_counter(), time.process_time()
            self.ticks.append((0.0, 0.0, 0))

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        """Reads the clocks; ends the training where its time is over."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        self.ticks.append((wall, cpu, CountingLoss.windows))
        if self.every and trainer.global_step % self.every == 0:
            weights = {name: value.detach().clone() for name, value in pl_module.state_dict().items()}
            self.copies.append((trainer.global_step, wall, cpu, weights))
            self._wall, self._cpu = time.perf_counter() - wall, time.process_time() - cpu
        if cpu > self.limit:
            trainer.should_stop = True


def forecaster(request: dict[str, Any], clock: Clock) -> NeuralForecast:
    """Returns the untrained peer: what must be equal is set, everything else is its default, and nothing is validated or saved."""
    model = CELLS[request["cell"]](
        h=request["horizon"], input_size=request["context"], encoder_hidden_size=request["hidden_size"],
        encoder_n_layers=request["layers"], loss=CountingLoss(quantiles=request["levels"]), max_steps=request["steps"],
        val_check_steps=request["steps"], random_seed=request["seed"], accelerator="cpu", devices=1, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, callbacks=[clock], alias="peer",
    )  # fmt: skip
    return NeuralForecast(models=[model], freq=request["frequency"])


def medians(fitted: NeuralForecast, clock: Clock, ids: list[str]) -> np.ndarray[Any, Any]:
    """Returns the median forecasts of every copy of the weights. Shape [copies, N, H]."""
    found = []
    for _, _, _, weights in clock.copies:
        fitted.models[0].load_state_dict(weights)
        frame = fitted.predict().sort_values(["unique_id", "ds"])
        found.append(frame["peer-median"].to_numpy().reshape(len(ids), -1)[np.argsort(np.argsort(ids))])
    return np.stack(found)


def main() -> int:
    """Trains once and prints the ticks."""
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    frame = pd.read_parquet(request["table"])[["unique_id", "ds", "y"]]
    peer = forecaster(request, Clock(request["copy_every"], request["limit"]))
    peer.fit(frame, val_size=0)
    (clock,) = (c for c in peer.models[0].trainer_kwargs["callbacks"] if isinstance(c, Clock))  # fit works on a copy of the model
    if clock.copies:
        np.save(request["forecasts"], medians(peer, clock, sorted(frame["unique_id"].unique())))
    weights = sum(p.numel() for p in peer.models[0].parameters() if p.requires_grad)
    print(json.dumps({"ticks": clock.ticks, "copies": [copy[:3] for copy in clock.copies], "weights": weights}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
