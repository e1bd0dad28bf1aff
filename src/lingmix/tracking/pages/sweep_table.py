"""A table of recorded sweeps and the states of their cells."""

from collections import Counter
from pathlib import Path

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.entities import Experiment, Run

from lingmix.errors import InputError
from lingmix.text_table import format_table
from lingmix.tracking.history import runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import (
    COMMAND,
    COMPLETE,
    FAILED,
    INTERRUPTED,
    KIND,
    PRUNED,
    RUNNING,
    STATE,
)
from lingmix.tracking.pages.sweep_run import cell_hashes
from lingmix.tracking.store.client import open_store

MISSING = "missing"
STATES = (COMPLETE, PRUNED, FAILED, RUNNING, INTERRUPTED, MISSING)


def sweep_table(uri: str, *, name: str | None, output_dir: Path) -> str:
    """Return a row for each sweep, the newest first, and commands that resume unfinished ones.

    Empty where no sweep is recorded. `name` is an experiment, or None for all. Raises InputError
    where the experiment does not exist.
    """
    client = open_store(uri)
    rows, unfinished = [], []
    for experiment in _experiments(client, name):
        folder = output_dir / "runs" / experiment.name
        best = _best(client, experiment.experiment_id)
        for parent in runs(client, experiment.experiment_id, f"tags.`{KIND}` = 'sweep'"):
            counts = Counter(_state(cell, best, folder) for cell in cell_hashes(parent))
            figures = (str(counts[state] or "") for state in STATES)
            rows.append((experiment.name, parent.info.run_name, *figures))
            if counts[COMPLETE] + counts[PRUNED] < counts.total():
                unfinished.append(parent.data.tags.get(COMMAND, ""))
    if not rows:
        return ""
    resume = [f"to resume: {command}" for command in dict.fromkeys(filter(None, unfinished))]
    return "\n".join(
        [format_table(("experiment", "sweep", *STATES), rows, figures=slice(2, None)), *resume]
    )


def _experiments(client: MlflowClient, name: str | None) -> list[Experiment]:
    if name is None:
        return [*client.search_experiments()]
    found = client.get_experiment_by_name(name)
    if found is None:
        known = ", ".join(experiment.name for experiment in client.search_experiments())
        raise InputError(f"name: no experiment {name!r} is recorded; there are: {known}")
    return [found]


def _best(client: MlflowClient, experiment: str) -> dict[str, Run]:
    """The complete run of each cell, or its newest."""
    best: dict[str, Run] = {}
    for run in runs(client, experiment, f"tags.`{HASH}` != ''"):
        cell = run.data.tags[HASH]
        if cell not in best or run.data.tags.get(STATE) == COMPLETE:
            best[cell] = run
    return best


def _state(cell: str, best: dict[str, Run], folder: Path) -> str:
    if cell not in best:
        return MISSING
    state = best[cell].data.tags.get(STATE, INTERRUPTED)
    return INTERRUPTED if state == RUNNING and not _is_locked(folder / f"{cell}.lock") else state


def _is_locked(lock: Path) -> bool:
    """Whether a process runs the cell; one that was killed has left its state at running."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock, blocking=False):
            return False
    except Timeout:
        return True
