"""A run is recorded once: what is complete is found, what is begun goes on."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mlflow.entities import Run

from lingmix.doors import Config, config_dirs, overrides
from lingmix.model.precision import precision_of
from lingmix.terminal import say
from lingmix.tracking.bounded import AwayError, opening
from lingmix.tracking.datasets import inputs
from lingmix.tracking.description import maker, run_note
from lingmix.tracking.environment import hardware
from lingmix.tracking.generation import HARDWARE
from lingmix.tracking.history import as_before, complete_run, lacks_run_files
from lingmix.tracking.identity import HASH, deciding
from lingmix.tracking.journal import damage, ended, last_values, refuse_damaged, unsent
from lingmix.tracking.lifecycle import COMPLETE, NOTE
from lingmix.tracking.machine import watched_machine
from lingmix.tracking.recorder import RunRecorder
from lingmix.tracking.secrets import masked, shown
from lingmix.tracking.sender import journaled_run, send_rest
from lingmix.tracking.store import experiment_of, open_store
from lingmix.tracking.work import claim


class Known(NamedTuple):
    """A run that is complete already: what to say of it, its metrics."""

    told: str
    metrics: Mapping[str, float]


def complete_already(
    uri: str, config: Config, *, tags: Mapping[str, str], work: Path
) -> Known | None:
    """As far as the store can say, and what waits in the run's own folder for it."""
    found = _recorded(uri, config, tags)
    if ended(work) != COMPLETE or (found and damage(work)):
        return found
    refuse_damaged(work)
    claim(work, masked(deciding(config)))
    metrics = last_values(work)
    send_rest(uri, folder=work, wait=config["tracking"]["wait"])
    return found or Known(f"complete already{waiting(work)}", metrics)


@contextmanager
def recorded(
    uri: str, config: Config, *, door: str, name: str, tags: Mapping[str, str], work: Path
) -> Iterator[RunRecorder]:
    """What records the run as long as the block lasts; `work` is claimed for it."""
    claim(work, masked(deciding(config)))
    tracking = config["tracking"]
    run = {
        "name": name,
        "params": masked(config),
        "tags": {**tags, **told(door, config, tags)},
        "parent": tracking["parent"],
    }
    with (
        journaled_run(
            uri,
            folder=work,
            experiment=config["name"],
            output_dir=Path(config["output_dir"]),
            run=run,
            inputs=inputs(config),
            wait=tracking["wait"],
        ) as recorder,
        watched_machine(recorder, every=tracking["system_metrics"]),
    ):
        yield recorder


def told(door: str, config: Config, tags: Mapping[str, str]) -> dict[str, str]:
    """Tags for a reader: what makes the run again, what it runs on, who began it."""
    precision = precision_of(config.get("trainer", config)["precision"])
    words = [f"lingmix-{door}", *config_dirs(), *(shown(one) for one in overrides())]
    return {
        NOTE: run_note(shlex.join(words), tags),
        HARDWARE: f"{hardware()}, {precision}",
        **maker(f"lingmix-{door}"),
    }


def waiting(work: Path) -> str:
    """What is still to be sent, and how; empty for nothing."""
    if not (left := unsent(work)):
        return ""
    return (
        f"\n  {left} records wait in {work} for the store: `lingmix-sync "
        f"output_dir={work.parents[2]}` sends them, or this command again"
    )


def _recorded(uri: str, config: Config, tags: Mapping[str, str]) -> Known | None:
    output_dir = Path(config["output_dir"])
    try:
        with opening():
            client = open_store(uri)
            experiment = experiment_of(client, config["name"], output_dir=output_dir)
            if found := complete_run(client, experiment, tags[HASH]):
                return Known(_complete(found, config), found.data.metrics)
            if config["tracking"]["parent"] is None:  # a sweep has said it
                for line in as_before(client, experiment, tags):
                    say(line)
    except AwayError:
        return None
    return None


def _complete(run: Run, config: Config) -> str:
    run_id = run.info.run_id
    told = f"complete already (run {run_id})"
    if not lacks_run_files(run, config["run_files"]):
        return told
    return (
        f"{told}\n  run_files: those of {config['run_files']} passages were not written then, nor "
        f"now; delete the run (`mlflow runs delete --run-id {run_id}`) to have them made"
    )
