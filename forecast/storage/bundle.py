"""A saved model as a folder: JSON and safetensors, every file under a digest, nothing that could run when it is read.

    manifest.json         digests of the other files, versions, training cutoff, burn-in, state; its own checksum
    recipe.json           what rebuilds the forecaster: a name of the closed registry and plain values
    weights.safetensors   what `fit` learned
    schema.json           frequency, season lengths, covariate roles, horizon, levels
    profile.json          what the training data looked like

The same model saved twice gives the same bytes: there is no clock in it. It must not rebuild the forecaster: that is the factory's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from forecast.core.errors import ConfigError, ModelError
from forecast.core.forecaster import Forecaster, Recipe, Weights
from forecast.core.frequency import Frequency
from forecast.core.panel import Roles
from forecast.storage.bundle_files import canonical_json, parse_object, read_folder, sha256, write_folder
from forecast.storage.bundle_weights import decode_weights, encode_weights
from forecast.storage.manifest import FORMAT, MANIFEST_FILE, Manifest, library_versions, manifest_from, migrate, verified_body

RECIPE_FILE, SCHEMA_FILE, PROFILE_FILE, WEIGHTS_FILE = "recipe.json", "schema.json", "profile.json", "weights.safetensors"
_DOCUMENTS = {"recipe": RECIPE_FILE, "schema": SCHEMA_FILE, "profile": PROFILE_FILE}


@final
@dataclass(frozen=True, slots=True)
class BundleInfo:
    """A bundle on disk. digest: SHA-256 of its manifest, which names all else."""

    directory: Path
    digest: str
    manifest: Manifest


@final
@dataclass(frozen=True, slots=True, eq=False)
class LoadedBundle:
    """A verified bundle in memory: what `factory.rebuild` needs, and what a job checks its input against."""

    recipe: Recipe
    weights: Weights
    frequency: Frequency
    roles: Roles
    horizon: int
    levels: tuple[float, ...]
    profile: Mapping[str, Any]
    digest: str
    manifest: Manifest


def save_bundle(
    directory: Path, forecaster: Forecaster, *, frequency: Frequency, roles: Roles, training_cutoff: str, panel_fingerprint: str,
    profile: Mapping[str, Any], burn_in: int | None = None, state: Mapping[str, Any] | None = None,
) -> BundleInfo:  # fmt: skip
    """Writes a fitted forecaster to a folder, which appears whole or not at all and replaces an older one of that name.

    Args:
        directory: The folder to make.
        forecaster: Fitted; its recipe must be plain JSON values.
        frequency: Grid of the training panel, with its season lengths.
        roles: Covariates of the training panel.
        training_cutoff: Last time stamp of the training panel, as text.
        panel_fingerprint: `Panel.fingerprint()` of the training panel.
        profile: `training_profile` of the training panel.
        burn_in: Rows after which the start of a history no longer matters, for models that carry state.
        state: Floats per series of that state, by part.

    Raises:
        ModelError: not fitted, or a recipe, weight or profile that cannot be saved.
        SinkError: the folder cannot be written.
    """
    schema = {
        "frequency": frequency.alias, "season_lengths": frequency.season_lengths, "horizon": forecaster.horizon,
        "levels": forecaster.levels, "known": roles.known, "past": roles.past, "static": roles.static,
        **({"categorical": roles.categorical} if roles.categorical else {}),
    }  # fmt: skip
    documents = {"recipe": forecaster.recipe(), "schema": schema, "profile": profile}
    files = {_DOCUMENTS[name]: canonical_json(dict(value), f"the {name} of {forecaster.name}") for name, value in documents.items()}
    files[WEIGHTS_FILE] = encode_weights(forecaster.weights())
    digests = {name: sha256(data) for name, data in sorted(files.items())}
    manifest = Manifest(FORMAT, digests, library_versions(), training_cutoff, panel_fingerprint, burn_in, state)
    files[MANIFEST_FILE] = manifest.to_bytes()
    write_folder(directory, files)
    return BundleInfo(directory, sha256(files[MANIFEST_FILE]), manifest)


def load_bundle(directory: Path) -> LoadedBundle:
    """Returns the bundle in a folder, every byte verified before any is used.

    Raises:
        ModelNotFound: no such folder.
        ModelError: a file missing, added or changed, a newer format, weights that are not safetensors.
    """
    files = read_folder(directory)
    if MANIFEST_FILE not in files:
        raise ModelError(f"{directory} is not a bundle: it has no {MANIFEST_FILE}; give the folder of a saved model")
    where = f"{MANIFEST_FILE} of {directory}"
    body = verified_body(files[MANIFEST_FILE], where)
    _verify(files, body["files"], directory)
    documents = {name: parse_object(files[file], f"{file} of {directory}") for name, file in _DOCUMENTS.items()}
    current = migrate({"manifest": body, **documents})
    frequency, roles, horizon, levels = _schema(current["schema"], directory)
    return LoadedBundle(
        current["recipe"], decode_weights(files[WEIGHTS_FILE], f"{WEIGHTS_FILE} of {directory}"), frequency, roles, horizon, levels,
        current["profile"], sha256(files[MANIFEST_FILE]), manifest_from(current["manifest"], where),
    )  # fmt: skip


def _verify(files: Mapping[str, bytes], digests: Mapping[str, str], directory: Path) -> None:
    """Compares the files at hand with the table of the manifest."""
    required = {*_DOCUMENTS.values(), WEIGHTS_FILE, *digests}
    missing, extra = sorted(required - files.keys()), sorted(files.keys() - digests.keys() - {MANIFEST_FILE})
    unlisted = sorted(required - digests.keys())
    changed = sorted(name for name in digests.keys() & files.keys() if sha256(files[name]) != digests[name])
    found = {"missing": missing, "not in the manifest": [*extra, *(n for n in unlisted if n not in extra)], "changed": changed}
    problems = [f"{what}: {', '.join(names[:5])} ({len(names)} in all)" for what, names in found.items() if names]
    if problems:
        raise ModelError(f"the bundle {directory} is damaged; {'; '.join(problems)}; nothing of it was used, fetch it again")


def _schema(schema: Mapping[str, Any], directory: Path) -> tuple[Frequency, Roles, int, tuple[float, ...]]:
    try:
        frequency = Frequency.parse(schema["frequency"], tuple(schema["season_lengths"]))
        named = {kind: tuple(str(name) for name in schema[kind]) for kind in ("known", "past", "static")}
        roles = Roles(**named, categorical=tuple(str(name) for name in schema.get("categorical", ())))
        return frequency, roles, int(schema["horizon"]), tuple(float(level) for level in schema["levels"])
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise ModelError(
            f"{SCHEMA_FILE} of {directory} does not say what the model forecasts ({error!r}); save the model again"
        ) from error
