"""How a run begins and ends in MLflow."""

import logging
from collections.abc import Mapping
from typing import Any, TypedDict

from mlflow import MlflowClient
from mlflow.entities import Param, Run, RunTag

from lingmix.signals import PrunedError
from lingmix.tracking.flat_config import leaves
from lingmix.tracking.identity import HASH
from lingmix.tracking.store.limits import (
    NAME_LENGTH,
    PARAM_LENGTH,
    TAG_LENGTH,
    cut,
    cut_distinct,
    mlflow_key,
)

log = logging.getLogger(__name__)

STATE, KIND = "lingmix.state", "lingmix.kind"
SWEEP, COMMAND, ERROR = "lingmix.sweep", "lingmix.command", "lingmix.error"
JOURNAL_ID = "lingmix.journal"
"""Tag: the id of the run's journal; a folder that is removed and made again gets a new one."""

COMPLETE, INTERRUPTED, FAILED, PRUNED = "complete", "interrupted", "failed", "pruned"
RUNNING, SUPERSEDED = "running", "superseded"
STATUS = {COMPLETE: "FINISHED", INTERRUPTED: "KILLED", FAILED: "FAILED", PRUNED: "KILLED"}
NOTE = "mlflow.note.content"
PARAMS_PER_CALL = 100


class Ending(TypedDict):
    """The state in which a run ended, and its error."""

    state: str
    error: str | None


def begin_run(
    client: MlflowClient,
    *,
    experiment: str,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    parent: str | None,
    at: int | None = None,
    known: str | None = None,
) -> str | None:
    """Begin or resume a run and return its id, or None where a complete run makes it superfluous.

    The run `known` is resumed, else one of the same hash and `output_dir` that the same journal has
    recorded. Another run of that hash is of a folder that was removed: if it is complete, which an
    unavailable store may have hidden, nothing is begun; else it is marked superseded and a new run
    begins, so that no metric of the old one remains in it. The call is idempotent, as a run that an
    earlier call created is found.
    """
    found = [client.get_run(known)] if known else []
    alike = found or _same_runs(client, experiment, tags[HASH], str(params.get("output_dir")))
    begun = found or [run for run in alike if _belongs_to(run, tags.get(JOURNAL_ID), at=at)]
    complete = [run for run in alike if run.data.tags.get(STATE) == COMPLETE]
    if complete and not begun:
        log.warning(
            "complete already (run %s): this training is not recorded as a second run",
            complete[0].info.run_id,
        )
        return None
    if begun:
        run_id = begun[0].info.run_id
        _restart(client, begun[0], params=params, tags=_tags(tags, parent))
    else:
        run_id = start_run(
            client, experiment=experiment, name=name, params=params, tags=tags, parent=parent, at=at
        )
    for old in alike:
        if old not in begun and old.data.tags.get(STATE) not in (COMPLETE, SUPERSEDED):
            _supersede(client, old, by=run_id)
    return run_id


def ending(error: BaseException | None) -> Ending:
    """Return the ending of a run that `error` has stopped, or that is complete (None)."""
    if error is None:
        return {"state": COMPLETE, "error": None}
    if isinstance(error, PrunedError):
        return {"state": PRUNED, "error": str(error)}
    state = FAILED if isinstance(error, Exception) else INTERRUPTED
    return {"state": state, "error": f"{type(error).__name__}: {error}"[:1000]}


def end_run(
    client: MlflowClient, run_id: str, *, state: str, error: str | None, at: int | None = None
) -> None:
    """Write how a run ended; the state `complete` is written last, after everything else."""
    if state == COMPLETE:
        _clear_error(client, client.get_run(run_id))
        client.set_terminated(run_id, STATUS[state], at)
        client.set_tag(run_id, STATE, state)
        return
    client.set_tag(run_id, STATE, state)
    client.set_tag(run_id, ERROR, error)
    client.set_terminated(run_id, STATUS[state], at)


def start_run(
    client: MlflowClient,
    *,
    experiment: str,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    parent: str | None = None,
    at: int | None = None,
) -> str:
    """Create a run and return its id; `at` is its start in milliseconds, now by default."""
    name = cut(name, NAME_LENGTH)
    run = client.create_run(experiment, at, run_name=name, tags=_tags(tags, parent))
    _log_params(client, run, params)
    client.log_batch(run.info.run_id, tags=[RunTag(STATE, RUNNING)])
    return run.info.run_id


def _restart(
    client: MlflowClient, run: Run, *, params: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    run_id = run.info.run_id
    client.update_run(run_id, status="RUNNING")
    _log_params(client, run, params)
    client.log_batch(run_id, tags=[RunTag(*tag) for tag in [*tags.items(), (STATE, RUNNING)]])
    _clear_error(client, run)


def _clear_error(client: MlflowClient, run: Run) -> None:
    if ERROR in run.data.tags:
        client.delete_tag(run.info.run_id, ERROR)


def _same_runs(client: MlflowClient, experiment: str, identity: str, output_dir: str) -> list[Run]:
    """The runs of this hash and `output_dir`, the newest first; others may be of other machines."""
    found = client.search_runs([experiment], filter_string=f"tags.`{HASH}` = '{identity}'")
    return [run for run in found if run.data.params.get("output_dir", output_dir) == output_dir]


def _belongs_to(run: Run, journal: str | None, *, at: int | None) -> bool:
    """Whether a journal's records belong to this run: it began the run, or the run is only the
    record of a failed cell. A journal of an older version has no id, and belongs to a run that is
    not complete now, or was not yet at the time `at`."""
    recorded_by, complete = run.data.tags.get(JOURNAL_ID), run.data.tags.get(STATE) == COMPLETE
    if journal is None:
        return not complete or _was_running(run, at)
    return recorded_by == journal or (recorded_by is None and not complete and not run.data.metrics)


def _supersede(client: MlflowClient, run: Run, *, by: str) -> None:
    client.set_tag(run.info.run_id, STATE, SUPERSEDED)
    client.set_tag(run.info.run_id, ERROR, f"its folder was removed: trained anew as run {by}")
    client.set_terminated(run.info.run_id, "KILLED")


def _was_running(run: Run, at: int | None) -> bool:
    """Whether a run that has ended was running at that time: one process at a time has its folder,
    so what was recorded then is of this run."""
    return at is not None and run.info.start_time <= at <= run.info.end_time


def _tags(tags: Mapping[str, str], parent: str | None) -> dict[str, str]:
    whole = {name: cut(value, TAG_LENGTH) for name, value in tags.items()}
    return whole | ({"mlflow.parentRunId": parent} if parent else {})


def _log_params(client: MlflowClient, run: Run, params: Mapping[str, Any]) -> None:
    # without those that the run has: a param is written once
    values = {
        mlflow_key(name): cut_distinct(str(value), PARAM_LENGTH)
        for name, value in leaves(params).items()
    }
    whole = [Param(name, values[name]) for name in values if name not in run.data.params]
    for start in range(0, len(whole), PARAMS_PER_CALL):
        client.log_batch(run.info.run_id, params=whole[start : start + PARAMS_PER_CALL])
