"""Writes a run to MLflow with a client of its own, beside the user's active run and address."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.tracking.context.registry import resolve_tags

from optibench.errors import TrackingError
from optibench.locations import embedded_uri, sqlite_path, store_uri
from optibench.records import Status
from optibench.redaction import redact
from optibench.tracking.candidates import nested_run, write_nested_runs
from optibench.tracking.model import log_model
from optibench.tracking.records_as_mlflow import (
    chunks,
    dataset_input_of,
    metrics_of,
    milliseconds,
    mlflow_tags,
    params_of,
    series_of,
)
from optibench.tracking.store import Store, ensure_experiment, translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow import MlflowClient
    from mlflow.entities import Run, RunInfo

    from optibench.records import CandidateResult, FittedModel, RunHeader, Sample

AT_ONCE = {"params": 100, "tags": 100, "metrics": 1000}


class MlflowTracker:
    """One run in one store; implements `contracts.Tracker`. Autolog is never switched on.

    Args:
        store: as `prepare_store` opened it.
        experiment: name of the MLflow experiment, created where it does not exist.
        children: whether candidates are written as nested runs.
    """

    def __init__(self, store: Store, experiment: str, *, children: bool = True) -> None:
        self._store = store
        self._experiment = experiment
        self._children = children
        self._client: MlflowClient | None = None
        self._run: Run | None = None
        self._context: Mapping[str, str] = {}

    @property
    def journal_folder(self) -> Path:
        """The folder of the embedded database; with a server the one that would be."""
        database = sqlite_path(self._store.uri) or sqlite_path(embedded_uri(Path.cwd()))
        folder = Path.cwd() if database is None else database.parent
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def start(self, header: RunHeader) -> str:
        """Create the run with its parameters, tags and dataset, and return its id.

        Raises:
            TrackingError: the store refused; a run that was created by then is FAILED.
        """
        with translated("open the experiment"):
            self._client = self._store.client()
            experiment_id = ensure_experiment(self._store, self._experiment)
            self._context = resolve_tags()
        try:
            with translated("create the run"):  # which holds Ctrl-C back until it is created
                self._run = self._client.create_run(
                    experiment_id,
                    start_time=milliseconds(header.start),
                    tags={
                        tag.key: tag.value for tag in mlflow_tags({**self._context, **header.tags})
                    },
                    run_name=redact(header.name),
                )
            self.log_params(header.params)
            if header.dataset is not None:
                inputs = [dataset_input_of(header.dataset)]
                with translated("log the dataset"):
                    self._client.log_inputs(self._run.info.run_id, inputs)
        except (TrackingError, KeyboardInterrupt) as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            if self._run is not None:
                self.end(
                    Status.KILLED if interrupted else Status.FAILED, str(error) or "interrupted"
                )
            raise
        return str(self._run.info.run_id)

    def log_candidates(self, metric: str, candidates: Sequence[CandidateResult]) -> None:
        """Write one nested run per candidate; `metric` is the one they are ranked by."""
        if not self._children or not candidates:
            return
        client, run = self._started()
        shared = {**self._context, "mlflow.parentRunId": run.run_id}
        with translated("log the candidates"):
            nested = [nested_run(metric, candidate, shared) for candidate in candidates]
            write_nested_runs(client, run.experiment_id, nested)

    def log_series(self, samples: Sequence[Sample]) -> None:
        """Write the resource samples as metric series under `system/`."""
        self._log("the resource series", metrics=series_of(samples))

    def log_artifacts(self, directory: Path) -> None:
        """Copy every file below `directory` to the run's artifacts."""
        client, run = self._started()
        with translated("store the artifacts"):
            client.log_artifacts(run.run_id, str(directory))

    def log_model(self, model: FittedModel) -> None:
        """Log the fitted winner; `mlflow.pyfunc` loads `runs:/<run_id>/model` anywhere."""
        client, run = self._started()
        with translated("log the model"):
            log_model(client, run, model)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Write parameters; one that was written before cannot get another value."""
        self._log("parameters", params=params_of(params))

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Write the final metrics; one that is not finite becomes a tag of its own."""
        finite, undefined = metrics_of(metrics, time.time())
        self._log("metrics", metrics=finite, tags=undefined)

    def end(self, status: Status, reason: str | None = None) -> None:
        """Close the run; the reason stands in a tag, and on the run's page if it failed."""
        client, run = self._started()
        with translated("close the run"):
            _close(client, run.run_id, status, reason)

    def _started(self) -> tuple[MlflowClient, RunInfo]:
        if self._client is None or self._run is None:
            message = "Nothing can be logged before the run is started: call start() first."
            raise TrackingError(message)
        return self._client, self._run.info

    def _log(self, what: str, **entities: Sequence[Any]) -> None:
        """Send entities of each kind (`metrics`, `params`, `tags`) in pieces that MLflow takes."""
        client, run = self._started()
        with translated(f"log {what}"):
            for kind, items in entities.items():
                for some in chunks(items, AT_ONCE[kind]):
                    piece: dict[str, Any] = {kind: some}
                    client.log_batch(run.run_id, **piece)


def mark_dead(uri: str | None, run_id: str, reason: str) -> bool:
    """Set a run that is still RUNNING to FAILED: its process died and cannot do it itself.

    Args:
        uri: `tracking.uri` of the dead process, as `prepare_store` takes it; a relative path is
            taken from the working directory.
        run_id: the run of the dead process.
        reason: why it died.

    Returns:
        Whether the run was still RUNNING; one that had ended by itself is left alone.

    Raises:
        TrackingError: the store does not know the run, or refused.
    """
    with translated(f"close the run {run_id}"):
        client = Store(store_uri(uri, Path.cwd()), None).client()
        if client.get_run(run_id).info.status != "RUNNING":
            return False
        _close(client, run_id, Status.FAILED, reason)
        return True


def _close(client: MlflowClient, run_id: str, status: Status, reason: str | None) -> None:
    if reason is not None:
        text = redact(reason)
        tags = {"optibench.reason": text}
        if status is not Status.FINISHED:
            tags["mlflow.note.content"] = f"{status}: {text}"
        client.log_batch(run_id, tags=mlflow_tags(tags))
    client.set_terminated(run_id, str(status))
