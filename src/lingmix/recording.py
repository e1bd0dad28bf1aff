"""A run is recorded once: what is complete is found, what is begun goes on."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from lingmix.doors import Config, say
from lingmix.tracking.history import as_before, complete_run
from lingmix.tracking.identity import deciding
from lingmix.tracking.journal import ended, last_values, unsent
from lingmix.tracking.lifecycle import COMPLETE, HASH
from lingmix.tracking.recorder import RunRecorder
from lingmix.tracking.sender import journaled_run, send_rest
from lingmix.tracking.store import AwayError, experiment_of, open_store
from lingmix.tracking.work import claim


class Known(NamedTuple):
    """A run that is complete already: what to say of it, its metrics."""

    told: str
    metrics: Mapping[str, float]


def complete_already(
    uri: str, config: Config, *, tags: Mapping[str, str], work: Path
) -> Known | None:
    """As far as the store can say, and what waits in the run's own folder for it."""
    if found := _recorded(uri, config, tags):
        return found
    if ended(work) != COMPLETE:
        return None
    claim(work, deciding(config))
    metrics = last_values(work)
    send_rest(uri, folder=work, wait=config["tracking"]["wait"])
    return Known(f"complete already{waiting(work)}", metrics)


def recorded(
    uri: str, config: Config, *, name: str, tags: Mapping[str, str], work: Path
) -> AbstractContextManager[RunRecorder]:
    """What records the run as long as the block lasts; `work` is claimed for it."""
    claim(work, deciding(config))
    return journaled_run(
        uri,
        folder=work,
        experiment=config["name"],
        output_dir=Path(config["output_dir"]),
        run={
            "name": name,
            "params": config,
            "tags": tags,
            "parent": config["tracking"]["parent"],
        },
        wait=config["tracking"]["wait"],
    )


def waiting(work: Path) -> str:
    """What is still to be sent, and how; empty for nothing."""
    if not (left := unsent(work)):
        return ""
    return (
        f"\n  {left} records wait in {work} for the store: `lingmix-sync "
        f"output_dir={work.parents[2]}` sends them, or this command again"
    )


def _recorded(uri: str, config: Config, tags: Mapping[str, str]) -> Known | None:
    try:
        client = open_store(uri)
    except AwayError:
        return None
    output_dir = Path(config["output_dir"])
    experiment = experiment_of(client, config["name"], output_dir=output_dir)
    if found := complete_run(client, experiment, tags[HASH]):
        return Known(f"complete already (run {found.info.run_id})", found.data.metrics)
    if config["tracking"]["parent"] is None:  # a sweep has said it
        for line in as_before(client, experiment, tags):
            say(line)
    return None
