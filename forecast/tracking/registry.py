"""Bundles as registered models: versions, the `champion` alias, and the way back.

It must not decide who becomes champion, nor use a bundle that it has not verified.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from forecast.core.errors import ModelNotFound, UsageError
from forecast.storage.bundle import LoadedBundle, load_bundle
from forecast.tracking.code_version import DISTRIBUTION, code_version, package_version
from forecast.tracking.store import Store, reaching, unwarned

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, PREVIOUS_CHAMPION = "champion", "previous_champion"
DIGEST_TAG = "bundle_digest"
_LOADER = "forecast.tracking.pyfunc_model"
_WAIT_SECONDS = 30


@final
@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of a registered model. digest: of the bundle; run_id: of the run that made it."""

    name: str
    version: int
    run_id: str
    digest: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


@final
class Registry:
    """The registered models of a store.

    Every method raises SinkError when MLflow cannot be reached, within 30 s.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def log_bundle(self, run_id: str, directory: Path, name: str, tags: Mapping[str, str] | None = None) -> RegisteredVersion:
        """Logs a bundle with a run and registers it as a new version, without pickle and without code.

        Args:
            run_id: The run that made it.
            directory: The bundle; verified first.
            name: The registered model; made when it is not there.
            tags: Further tags of the version.

        Raises:
            ModelError: a damaged bundle.
        """
        bundle = load_bundle(directory)
        with reaching(self.store.uri):
            from mlflow.exceptions import MlflowException

            client = self.store.client
            model_id, source = self._log(run_id, directory, bundle)
            try:
                client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            made = client.create_model_version(name, source, run_id, {**_tags(bundle), **(tags or {})},
                                               await_creation_for=_WAIT_SECONDS, model_id=model_id)  # fmt: skip
            return _version(made, ())

    def versions(self, name: str) -> list[RegisteredVersion]:
        """Returns all versions of a model, oldest first; none for an unknown name."""
        with reaching(self.store.uri):
            client = self.store.client
            found = list(client.search_model_versions(f"name = '{_plain(name)}'", max_results=1000))
            by_version: dict[int, list[str]] = {}
            if found:  # a search does not fill in the aliases
                for alias, version in client.get_registered_model(name).aliases.items():
                    by_version.setdefault(int(version), []).append(alias)
        chosen = [_version(one, by_version.get(int(one.version), ())) for one in found]
        return sorted(chosen, key=lambda one: one.version)

    def champion(self, name: str, alias: str = CHAMPION) -> RegisteredVersion | None:
        """Returns the version that an alias names; None where there is none."""
        return next((one for one in self.versions(name) if alias in one.aliases), None)

    def set_champion(self, name: str, version: int) -> None:
        """Moves the alias `champion` to a version; the old champion stays reachable as `previous_champion`.

        The way back is laid before the alias moves, and a version that is champion already changes nothing: it can be repeated.

        Raises:
            ModelNotFound: no such version.
        """
        known = self.versions(name)
        if version not in [one.version for one in known]:
            raise ModelNotFound(f"model {name!r} has no version {version}; it has {[one.version for one in known][-5:]}")
        before = next((one.version for one in known if CHAMPION in one.aliases), None)
        if before == version:
            return
        with reaching(self.store.uri):
            if before is not None:
                self.store.client.set_registered_model_alias(name, PREVIOUS_CHAMPION, str(before))
            self.store.client.set_registered_model_alias(name, CHAMPION, str(version))

    def roll_back(self, name: str) -> RegisteredVersion:
        """Makes the previous champion the champion again and returns it; the two change places.

        Raises:
            ModelNotFound: there is no previous champion.
        """
        previous = self.champion(name, PREVIOUS_CHAMPION)
        if previous is None:
            raise ModelNotFound(f"model {name!r} has no previous champion to go back to; choose a version with `set_champion`")
        self.set_champion(name, previous.version)
        return previous

    def metrics(self, version: RegisteredVersion) -> dict[str, float]:
        """Returns the last value of every metric of the run that made a version: what a gate compares."""
        with reaching(self.store.uri):
            return dict(self.store.client.get_run(version.run_id).data.metrics)

    def _log(self, run_id: str, directory: Path, bundle: LoadedBundle) -> tuple[str, str]:
        """Logs the bundle as a model of the run; returns its id and where its files are.

        These are the steps of `mlflow.pyfunc.log_model`, on one client: that function works on the global state of the process, makes
        the model in the experiment of the *active* run and its files in the working directory.
        """
        from mlflow.entities import LoggedModelOutput

        client = self.store.client
        run = client.get_run(run_id)
        model = client.create_logged_model(run.info.experiment_id, "bundle", run_id, params=run.data.params)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "model"
            _write_model(place, directory, bundle, model)
            client.log_model_artifacts(model.model_id, str(place))
        client.finalize_logged_model(model.model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        # A database looks a models:/ URI up in the global state; a server in itself.
        by_server = self.store.folder is None and self.store.uri.startswith(("http", "databricks"))
        return str(model.model_id), f"models:/{model.model_id}" if by_server else str(model.artifact_location)


def _write_model(place: Path, directory: Path, bundle: LoadedBundle, logged: LoggedModel) -> None:
    """Writes the folder that MLflow loads: the bundle and how to load it.

    Requirements are given, or MLflow would load the model to guess them. There is no signature: its schema refuses whole numbers as y
    or ids and time stamps with a zone; the model itself converts and checks what it is sent.
    """
    import mlflow

    with unwarned():
        from mlflow.models import Model
        from mlflow.pyfunc import save_model

    described = Model(run_id=logged.source_run_id, model_id=logged.model_id, model_uuid=logged.model_id,
                      artifact_path=logged.artifact_location)  # fmt: skip
    save_model(
        path=str(place), loader_module=_LOADER, data_path=str(directory), mlflow_model=described, metadata={DIGEST_TAG: bundle.digest},
        pip_requirements=[f"{DISTRIBUTION}=={package_version()}", f"mlflow=={mlflow.__version__}"],
    )  # fmt: skip


def _tags(bundle: LoadedBundle) -> dict[str, str]:
    manifest = bundle.manifest
    return {DIGEST_TAG: bundle.digest, "model": str(bundle.recipe.get("kind", "")), "training_cutoff": manifest.training_cutoff,
            "panel_fingerprint": manifest.panel_fingerprint, "code_version": code_version()}  # fmt: skip


def _version(made: ModelVersion, aliases: list[str] | tuple[str, ...]) -> RegisteredVersion:
    tags = dict(made.tags)
    return RegisteredVersion(
        made.name, int(made.version), made.run_id or "", tags.get(DIGEST_TAG, ""), tuple(sorted(aliases)), tags
    )


def _plain(name: str) -> str:
    """The name, which must not end the quotes of a filter."""
    if "'" in name or not name:
        raise UsageError(f"model name {name!r}: it must not be empty or hold quotes")
    return name
