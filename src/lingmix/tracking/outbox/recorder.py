"""The metrics and files of a run on their way into its journal."""

from collections.abc import Mapping
from pathlib import Path

from lingmix.tracking.outbox.journal import Journal
from lingmix.tracking.store.limits import key


class RunRecorder:
    """Writes everything into a journal, which is sent beside the work.

    A step that the journal has is not recorded again.
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
            key(name): float(value)
            for name, value in metrics.items()
            if name != "epoch" and at > self._recorded.get(key(name), -1)
        }
        if fresh:
            self._journal.append(metrics=fresh, step=at)

    def next_step(self, prefix: str) -> int:
        """After all that the journal had of metrics that are named so."""
        steps = [step for name, step in self._recorded.items() if name.startswith(prefix)]
        return 1 + max(steps, default=-1)

    def flush(self) -> None:
        """What a checkpoint comes after outlives a power loss, as the checkpoint does."""
        self._journal.keep()

    def log_files(self, folder: Path) -> None:
        """Everything in `folder`, as artifacts; it must stay as it is until it is sent."""
        self._journal.append(files=str(folder.relative_to(self.folder)))
