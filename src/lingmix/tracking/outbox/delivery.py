"""Delivery of a journal to the store, in order, each record once."""

import time
from collections.abc import Iterator
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from lingmix.errors import InputError
from lingmix.tracking.datasets import log_inputs
from lingmix.tracking.lifecycle import FAILED, RUNNING, STATE, Ending, begin_run, end_run
from lingmix.tracking.outbox.journal import (
    JOURNAL,
    Record,
    final_state,
    find_damage,
    last_begin,
    newest_metrics,
    read_progress,
    read_records,
    write_progress,
)
from lingmix.tracking.secrets import mask_secrets
from lingmix.tracking.store.bounded import UnavailableError
from lingmix.tracking.store.client import experiment_of, open_store
from lingmix.tracking.store.local import LOCAL

METRICS_PER_CALL = 1000


class Delivery:
    """Sends the records of a journal that the store does not have yet.

    Sending is idempotent, so a record whose answer was lost is sent again: MLflow stores one of two
    metrics that agree in name, step, time and value, and the journal has their times. After a
    restart, steps that the run already has are left out; where the run was deleted, a new one is
    created and everything is sent. A run whose journal is damaged is never sent as complete. Where
    `begin_run` finds a complete run of the same hash, nothing is sent and `run_id` stays None.
    """

    def __init__(self, folder: Path, uri: str) -> None:
        self.folder = folder
        self.local = uri.startswith(LOCAL)
        self.progressed_at = time.monotonic()
        self._uri = uri
        self._client: MlflowClient | None = None
        self._recorded: dict[str, set[int]] | None = None
        self._complete_already = False
        progress = read_progress(folder)
        if progress.get("uri") != mask_secrets(uri):
            progress = {"run_id": None, "end": 0}
        self.run_id: str | None = progress["run_id"]
        self._end: int = progress["end"]
        self._save_progress()

    @property
    def left(self) -> bool:
        """Whether the journal has records that are not sent."""
        return next(read_records(self.folder, self._end), None) is not None

    def send(self) -> None:
        """Send all records that the journal has by now; raise the error of a call that fails."""
        if not self.left:
            return
        self._client = self._client or self._open()
        for group, end in _groups(read_records(self.folder, self._end)):
            self._send(self._client, group)
            self._end, self.progressed_at = end, time.monotonic()
            self._save_progress()

    def confirm(self) -> None:
        """Reset the progress where the store lacks the run as it is here, or cannot be asked.

        The run may have been deleted, or an older copy of the store restored.
        """
        if self.left:
            return
        try:
            self._client = self._client or self._open()
            whole = self.run_id is not None and self._is_whole(self._client.get_run(self.run_id))
        except UnavailableError:
            whole = False
        if not whole:
            self._end = 0
            self._save_progress()

    def _is_whole(self, run: Run) -> bool:
        state = FAILED if find_damage(self.folder) else final_state(self.folder) or RUNNING
        metrics = newest_metrics(self.folder).keys()
        return run.data.tags.get(STATE) == state and metrics <= run.data.metrics.keys()

    def _save_progress(self) -> None:
        write_progress(self.folder, uri=mask_secrets(self._uri), run_id=self.run_id, end=self._end)

    def _open(self) -> MlflowClient:
        client = open_store(self._uri)
        if self.run_id is None or not self._exists(client, self.run_id):
            self.run_id, self._end = None, 0
        return client

    def _exists(self, client: MlflowClient, run_id: str) -> bool:
        begin = last_begin(self.folder)
        assert begin is not None
        return bool(client.search_runs([_experiment(client, begin)], f"run_id = '{run_id}'"))

    def _send(self, client: MlflowClient, group: list[Record]) -> None:
        first = group[0]
        if "begin" in first:
            self.run_id = self._begin(client, first)
            self._complete_already = self.run_id is None
        if self._complete_already:
            return
        assert self.run_id is not None
        if "metrics" in first:
            self._send_metrics(client, self.run_id, group)
        elif "files" in first:
            client.log_artifacts(self.run_id, str(artifact_folder(self.folder, first["files"])))
        elif "end" in first:
            end_run(client, self.run_id, **self._ending(first["end"]), at=first["at"])

    def _ending(self, ending: Ending) -> Ending:
        damage = find_damage(self.folder)
        return {"state": FAILED, "error": str(damage)} if damage else ending

    def _begin(self, client: MlflowClient, record: Record) -> str | None:
        begin = record["begin"]
        run_id = begin_run(
            client,
            experiment=_experiment(client, begin),
            **begin["run"],
            at=record["at"],
            known=self.run_id,
        )
        if run_id is not None:
            log_inputs(client, run_id, begin.get("inputs", []))
        return run_id

    def _send_metrics(self, client: MlflowClient, run_id: str, group: list[Record]) -> None:
        if self._recorded is None:
            self._recorded = recorded_steps(client, run_id)
        metrics = [
            Metric(name, value, record["at"], record["step"])
            for record in group
            for name, value in record["metrics"].items()
            if record["step"] not in self._recorded.get(name, ())
        ]
        for start in range(0, len(metrics), METRICS_PER_CALL):
            client.log_batch(run_id, metrics=metrics[start : start + METRICS_PER_CALL])


def _experiment(client: MlflowClient, begin: Record) -> str:
    return experiment_of(client, begin["experiment"], output_dir=Path(begin["output_dir"]))


def _groups(records: Iterator[tuple[Record, int]]) -> Iterator[tuple[list[Record], int]]:
    """The records of each call, consecutive metrics in one, and the byte where they end."""
    group: list[Record] = []
    size = last = 0
    for record, end in records:
        if group and ("metrics" not in record or size + len(record["metrics"]) > METRICS_PER_CALL):
            yield group, last
            group, size = [], 0
        if "metrics" in record:
            group.append(record)
            size += len(record["metrics"])
        else:
            yield [record], end
        last = end
    if group:
        yield group, last


def recorded_steps(client: MlflowClient, run_id: str) -> dict[str, set[int]]:
    """Return the steps of each metric of a run."""
    return {
        name: {metric.step for metric in client.get_metric_history(run_id, name)}
        for name in client.get_run(run_id).data.metrics
    }


def artifact_folder(folder: Path, name: str) -> Path:
    """Return the folder `name` in `folder`; raise InputError where it is missing or a link leads
    out of it."""
    found, whole = folder / name, folder.resolve()
    if not found.is_dir():
        raise InputError(f"{found}: artifacts of the run were here and are gone; run it again")
    for path in (found, *found.rglob("*")):
        if not path.resolve().is_relative_to(whole):
            raise InputError(
                f"{folder / JOURNAL}: artifacts must lie in {folder}, got {path}, which lies "
                "elsewhere; nothing of it is sent"
            )
    return found
