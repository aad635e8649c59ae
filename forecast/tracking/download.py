"""Fetches the bundle behind an alias into a folder, in a process of its own that is ended when its time is up.

    python -m forecast.tracking.download STORE NAME ALIAS DESTINATION [DIGEST AT HAND]

prints one line of JSON, the answer. It must not use the bundle: the caller verifies it. The caller's process needs no MLflow.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

from forecast.core.errors import ForecastError, ModelError, ModelNotFound
from forecast.tracking.registry import DIGEST_TAG
from forecast.tracking.store import Store, reaching

_ROOT = Path(__file__).resolve().parents[2]
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")  # answers of a registry that works


@final
@dataclass(frozen=True, slots=True)
class Question:
    """Which bundle is wanted. at_hand: the digest that need not be fetched again, or empty."""

    store: str
    name: str
    alias: str
    destination: Path
    at_hand: str


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """What the registry said: version and digest, and the folder of what had to be fetched; or an error.

    answered: False where the error is that nobody answered.
    """

    version: int = 0
    digest: str = ""
    folder: str = ""
    error: str = ""
    answered: bool = True


@final
@dataclass(frozen=True, slots=True)
class SeparateProcess:
    """Answers questions in a process that lives no longer than `seconds`, however the server misbehaves."""

    seconds: float = 30.0

    def __call__(self, question: Question) -> Answer:
        """Returns the answer; that there is none in time is one."""
        parts = (question.store, question.name, question.alias, str(question.destination), question.at_hand)
        path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        try:
            done = subprocess.run(
                [sys.executable, "-m", "forecast.tracking.download", *parts], capture_output=True, text=True, timeout=self.seconds,
                env={**os.environ, "PYTHONPATH": path}, check=False,
            )  # fmt: skip
            return Answer(**json.loads(done.stdout.splitlines()[-1]))
        except subprocess.TimeoutExpired:
            return Answer(error=f"no answer within {self.seconds:g} s", answered=False)
        except (ValueError, IndexError, TypeError):
            return Answer(error=f"the download ended with {done.returncode}: {done.stderr.strip()[-300:]}", answered=False)


def answer(question: Question) -> Answer:
    """Returns the answer, asked for in this process."""
    try:
        return fetch(Store.at(question.store), question)
    except ForecastError as error:
        said_no = isinstance(error, ModelError) and not isinstance(error, ModelNotFound)
        return Answer(error=str(error), answered=said_no)


def fetch(store: Store, question: Question) -> Answer:
    """Returns what an alias names, fetched unless it is at hand.

    Raises:
        ModelNotFound: the registry cannot be reached.
        ModelError: it has no such model or alias, or the version holds no bundle.
    """
    name, alias = question.name, question.alias
    with reaching(store.uri, reading_a_model=True):
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        try:
            version = store.client.get_model_version_by_alias(name, alias)
        except MlflowException as error:
            if error.error_code in _ABSENT:
                raise ModelError(f"the registry has no model {name!r} with the alias {alias!r}; promote a version first") from error
            raise
        digest = version.tags.get(DIGEST_TAG, "")
        if digest and digest == question.at_hand:
            return Answer(int(version.version), digest)
        # Not by models:/NAME/VERSION: parts of that ask the store of the global state, whatever store they are given.
        place = store.client.get_model_version_download_uri(name, version.version)
        files = download_artifacts(place, dst_path=str(question.destination), tracking_uri=store.uri)
    folders = [entry for entry in (Path(files) / "data").glob("*") if entry.is_dir()]
    if len(folders) != 1:
        raise ModelError(f"version {version.version} of {name!r} holds no bundle; register one with `Registry.log_bundle`")
    return Answer(int(version.version), digest, str(folders[0]))


if __name__ == "__main__":
    store, name, alias, destination, *at_hand = sys.argv[1:]
    given = Question(store, name, alias, Path(destination), at_hand[0] if at_hand else "")
    sys.stdout.write(json.dumps(asdict(answer(given))) + "\n")
