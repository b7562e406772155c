"""Writes a run to MLflow with its own client, independent of the user's active run and URI."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.tracking.context.registry import resolve_tags

from optibench.errors import TrackingError
from optibench.locations import embedded_uri, sqlite_path, store_uri
from optibench.records import Status
from optibench.redaction import redact
from optibench.tracking.candidates import write_nested_runs
from optibench.tracking.model import log_model
from optibench.tracking.records_as_mlflow import (
    BATCH_SIZE,
    METRICS_BATCH_SIZE,
    chunks,
    dataset_input_of,
    metrics_of,
    milliseconds,
    mlflow_tags,
    nested_run,
    params_of,
    series_of,
)
from optibench.tracking.store import Store, ensure_experiment, translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, Run, RunInfo, RunTag

    from optibench.records import CandidateResult, FittedModel, RunHeader, Sample


class MlflowTracker:
    """One run in one store; implements `contracts.Tracker`. It never enables autologging.

    Args:
        store: the store that `prepare_store` opened.
        experiment: name of the MLflow experiment, which is created if it does not exist.
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
        """Return the folder of the SQLite store; for other stores, that of the embedded one."""
        database = sqlite_path(self._store.uri) or sqlite_path(embedded_uri(Path.cwd()))
        folder = Path.cwd() if database is None else database.parent
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def start(self, header: RunHeader) -> str:
        """Create the run with its parameters, tags and dataset, and return its id.

        Raises:
            TrackingError: the store refused; a run that was already created is set to FAILED.
        """
        with translated("open the experiment"):
            self._client = self._store.client()
            experiment_id = ensure_experiment(self._store, self._experiment)
            self._context = resolve_tags()
        try:
            with translated("create the run"):  # delays Ctrl-C until the run id is known
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
        """Write one nested run per candidate, ranked by `metric`.

        If MLflow's database is not the expected one, this takes longer, and the parent's tag
        `optibench.tracking_note` says why.
        """
        if not self._children or not candidates:
            return
        client, run = self._started()
        shared = {**self._context, "mlflow.parentRunId": run.run_id}
        with translated("log the candidates"):
            nested = [nested_run(metric, candidate, shared) for candidate in candidates]
            note = write_nested_runs(client, run, nested)
            if note is not None:
                client.log_batch(run.run_id, tags=mlflow_tags({"optibench.tracking_note": note}))

    def log_series(self, samples: Sequence[Sample]) -> None:
        """Write the resource samples as metric series under `system/`."""
        self._log("the resource series", metrics=series_of(samples))

    def log_artifacts(self, directory: Path) -> None:
        """Copy every file below `directory` to the run's artifacts."""
        client, run = self._started()
        with translated("store the artifacts"):
            client.log_artifacts(run.run_id, str(directory))

    def log_model(self, model: FittedModel) -> None:
        """Log the fitted winner; `mlflow.pyfunc` loads it as `runs:/<run_id>/model`."""
        client, run = self._started()
        with translated("log the model"):
            log_model(client, run, model)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Write parameters; a value that is already set cannot change."""
        self._log("parameters", params=params_of(params))

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Write the final metrics; one that is not finite becomes a tag."""
        finite, undefined = metrics_of(metrics, time.time())
        self._log("metrics", metrics=finite, tags=undefined)

    def end(self, status: Status, reason: str | None = None) -> None:
        """Close the run; write the reason to a tag, and to the run's description if it failed."""
        client, run = self._started()
        with translated("close the run"):
            _close(client, run.run_id, status, reason)

    def _started(self) -> tuple[MlflowClient, RunInfo]:
        if self._client is None or self._run is None:
            message = "Nothing can be logged before the run has started: call start() first."
            raise TrackingError(message)
        return self._client, self._run.info

    def _log(
        self,
        what: str,
        *,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
    ) -> None:
        """Send entities in batches of a size that MLflow accepts."""
        client, run = self._started()
        with translated(f"log {what}"):
            for some_metrics in chunks(metrics, METRICS_BATCH_SIZE):
                client.log_batch(run.run_id, metrics=some_metrics)
            for some_params in chunks(params, BATCH_SIZE):
                client.log_batch(run.run_id, params=some_params)
            for some_tags in chunks(tags, BATCH_SIZE):
                client.log_batch(run.run_id, tags=some_tags)


def mark_dead(uri: str | None, run_id: str, reason: str) -> bool:
    """Set the run of a process that died from RUNNING to FAILED.

    Args:
        uri: `tracking.uri` of the dead process, as for `prepare_store`; a relative path is
            resolved against the working directory.
        run_id: the run of the dead process.
        reason: why the process died.

    Returns:
        Whether the run was still RUNNING. A run that had already ended is not changed.

    Raises:
        TrackingError: the store does not have the run, or refused the change.
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
