"""The model source of jobs without a registry: a bundle in a folder. It must not know how forecasters are built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import final

from forecast.core.forecaster import Forecaster, ModelSource, Recipe, Weights
from forecast.storage.bundle import load_bundle


@final
class FolderModelSource(ModelSource):
    """Reads the bundle of one folder; its version is the beginning of the digest.

    Args:
        directory: The bundle.
        rebuild: The factory's function from recipe and weights to a fitted forecaster.
    """

    def __init__(self, directory: Path, rebuild: Callable[[Recipe, Weights], Forecaster]) -> None:
        self._directory = directory
        self._rebuild = rebuild

    def fetch(self) -> tuple[Forecaster, str]:
        """Returns the verified forecaster and `bundle:<12 digits of the digest>`.

        Raises:
            ModelNotFound: no such folder.
            ModelError: a damaged bundle.
        """
        bundle = load_bundle(self._directory)
        return self._rebuild(bundle.recipe, bundle.weights), f"bundle:{bundle.digest[:12]}"
