"""The champion of the registry as a ModelSource: a bounded wait, then the last verified copy, if it is young enough.

It must not know how forecasters are built, nor use a bundle that it has not verified.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias, final

from forecast.core.errors import ModelError, ModelNotFound
from forecast.core.forecaster import Forecaster, ModelSource, Recipe, Weights
from forecast.storage.bundle import LoadedBundle, load_bundle
from forecast.tracking.bundle_cache import BundleCache, CachedVersion
from forecast.tracking.download import Answer, Question, SeparateProcess
from forecast.tracking.store import Store

_MAX_AGE = timedelta(days=7)
_IN_A_PROCESS = SeparateProcess()
CACHED_MARK = "+cached"

_Last: TypeAlias = tuple[CachedVersion, LoadedBundle] | None


@final
@dataclass(frozen=True, slots=True)
class RegistryModelSource(ModelSource):
    """Fetches what an alias of a registered model names.

    store: as for `Store.at`.
    name: the registered model.
    cache: a folder of this model and alias; survives between runs.
    rebuild: the factory's function from recipe and weights to a fitted forecaster.
    alias: `champion`.
    max_age: how long after its last confirmation a copy may stand in for the registry.
    ask: how the registry is asked; bounds the wait.
    clock: seconds since 1970.
    """

    store: str
    name: str
    cache: Path
    rebuild: Callable[[Recipe, Weights], Forecaster]
    alias: str = "champion"
    max_age: timedelta = _MAX_AGE
    ask: Callable[[Question], Answer] = _IN_A_PROCESS
    clock: Callable[[], float] = time.time

    def fetch(self) -> tuple[Forecaster, str]:
        """Returns the verified forecaster and `<name>/<version>@<digest>`, which ends with `+cached` where the registry was away.

        Raises:
            ModelNotFound: no such model or alias; or the registry is away and there is no copy that is whole and young enough.
            ModelError: the registry gave a damaged bundle, or another one than it had registered.
        """
        bundle, version = self.fetch_bundle()
        return self.rebuild(bundle.recipe, bundle.weights), version

    def fetch_bundle(self) -> tuple[LoadedBundle, str]:
        """Returns the verified bundle and the version, as `fetch` does."""
        cache = BundleCache(self.cache)
        last = cache.last()
        workplace = cache.workplace()
        try:
            answer = self._answer(Question(self.store, self.name, self.alias, workplace, last[0].digest if last else ""))
            if answer.error:
                return self._stand_in(last, answer)
            bundle = self._verified(answer, last)
            if answer.folder:
                cache.keep(Path(answer.folder), bundle.digest)
            cache.confirm(CachedVersion(answer.version, bundle.digest, self.clock()))
            return bundle, self._label(answer.version, bundle)
        finally:
            shutil.rmtree(workplace, ignore_errors=True)

    def _answer(self, question: Question) -> Answer:
        if not Store.at(self.store).exists():  # asking would make one
            return Answer(error=f"there is no store at {self.store}", answered=False)
        return self.ask(question)

    def _verified(self, answer: Answer, last: _Last) -> LoadedBundle:
        if not answer.folder and last is not None:
            return last[1]
        bundle = load_bundle(Path(answer.folder))
        if answer.digest and bundle.digest != answer.digest:
            raise ModelError(
                f"version {answer.version} of {self.name!r} is not the bundle that was registered: its digest is {bundle.digest[:12]}, "
                f"the registry says {answer.digest[:12]}; register the model again"
            )
        return bundle

    def _stand_in(self, last: _Last, answer: Answer) -> tuple[LoadedBundle, str]:
        """The copy at hand, where the registry did not answer and the copy is young enough."""
        if answer.answered:
            raise ModelNotFound(answer.error)
        if last is None:
            raise ModelNotFound(
                f"the registry is away ({answer.error}), and {self.cache} holds no verified copy of {self.name!r}; start it"
            )
        age = abs(self.clock() - last[0].confirmed)
        if age > self.max_age.total_seconds():
            raise ModelNotFound(
                f"the registry is away ({answer.error}), and the copy of {self.name!r} was last confirmed {age / 3600:.0f} hours ago, "
                f"{self.max_age.total_seconds() / 3600:.0f} are allowed; start it, or allow an older copy"
            )
        return last[1], self._label(last[0].version, last[1]) + CACHED_MARK

    def _label(self, version: int, bundle: LoadedBundle) -> str:
        return f"{self.name}/{version}@{bundle.digest[:12]}"
