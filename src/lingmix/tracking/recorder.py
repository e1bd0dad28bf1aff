"""The metrics of a run on their way to MLflow."""

import time
from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from lingmix.tracking.delivery import METRICS_A_CALL, last_steps
from lingmix.tracking.journal import Journal

SECONDS_BETWEEN_CALLS = 5.0


class RunRecorder(Logger):
    """Collects metrics and sends them in batches: a call for each is 100 times slower.

    A step that the run has recorded before it was stopped is not recorded again.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self._client = client
        self._recorded = last_steps(client, run_id)
        self._waiting: list[Metric] = []
        self._sent_at = time.monotonic()

    @property
    def name(self) -> str:
        return "mlflow"

    @property
    def version(self) -> str:
        return self.run_id

    def log_hyperparams(self, params: object, *args: object, **kwargs: object) -> None:
        """Params are the configuration, written when the run starts."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        now = int(time.time() * 1000)
        self._waiting += [
            Metric(name, float(value), now, step or 0)
            for name, value in metrics.items()
            if name != "epoch" and (step or 0) > self._recorded.get(name, -1)
        ]
        if time.monotonic() - self._sent_at > SECONDS_BETWEEN_CALLS:
            self.flush()

    @rank_zero_only
    def flush(self) -> None:
        for start in range(0, len(self._waiting), METRICS_A_CALL):
            metrics = self._waiting[start : start + METRICS_A_CALL]
            self._client.log_batch(self.run_id, metrics=metrics)
        self._waiting.clear()
        self._sent_at = time.monotonic()

    def finalize(self, status: str) -> None:
        self.flush()

    def log_files(self, folder: Path) -> None:
        """Everything in `folder`, as artifacts."""
        self._client.log_artifacts(self.run_id, str(folder))


class JournalRecorder(RunRecorder):
    """Writes everything into a journal, which is sent beside the work.

    A step that the journal has is not recorded again.
    """

    def __init__(self, journal: Journal) -> None:
        Logger.__init__(self)
        self.run_id = journal.folder.name
        self._journal = journal
        self._recorded = dict(journal.last_steps)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        at = step or 0
        fresh = {
            name: float(value)
            for name, value in metrics.items()
            if name != "epoch" and at > self._recorded.get(name, -1)
        }
        if fresh:
            self._journal.append(metrics=fresh, step=at)

    @rank_zero_only
    def flush(self) -> None:
        """What a checkpoint comes after outlives a power loss, as the checkpoint does."""
        self._journal.keep()

    def log_files(self, folder: Path) -> None:
        """They must stay as they are until they are sent."""
        self._journal.append(files=str(folder.relative_to(self._journal.folder)))
