"""Checkpoints of a training run, so that one that was interrupted goes on where it stood, bitwise.

A folder holds one checkpoint per phase of training, under a digest of data and settings: another panel or other settings never meet it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pytorch_lightning as pl

from forecast.core.panel import Panel


@final
@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Where the phases of one training leave their checkpoints, and how often. every: in steps."""

    folder: Path
    every: int

    @classmethod
    def of(cls, root: Path, every: int, panel: Panel, settings: str) -> Checkpoints:
        """Returns the checkpoints of a panel and settings below a root folder, which is made."""
        digest = hashlib.sha256(f"{panel.fingerprint()}|{settings}".encode()).hexdigest()[:16]
        folder = root / digest
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, every)

    def file(self, phase: str) -> Path:
        """Returns the checkpoint of a phase."""
        return self.folder / f"{phase}.ckpt"

    def found(self, phase: str) -> Path | None:
        """Returns the checkpoint of a phase; None where there is none yet."""
        file = self.file(phase)
        return file if file.exists() else None


@final
class SaveRegularly(pl.Callback):
    """Saves a checkpoint every n steps; it replaces the one before at once or not at all."""

    def __init__(self, file: Path, every: int) -> None:
        self.file, self.every = file, every

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        """Saves where it is time to."""
        if trainer.global_step % self.every == 0:
            partial = self.file.with_suffix(".part")
            trainer.save_checkpoint(partial)
            os.replace(partial, self.file)
