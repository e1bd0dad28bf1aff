"""The parent run of a sweep: the hashes of its cells, how it ended, and its description."""

from collections.abc import Mapping, Sequence

from mlflow import MlflowClient
from mlflow.entities import Run, RunTag

from lingmix.tracking.code import git_tags
from lingmix.tracking.history import complete_runs, newest_generation, parent_run, runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import (
    COMMAND,
    FAILED,
    KIND,
    NOTE,
    RUNNING,
    STATE,
    STATUS,
    SWEEP,
    end_run,
    start_run,
)
from lingmix.tracking.pages.description import link, rank_runs, source_tags, sweep_note
from lingmix.tracking.pages.saved_view import save_view
from lingmix.tracking.store.limits import TAG_LENGTH, cut

CELLS = "lingmix.cells"
REPORT = "report/report.html"
HASHES_PER_TAG = 290
FRONT, FRONT_TABLE = "lingmix.front", "lingmix.front_table"
BEST_RUN = "lingmix.best_run"
DESCRIBED = "lingmix.described"
"""Tag: the number of complete cells when the description of a sweep was written."""

RUNS_PER_TAG = 150


def begin_sweep(
    client: MlflowClient, experiment: str, *, identity: str, name: str, command: str
) -> str:
    """Return the id of the sweep's parent run, an existing one where the sweep has begun before."""
    found = parent_run(client, experiment, identity)
    if found is None:
        note = sweep_note(command, [], front=None, report=None, view=None)
        tags = {SWEEP: identity, KIND: "sweep", NOTE: note}
        tags |= source_tags(command.split(maxsplit=1)[0]) | git_tags()
        run_id = start_run(client, experiment=experiment, name=name, params={}, tags=tags)
    else:
        run_id = found.info.run_id
        client.update_run(run_id, status="RUNNING")
    written = {COMMAND: cut(command, TAG_LENGTH), STATE: RUNNING}
    client.log_batch(run_id, tags=[RunTag(*tag) for tag in written.items()])
    return run_id


def add_cells(client: MlflowClient, parent: str, cells: Sequence[str]) -> None:
    """Add cells, by their hashes, to those of the parent run."""
    known = cell_hashes(client.get_run(parent))
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
    """Record the failure of a cell that failed before it had a run, or was killed."""
    found = next(runs(client, experiment, f"tags.`{HASH}` = '{tags[HASH]}'"), None)
    if found is None:
        run_id = start_run(
            client, experiment=experiment, name=name, params={}, tags=tags, parent=parent
        )
    elif RUNNING in (found.data.tags.get(STATE, RUNNING), found.info.status.lower()):
        run_id = found.info.run_id
    else:
        return
    end_run(client, run_id, state=FAILED, error=error[:1000])


def record_front(client: MlflowClient, parent: str, front: Sequence[str], *, table: str) -> None:
    """Record the Pareto front of a study: the ids of its runs, and `table` for a reader."""
    written = {FRONT: " ".join(front[:RUNS_PER_TAG]), FRONT_TABLE: cut(table, TAG_LENGTH)}
    client.log_batch(parent, tags=[RunTag(*tag) for tag in written.items()])
    describe_sweep(client, parent)


def end_sweep(client: MlflowClient, run_id: str, state: str) -> None:
    """Records the state as the MLflow status of the parent run, then as its tag."""
    client.set_terminated(run_id, STATUS[state])
    client.set_tag(run_id, STATE, state)


def describe_sweep(client: MlflowClient, run_id: str) -> None:
    """Update the description of a sweep from its complete runs, and the tag of its best run."""
    parent = client.get_run(run_id)
    tags, cells = parent.data.tags, set(cell_hashes(parent))
    complete = complete_runs(client, parent.info.experiment_id)
    done = [run for cell, run in complete.items() if cell in cells]
    found = newest_generation(done)
    reported = any(file.path == REPORT for file in client.list_artifacts(run_id, "report"))
    report = link(parent, "artifacts", REPORT) if reported else None
    view = save_view(client, parent, found) if found else None
    front = tags.get(FRONT_TABLE)
    note = sweep_note(tags.get(COMMAND, ""), found, front=front, report=report, view=view)
    written = {NOTE: cut(note, TAG_LENGTH), DESCRIBED: str(len(done))}
    if best := rank_runs(found):
        written[BEST_RUN] = best[0][1].info.run_id
    client.log_batch(run_id, tags=[RunTag(*tag) for tag in written.items()])


def is_described(client: MlflowClient, run_id: str, complete: Mapping[str, Run]) -> bool:
    """Whether the description counts all cells that are complete now.

    `lingmix-sync` may have sent some since, or the store been unavailable when the sweep ended.
    """
    parent = client.get_run(run_id)
    done = sum(cell in complete for cell in cell_hashes(parent))
    return parent.data.tags.get(DESCRIBED) == str(done)


def cell_hashes(parent: Run) -> list[str]:
    """Return the hashes of all cells that a sweep has ever had."""
    tags = parent.data.tags
    parts = sorted(tag for tag in tags if tag.startswith(f"{CELLS}."))
    return [cell for part in parts for cell in tags[part].split()]


def _cell_tags(cells: Sequence[str]) -> dict[str, str]:
    return {
        f"{CELLS}.{start // HASHES_PER_TAG:04d}": " ".join(cells[start : start + HASHES_PER_TAG])
        for start in range(0, len(cells), HASHES_PER_TAG)
    }
