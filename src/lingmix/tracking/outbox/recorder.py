"""The recorder of a run: writes its metrics and files into its journal."""

from collections.abc import Mapping
from pathlib import Path

from lingmix.tracking.outbox.journal import Journal
from lingmix.tracking.store.limits import mlflow_key


class RunRecorder:
    """Records metrics and artifacts in the journal, which a thread sends meanwhile.

    A step that the journal already has for a metric is not recorded again.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._recorded = dict(journal.last_steps)

    @property
    def folder(self) -> Path:
        return self._journal.folder

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        at = step or 0
        fresh = {
            mlflow_key(name): float(value)
            for name, value in metrics.items()
            if name != "epoch" and at > self._recorded.get(mlflow_key(name), -1)
        }
        if fresh:
            self._journal.append(metrics=fresh, step=at)

    def next_step(self, prefix: str) -> int:
        """Return the step after the last that the journal has of metrics with this prefix."""
        steps = [step for name, step in self._recorded.items() if name.startswith(prefix)]
        return 1 + max(steps, default=-1)

    def flush(self) -> None:
        """Sync to disk: called before a checkpoint, so that both survive a power loss."""
        self._journal.sync()

    def log_files(self, folder: Path) -> None:
        """Record all files of `folder` as artifacts; they must not change until they are sent."""
        self._journal.append(files=str(folder.relative_to(self.folder)))
