"""Fetches the bundle behind an alias into a folder, as a process of its own: the caller can end it when its time is up.

    python -m forecast.tracking.download STORE NAME ALIAS DESTINATION [DIGEST AT HAND]

Prints one line of JSON: version and digest, and the folder unless the bundle at hand is the one asked for; or an error and whether the
registry answered at all. It must not use the bundle: the caller verifies it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from forecast.core.errors import ForecastError, ModelError, ModelNotFound
from forecast.tracking.registry import DIGEST_TAG
from forecast.tracking.store import Store, reaching

_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")  # answers of a registry that works


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 when the answer is a bundle."""
    place, name, alias, destination, *at_hand = arguments
    try:
        answer: dict[str, str | int | bool] = fetch(Store.at(place), name, alias, Path(destination), at_hand[0] if at_hand else "")
    except ForecastError as error:
        answered = isinstance(error, ModelError) and not isinstance(error, ModelNotFound)
        answer = {"error": str(error), "answered": answered}
    sys.stdout.write(json.dumps(answer) + "\n")
    return int("error" in answer)


def fetch(store: Store, name: str, alias: str, destination: Path, at_hand: str) -> dict[str, str | int | bool]:
    """Returns version and digest of what an alias names, and `folder` with its files where they had to be fetched.

    Raises:
        ModelNotFound: the registry cannot be reached.
        ModelError: it has no such model or alias, or the version holds no bundle.
    """
    if not store.exists():
        raise ModelNotFound(f"there is no store at {store.folder}; give the folder that training wrote to")
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
        found: dict[str, str | int | bool] = {"version": int(version.version), "digest": digest}
        if digest and digest == at_hand:
            return found
        files = download_artifacts(f"models:/{name}/{version.version}", dst_path=str(destination), tracking_uri=store.uri,
                                   registry_uri=store.uri)  # fmt: skip
    folders = [entry for entry in (Path(files) / "data").glob("*") if entry.is_dir()]
    if len(folders) != 1:
        raise ModelError(f"version {version.version} of {name!r} holds no bundle; register one with `Registry.log_bundle`")
    return {**found, "folder": str(folders[0])}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
