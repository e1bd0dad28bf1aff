"""A table of recorded sweeps and the states of their cells."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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


class SweepRow(NamedTuple):
    """A sweep: its experiment and name, the id of its run, how many of its cells are in each state,
    and its command."""

    experiment: str
    sweep: str
    run_id: str
    cells: dict[str, int]
    command: str

    @property
    def unfinished(self) -> bool:
        """Whether a cell is neither complete nor pruned."""
        return self.cells[COMPLETE] + self.cells[PRUNED] < sum(self.cells.values())


def sweep_rows(uri: str, *, name: str | None, output_dir: Path) -> list[SweepRow]:
    """Return a row for each sweep, the newest first.

    `name` is an experiment, or None for all. Raises InputError where the experiment does not exist.
    """
    client = open_store(uri)
    rows = []
    for experiment in _experiments(client, name):
        folder = output_dir / "runs" / experiment.name
        best = _best(client, experiment.experiment_id)
        for parent in runs(client, experiment.experiment_id, f"tags.`{KIND}` = 'sweep'"):
            counts = Counter(_state(cell, best, folder) for cell in cell_hashes(parent))
            rows.append(
                SweepRow(
                    experiment.name,
                    parent.info.run_name,
                    parent.info.run_id,
                    {state: counts[state] for state in STATES},
                    parent.data.tags.get(COMMAND, ""),
                )
            )
    return rows


def sweep_table(rows: Sequence[SweepRow]) -> str:
    """Return the rows as text, and commands that resume unfinished sweeps; empty for no row."""
    if not rows:
        return ""
    shown = [
        (row.experiment, row.sweep, *(str(row.cells[state] or "") for state in STATES))
        for row in rows
    ]
    unfinished = dict.fromkeys(row.command for row in rows if row.unfinished and row.command)
    head = ("experiment", "sweep", *STATES)
    table = format_table(head, shown, figures=slice(2, None))
    return "\n".join([table, *(f"to resume: {command}" for command in unfinished)])


def sweep_json(rows: Sequence[SweepRow]) -> str:
    """Return the rows as a JSON array of objects, for scripts."""
    values = [row._asdict() | {"unfinished": row.unfinished} for row in rows]
    return json.dumps(values, indent=2, ensure_ascii=False)


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
