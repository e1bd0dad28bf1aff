"""A journal on its way to the store: in order, and each record once."""

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
    begun,
    damage,
    ended,
    keep_sent,
    last_values,
    read,
    sent,
)
from lingmix.tracking.secrets import shown
from lingmix.tracking.store.bounded import AwayError
from lingmix.tracking.store.client import experiment_of, open_store
from lingmix.tracking.store.local import LOCAL

METRICS_A_CALL = 1000

Group = list[Record]


class Delivery:
    """Sends what the journal in a folder holds and the store does not.

    Everything may be sent again where an answer was lost: MLflow keeps one of two metrics that
    agree in name, step, time and value, and the journal says what their time was. After a restart,
    steps that the run has there already are left out; a run that is there no more gets a new one,
    which everything is sent to. A run whose journal is damaged is never sent as complete. Where
    `begin_run` finds one that is complete already, nothing is sent, and `run_id` stays None.
    """

    def __init__(self, folder: Path, uri: str) -> None:
        self.folder = folder
        self.local = uri.startswith(LOCAL)
        self.progressed_at = time.monotonic()
        self._uri = uri
        self._client: MlflowClient | None = None
        self._recorded: dict[str, set[int]] | None = None
        self._complete_already = False
        there = sent(folder)
        if there.get("uri") != shown(uri):
            there = {"run_id": None, "end": 0}
        self.run_id: str | None = there["run_id"]
        self._end: int = there["end"]
        self._keep()

    @property
    def left(self) -> bool:
        return next(read(self.folder, self._end), None) is not None

    def send(self) -> None:
        """All that the journal holds by now; raises what the store has against it."""
        if not self.left:
            return
        self._client = self._client or self._open()
        for group, end in _groups(read(self.folder, self._end)):
            self._send(self._client, group)
            self._end, self.progressed_at = end, time.monotonic()
            self._keep()

    def confirm(self) -> None:
        """Has everything sent again where the store does not have the run as it is here, or cannot
        say so: it may have been deleted there, or an older copy of the store been put back."""
        if self.left:
            return
        try:
            self._client = self._client or self._open()
            whole = self.run_id is not None and self._is_whole(self._client.get_run(self.run_id))
        except AwayError:
            whole = False
        if not whole:
            self._end = 0
            self._keep()

    def _is_whole(self, run: Run) -> bool:
        state = FAILED if damage(self.folder) else ended(self.folder) or RUNNING
        metrics = last_values(self.folder).keys()
        return run.data.tags.get(STATE) == state and metrics <= run.data.metrics.keys()

    def _keep(self) -> None:
        keep_sent(self.folder, uri=shown(self._uri), run_id=self.run_id, end=self._end)

    def _open(self) -> MlflowClient:
        client = open_store(self._uri)
        if self.run_id is None or not self._is_there(client, self.run_id):
            self.run_id, self._end = None, 0
        return client

    def _is_there(self, client: MlflowClient, run_id: str) -> bool:
        begin = begun(self.folder)
        assert begin is not None
        return bool(client.search_runs([_experiment(client, begin)], f"run_id = '{run_id}'"))

    def _send(self, client: MlflowClient, group: Group) -> None:
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
            client.log_artifacts(self.run_id, str(within(self.folder, first["files"])))
        elif "end" in first:
            end_run(client, self.run_id, **self._ending(first["end"]), at=first["at"])

    def _ending(self, found: Ending) -> Ending:
        lost = damage(self.folder)
        return {"state": FAILED, "error": str(lost)} if lost else found

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

    def _send_metrics(self, client: MlflowClient, run_id: str, group: Group) -> None:
        if self._recorded is None:
            self._recorded = steps_of(client, run_id)
        metrics = [
            Metric(name, value, record["at"], record["step"])
            for record in group
            for name, value in record["metrics"].items()
            if record["step"] not in self._recorded.get(name, ())
        ]
        for start in range(0, len(metrics), METRICS_A_CALL):
            client.log_batch(run_id, metrics=metrics[start : start + METRICS_A_CALL])


def _experiment(client: MlflowClient, begin: Record) -> str:
    return experiment_of(client, begin["experiment"], output_dir=Path(begin["output_dir"]))


def _groups(records: Iterator[tuple[Record, int]]) -> Iterator[tuple[Group, int]]:
    """What goes in one call: metrics that follow each other."""
    group: Group = []
    held = last = 0
    for record, end in records:
        if group and ("metrics" not in record or held + len(record["metrics"]) > METRICS_A_CALL):
            yield group, last
            group, held = [], 0
        if "metrics" in record:
            group.append(record)
            held += len(record["metrics"])
        else:
            yield [record], end
        last = end
    if group:
        yield group, last


def steps_of(client: MlflowClient, run_id: str) -> dict[str, set[int]]:
    """The steps of each metric of a run."""
    return {
        name: {metric.step for metric in client.get_metric_history(run_id, name)}
        for name in client.get_run(run_id).data.metrics
    }


def within(folder: Path, name: str) -> Path:
    """The folder of that name below `folder`; neither it nor anything in it may lie elsewhere."""
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
