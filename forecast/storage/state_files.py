"""A carried state on disk: arrays as safetensors, facts as JSON, a manifest with the digests of both and a checksum of itself.

    manifest.json       format, SHA-256 of the other files, checksum
    facts.json          model version, frequency, covariates, snapshot
    state.safetensors   numbers, and the ids as text, byte for byte

It must not know what the arrays mean: `forecast.save_state` and `forecast.load_state` join it with those who do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forecast.core.arrays import AnyArray
from forecast.core.errors import ModelError, StateDamaged
from forecast.storage.bundle_files import canonical_json, parse_object, read_folder, sha256, write_folder
from forecast.storage.bundle_weights import decode_weights, encode_weights

STATE_FORMAT = 1
MANIFEST_FILE, FACTS_FILE, ARRAYS_FILE = "manifest.json", "facts.json", "state.safetensors"
_ADVICE = "nothing of it was used; start again from the histories"


def write_state(directory: Path, arrays: Mapping[str, AnyArray], facts: Mapping[str, Any]) -> None:
    """Writes a state to a folder, which appears whole or not at all and replaces an older one of that name.

    Raises:
        ModelError: an array or a fact that cannot be saved.
        SinkError: the folder cannot be written.
    """
    files = {FACTS_FILE: canonical_json(dict(facts), "the facts of the state"), ARRAYS_FILE: encode_weights(arrays)}
    body = {"format": STATE_FORMAT, "files": {name: sha256(data) for name, data in sorted(files.items())}}
    files[MANIFEST_FILE] = canonical_json({**body, "checksum": sha256(canonical_json(body, MANIFEST_FILE))}, MANIFEST_FILE)
    write_folder(directory, files)


def read_state(directory: Path) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    """Returns the arrays and the facts of a state, every byte verified before any is used.

    Raises:
        ModelNotFound: no such folder.
        StateDamaged: a file missing, added, cut off or changed, or another format.
    """
    files = read_folder(directory)
    _verify(directory, files)
    try:
        return decode_weights(files[ARRAYS_FILE], ARRAYS_FILE), parse_object(files[FACTS_FILE], FACTS_FILE)
    except ModelError as error:
        raise StateDamaged(f"the state {directory} cannot be read: {error}", advice=_ADVICE) from error


def _verify(directory: Path, files: Mapping[str, bytes]) -> None:
    """Compares the files with the manifest, and the manifest with its checksum."""
    wanted = {MANIFEST_FILE, FACTS_FILE, ARRAYS_FILE}
    if files.keys() != wanted:
        raise StateDamaged(f"the state {directory} has the files {sorted(files)} in the place of {sorted(wanted)}", advice=_ADVICE)
    try:
        body = parse_object(files[MANIFEST_FILE], MANIFEST_FILE)
        checksum = body.pop("checksum", None)
        spelled = canonical_json({**body, "checksum": checksum}, MANIFEST_FILE)
    except ModelError as error:
        raise StateDamaged(f"the state {directory} cannot be read: {error}", advice=_ADVICE) from error
    if checksum != sha256(canonical_json(body, MANIFEST_FILE)) or spelled != files[MANIFEST_FILE]:
        raise StateDamaged(f"{MANIFEST_FILE} of the state {directory} is changed: its checksum does not fit it", advice=_ADVICE)
    if body.get("format") != STATE_FORMAT:
        raise StateDamaged(
            f"the state {directory} has format {body.get('format')!r}, this program reads {STATE_FORMAT}", advice=_ADVICE
        )
    changed = sorted(name for name in wanted - {MANIFEST_FILE} if body.get("files", {}).get(name) != sha256(files[name]))
    if changed:
        raise StateDamaged(f"the state {directory} is damaged: {changed} are not what the manifest says", advice=_ADVICE)
