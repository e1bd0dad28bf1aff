"""A run is recorded once: a complete one is found, an unfinished one is resumed."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from mlflow.entities import Run

from lingmix.terminal import say
from lingmix.tracking.datasets import dataset_inputs
from lingmix.tracking.environment import hardware
from lingmix.tracking.generation import HARDWARE
from lingmix.tracking.history import changes_since, complete_run, lacks_run_files
from lingmix.tracking.identity import RunIdentity, provenance
from lingmix.tracking.lifecycle import COMPLETE, NOTE
from lingmix.tracking.outbox.journal import (
    count_unsent,
    final_state,
    find_damage,
    newest_metrics,
    require_undamaged,
)
from lingmix.tracking.outbox.recorder import RunRecorder
from lingmix.tracking.outbox.sender import open_outbox, send_unsent
from lingmix.tracking.pages.description import run_note, source_tags
from lingmix.tracking.run_folder import claim_folder
from lingmix.tracking.secrets import mask_all_secrets, mask_secrets
from lingmix.tracking.store.bounded import UnavailableError, startup_deadline
from lingmix.tracking.store.client import experiment_of, open_store
from lingmix.tracking.system_metrics import record_system_metrics

Config = dict[str, Any]


class CompleteRun(NamedTuple):
    """A run that is complete already: a message about it, and its metrics."""

    message: str
    metrics: Mapping[str, float]


def find_complete(config: Config, identity: RunIdentity, *, work: Path) -> CompleteRun | None:
    """Look for a complete run in the store, if it is available, then in the unsent journal."""
    found = _find_in_store(config, identity)
    if final_state(work) != COMPLETE or (found and find_damage(work)):
        return found
    require_undamaged(work)
    claim_folder(work, identity.configuration)
    metrics = newest_metrics(work)
    send_unsent(config["tracking"]["uri"], folder=work, wait=config["tracking"]["wait"])
    return found or CompleteRun(f"complete already{pending_note(work)}", metrics)


@contextmanager
def record_run(
    config: Config,
    identity: RunIdentity,
    *,
    name: str,
    command: Sequence[str],
    precision: str,
    work: Path,
    kind: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[RunRecorder]:
    """Record the run for the block; `work` is its folder, which is claimed for it.

    `command` makes the run again: the entry point and its arguments. `precision` is the one that
    the run computes in, by Lightning's name; `kind` are tags of what is no training.
    """
    claim_folder(work, identity.configuration)
    tracking, tags = config["tracking"], {**identity.tags, **provenance(), **kind}
    run = {
        "name": name,
        "params": mask_all_secrets(config),
        "tags": {**tags, **_descriptive_tags(command, precision, tags)},
        "parent": tracking["parent"],
    }
    with (
        open_outbox(
            tracking["uri"],
            folder=work,
            experiment=config["name"],
            output_dir=Path(config["output_dir"]),
            run=run,
            inputs=dataset_inputs(config),
            wait=tracking["wait"],
        ) as recorder,
        record_system_metrics(recorder, every=tracking["system_metrics"]),
    ):
        yield recorder


def _descriptive_tags(
    command: Sequence[str], precision: str, tags: Mapping[str, str]
) -> dict[str, str]:
    """Tags for a reader: the command that repeats the run, its hardware and its user."""
    return {
        NOTE: run_note(shlex.join(mask_secrets(word) for word in command), tags),
        HARDWARE: f"{hardware()}, {precision}",
        **source_tags(command[0]),
    }


def pending_note(work: Path) -> str:
    """Return a line on records that are not sent yet, and how to send them; empty for none."""
    if not (left := count_unsent(work)):
        return ""
    return (
        f"\n  {left} records are pending in {work}: run `lingmix-sync "
        f"output_dir={work.parents[2]}`, or this command again, to send them"
    )


def _find_in_store(config: Config, identity: RunIdentity) -> CompleteRun | None:
    output_dir = Path(config["output_dir"])
    try:
        with startup_deadline():
            client = open_store(config["tracking"]["uri"])
            experiment = experiment_of(client, config["name"], output_dir=output_dir)
            if found := complete_run(client, experiment, identity.hash):
                return CompleteRun(_complete_message(found, config), found.data.metrics)
            if config["tracking"]["parent"] is None:  # a sweep has reported it
                for line in changes_since(client, experiment, identity.tags):
                    say(line)
    except UnavailableError:
        return None
    return None


def _complete_message(run: Run, config: Config) -> str:
    run_id = run.info.run_id
    message = f"complete already (run {run_id})"
    if not lacks_run_files(run, config["run_files"]):
        return message
    return (
        f"{message}\n  run_files: those of {config['run_files']} passages were not written then, "
        f"nor now; delete the run (`mlflow runs delete --run-id {run_id}`) to have them made"
    )
