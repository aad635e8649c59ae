"""Benchmarks and trainings as MLflow runs: one parent, one comparable child for each model.

It must not run models, and never decides: what a failed model means is the caller's.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import pandas as pd

from forecast.core.errors import SinkError
from forecast.evaluation.evaluation import Evaluation
from forecast.evaluation.task import Task
from forecast.tracking.code_version import code_version, git_commit
from forecast.tracking.rows import MetricRow, chunks, evaluation_rows, flat_parameters, per_series_table
from forecast.tracking.store import Store, reaching

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ROWS_PER_BATCH, _PARAMETERS_PER_BATCH = 1000, 100  # MLflow's limits
_DIGEST_LENGTH = 36  # characters, likewise
PARENT_TAG, TASK_TAG, PANEL_TAG, CODE_TAG, REASON_TAG = (
    "mlflow.parentRunId",
    "task_fingerprint",
    "panel_fingerprint",
    "code_version",
    "reason",
)


@final
class Tracker:
    """Writes runs of one experiment and reads them back.

    Every method raises SinkError when MLflow cannot be reached, within 30 s.

    Args:
        store: Where MLflow keeps its data.
        experiment: Name of the experiment; made when it is not there.
    """

    def __init__(self, store: Store, experiment: str) -> None:
        self.store = store
        self.experiment = experiment

    def start_benchmark(self, name: str, *, task: Task, panel_fingerprint: str, configuration: str) -> str:
        """Starts the parent run of a benchmark and returns its id.

        Args:
            name: Shown in lists.
            task: Its fields become parameters, its fingerprint a tag: runs are comparable only if it agrees.
            panel_fingerprint: `Panel.fingerprint()`, likewise.
            configuration: The resolved configuration as text (YAML or JSON), kept as a file.
        """
        tags = {TASK_TAG: task.fingerprint(), PANEL_TAG: panel_fingerprint}
        run = self._start(name, tags, flat_parameters({"task": task.fields()}))
        self.log_text(run, configuration, "configuration.yaml")
        return run

    def start_model(
        self, name: str, *, parent: str | None, parameters: Mapping[str, Any], tags: Mapping[str, str] | None = None
    ) -> str:
        """Starts the run of one model and returns its id.

        Args:
            name: The model's name in the leaderboard.
            parent: The benchmark's run; None for a training on its own. Its fingerprints are taken over.
            parameters: Nested values, logged flat.
            tags: Further tags, such as fingerprints where there is no parent.
        """
        inherited: dict[str, str] = {"model": name, **(tags or {})}
        if parent is not None:
            with reaching(self.store.uri):
                above = self.store.client.get_run(parent).data.tags
            inherited |= {PARENT_TAG: parent, **{tag: above[tag] for tag in (TASK_TAG, PANEL_TAG) if tag in above}}
        return self._start(name, inherited, flat_parameters(parameters))

    def log_evaluation(self, run_id: str, evaluation: Evaluation) -> None:
        """Logs an evaluation: numbers (see `rows.evaluation_rows`) and one table, `per_series.parquet`. Does not end the run."""
        self.log_rows(run_id, evaluation_rows(evaluation))
        if evaluation.ok:
            with tempfile.TemporaryDirectory() as folder:
                table = Path(folder) / "per_series.parquet"
                per_series_table(evaluation).to_parquet(table, index=False)
                self.log_files(run_id, [table])

    def log_rows(self, run_id: str, rows: Sequence[MetricRow]) -> None:
        """Logs numbers by name and step, such as the curves that a `CurveRecorder` kept, in as few calls as MLflow takes."""
        with reaching(self.store.uri):
            from mlflow.entities import Metric

            now = _milliseconds()
            for part in chunks(rows, _ROWS_PER_BATCH):
                self.store.client.log_batch(run_id, metrics=[Metric(row.name, row.value, now, row.step) for row in part])

    def log_panel(self, run_id: str, name: str, fingerprint: str, description: str, context: str = "training") -> None:
        """Logs which data a run has seen, under our own fingerprint: MLflow's digests ignore dates and rows after 10,000.

        Args:
            run_id: The run.
            name: Of the data set.
            fingerprint: `Panel.fingerprint()`; its first 36 characters are what MLflow shows.
            description: Where the data come from, as `Source.describe()` says it.
            context: What they were used for.
        """
        with reaching(self.store.uri):
            from mlflow.entities import Dataset, DatasetInput, InputTag

            data = Dataset(name, fingerprint[:_DIGEST_LENGTH], "local", json.dumps({"description": description}))
            tags = [InputTag("mlflow.data.context", context), InputTag("fingerprint", fingerprint)]
            self.store.client.log_inputs(run_id, datasets=[DatasetInput(data, tags)])

    def log_files(self, run_id: str, files: Sequence[Path], folder: str | None = None) -> None:
        """Logs files, such as plots of forecasts, into a folder of the run."""
        with reaching(self.store.uri):
            for file in files:
                self.store.client.log_artifact(run_id, str(file), folder)

    def log_text(self, run_id: str, text: str, name: str) -> None:
        """Logs a text as a file of the run."""
        with reaching(self.store.uri):
            self.store.client.log_text(run_id, text, name)

    def finish(self, run_id: str, failure: str | None = None) -> None:
        """Ends a run: FINISHED, or FAILED with the reason as a tag where a failure is given."""
        with reaching(self.store.uri):
            if failure is not None:
                self.store.client.set_tag(run_id, REASON_TAG, failure[:5000])
            self.store.client.set_terminated(run_id, "FINISHED" if failure is None else "FAILED")

    def children(self, parent: str) -> pd.DataFrame:
        """Returns one row per model of a benchmark: run_id, model, status, reason, the fingerprints and a column per metric."""
        with reaching(self.store.uri):
            found = self.store.client.search_runs([self._experiment_id], f"tags.`{PARENT_TAG}` = '{parent}'", max_results=1000)
        rows = [{"run_id": run.info.run_id, "model": run.data.tags.get("model"), "status": run.info.status,
                 **{tag: run.data.tags.get(tag, "") for tag in (REASON_TAG, TASK_TAG, PANEL_TAG)}, **run.data.metrics}
                for run in reversed(found)]  # fmt: skip
        return pd.DataFrame(rows)

    @cached_property
    def _experiment_id(self) -> str:
        with reaching(self.store.uri):
            client = self.store.client
            found = client.get_experiment_by_name(self.experiment)
            if found is None:
                return _make_experiment(client, self.experiment, self.store.artifacts())
            if found.lifecycle_stage != "active":
                raise SinkError(f"experiment {self.experiment!r} is deleted in MLflow; restore it there, or choose another name")
            return str(found.experiment_id)

    def _start(self, name: str, tags: Mapping[str, str], parameters: Mapping[str, str]) -> str:
        commit = git_commit()
        tags = {CODE_TAG: code_version(), **({"mlflow.source.git.commit": commit} if commit else {}), **tags}
        with reaching(self.store.uri):
            from mlflow.entities import Param

            client = self.store.client
            run_id = str(client.create_run(self._experiment_id, tags=dict(tags), run_name=name).info.run_id)
            items = [Param(key, value) for key, value in parameters.items()]
            for first in range(0, len(items), _PARAMETERS_PER_BATCH):
                client.log_batch(run_id, params=items[first : first + _PARAMETERS_PER_BATCH])
            return run_id


def _make_experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """Makes an experiment and returns its id; that of another process where it was quicker."""
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(name, artifacts))
    except MlflowException:
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)


def _milliseconds() -> int:
    return int(time.time() * 1000)
