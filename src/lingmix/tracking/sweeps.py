"""The parent run of a sweep: which cells it is of, and how it ended."""

from collections.abc import Mapping, Sequence

from mlflow import MlflowClient
from mlflow.entities import Run, RunTag

from lingmix.tracking.history import parent_run, runs
from lingmix.tracking.lifecycle import (
    COMMAND,
    FAILED,
    HASH,
    KIND,
    STATE,
    STATUS,
    SWEEP,
    end_run,
    start_run,
)

CELLS = "lingmix.cells"
TAG_LENGTH = 5000
HASHES_A_TAG = 290


def begin_sweep(
    client: MlflowClient, experiment: str, *, identity: str, name: str, command: str
) -> str:
    """The run of a sweep, which may have begun before."""
    found = parent_run(client, experiment, identity)
    if found is None:
        tags = {SWEEP: identity, KIND: "sweep"}
        run_id = start_run(client, experiment=experiment, name=name, params={}, tags=tags)
    else:
        run_id = found.info.run_id
        client.update_run(run_id, status="RUNNING")
    written = {
        COMMAND: command[:TAG_LENGTH],
        "mlflow.note.content": f"`{command[: TAG_LENGTH - 2]}`",
        STATE: "running",
    }
    client.log_batch(run_id, tags=[RunTag(*tag) for tag in written.items()])
    return run_id


def add_cells(client: MlflowClient, parent: str, cells: Sequence[str]) -> None:
    """To those that the sweep was of before; they are given by their hashes."""
    known = cells_of(client.get_run(parent))
    tags = _cell_tags(list(dict.fromkeys([*known, *cells])))
    client.log_batch(parent, tags=[RunTag(*tag) for tag in tags.items()])


def record_failure(
    client: MlflowClient,
    experiment: str,
    *,
    parent: str,
    name: str,
    tags: Mapping[str, str],
    error: str,
) -> None:
    """Of a cell that has failed before it had a run."""
    if next(runs(client, experiment, f"tags.`{HASH}` = '{tags[HASH]}'"), None) is None:
        run_id = start_run(
            client, experiment=experiment, name=name, params={}, tags=tags, parent=parent
        )
        end_run(client, run_id, state=FAILED, error=error[:1000])


def end_sweep(client: MlflowClient, run_id: str, state: str) -> None:
    client.set_terminated(run_id, STATUS[state])
    client.set_tag(run_id, STATE, state)


def cells_of(parent: Run) -> list[str]:
    """The hashes of all cells that a sweep was ever of."""
    tags = parent.data.tags
    parts = sorted(tag for tag in tags if tag.startswith(f"{CELLS}."))
    return [cell for part in parts for cell in tags[part].split()]


def _cell_tags(cells: Sequence[str]) -> dict[str, str]:
    return {
        f"{CELLS}.{start // HASHES_A_TAG:04d}": " ".join(cells[start : start + HASHES_A_TAG])
        for start in range(0, len(cells), HASHES_A_TAG)
    }
