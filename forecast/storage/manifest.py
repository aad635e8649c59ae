"""The manifest of a bundle: which files belong to it, with their digests, and where the model comes from.

It carries a checksum of itself and has one valid spelling, so that no byte of it can change unseen. It must not read weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any, TypeAlias, final

from forecast.core.errors import ModelError
from forecast.storage.bundle_files import canonical_json, parse_object, sha256

MANIFEST_FILE = "manifest.json"
FORMAT = 2
_LIBRARIES = ("forecast-recurrent", "numpy", "pandas", "pytorch-lightning", "safetensors", "scikit-learn", "statsforecast", "torch")

Documents: TypeAlias = Mapping[str, Mapping[str, Any]]
"""The parsed JSON of a bundle: "manifest", "recipe", "schema" and "profile"."""


def _remember_long(documents: Documents) -> Documents:
    """From 1 to 2: networks could not yet choose what they remember of the past, and all remembered long."""
    recipe = dict(documents["recipe"])
    if recipe.get("kind") in ("elman", "lstm", "gru"):
        recipe.setdefault("memory", "long")
    return {**documents, "manifest": {**documents["manifest"], "format": 2}, "recipe": recipe}


MIGRATIONS: Mapping[int, Callable[[Documents], Documents]] = {1: _remember_long}
"""From each older format to the next one. Weights never change their spelling: a new one would be a new file name."""


@final
@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself.

    files: SHA-256 by file name, all files but the manifest.
    libraries: versions of what trained the model, by name of the distribution.
    training_cutoff: last time stamp that the model has seen.
    burn_in: rows after which the start of a history no longer matters; None where the model carries no state.
    state: floats per series of the carried state by part; None likewise.
    """

    format: int
    files: Mapping[str, str]
    libraries: Mapping[str, str]
    training_cutoff: str
    panel_fingerprint: str
    burn_in: int | None = None
    state: Mapping[str, Any] | None = None

    def to_bytes(self) -> bytes:
        """Returns the manifest file, which ends with the checksum of the rest."""
        body = {name: getattr(self, name) for name in self.__slots__}
        return canonical_json({**body, "checksum": sha256(canonical_json(body, MANIFEST_FILE))}, MANIFEST_FILE)


def verified_body(data: bytes, where: str) -> dict[str, Any]:
    """Returns the content of a manifest file of this or an older format, its checksum verified and left out.

    Raises:
        ModelError: a newer format, a changed byte, no file table.
    """
    body = parse_object(data, where)
    number = body.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ModelError(f"{where} is damaged: format {number!r} is not a positive whole number; fetch the bundle again")
    if number > FORMAT:
        raise ModelError(
            f"{where} has format {number}, this program reads up to {FORMAT}: upgrade it, or save the model with this version"
        )
    checksum = body.pop("checksum", None)
    if checksum != sha256(canonical_json(body, where)) or data != canonical_json({**body, "checksum": checksum}, where):
        raise ModelError(f"{where} is damaged: its checksum does not fit its content; fetch the bundle again")
    files = body.get("files")
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise ModelError(f"{where} is damaged: it has no table of files; fetch the bundle again")
    return body


def migrate(documents: Documents, migrations: Mapping[int, Callable[[Documents], Documents]] = MIGRATIONS) -> Documents:
    """Returns the documents in the current format, one step at a time.

    Raises:
        ModelError: no way leads from their format to the current one.
    """
    number = documents["manifest"]["format"]
    while number < FORMAT:
        if number not in migrations:
            raise ModelError(
                f"bundle format {number} is too old for this program, which begins at {min([FORMAT, *migrations])}: train again"
            )
        documents = migrations[number](documents)
        number = documents["manifest"]["format"]
    return documents


def manifest_from(body: Mapping[str, Any], where: str) -> Manifest:
    """Returns the manifest of a verified body of the current format.

    Raises:
        ModelError: missing or unknown keys, or values of the wrong type.
    """
    kinds: Mapping[str, type | tuple[type, ...]] = {"format": int, "files": dict, "libraries": dict, "training_cutoff": str, "panel_fingerprint": str,
             "burn_in": (int, type(None)), "state": (dict, type(None))}  # fmt: skip
    wrong = sorted(body.keys() ^ kinds.keys()) or [name for name, kind in kinds.items() if not isinstance(body[name], kind)]
    if wrong:
        raise ModelError(f"{where} is not what this program writes: see the keys {wrong}; fetch the bundle again")
    return Manifest(**body)


@cache
def library_versions() -> Mapping[str, str]:
    """Returns the versions of the libraries that decide what a model computes, of those that are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
