"""A grid of runs: one parent run, each missing cell once, in a process of its own."""

import importlib
import json
import multiprocessing
import os
import shlex
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from hashlib import sha256
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from mlflow import MlflowClient
from omegaconf import DictConfig, open_dict

from lingmix.analysis.set_tables import every_set
from lingmix.doors import Config, resolved, say
from lingmix.errors import InputError
from lingmix.tracking.history import cells as cells_of
from lingmix.tracking.history import complete_runs, evaluations, parent_run
from lingmix.tracking.identity import config_hash
from lingmix.tracking.lifecycle import COMMAND, COMPLETE, KIND, STATE, SWEEP, start_run
from lingmix.tracking.store import experiment_of, leaves, open_store, shown

MOST_PROCESSES = 8
TAG_LENGTH = 5000
NAMED_ANYWAY = ("sampler.alpha", "augmentation.scale", "seed")


class Cell(NamedTuple):
    """One run of the grid: as Hydra composed it, its plain values, its hash."""

    config: DictConfig
    values: Config
    identity: str


class Outcome(NamedTuple):
    """How a cell ended; `text` is what it has to say, or the error."""

    cell: Cell
    complete: bool
    text: str
    seconds: float


def sweep(configs: Sequence[DictConfig], *, door: str, processes: int | None) -> None:
    """Runs the cells that are not recorded complete; ends with status 1 if one failed."""
    cells = list({cell.identity: cell for cell in map(_cell, configs)}.values())
    first = cells[0].values
    client = open_store(first["tracking"]["uri"])
    experiment = experiment_of(client, first["name"], output_dir=Path(first["output_dir"]))
    complete = complete_runs(client, experiment)
    missing = [cell for cell in cells if cell.identity not in complete]
    say(
        f"sweep {first['name']}: {len(cells)} cells, {len(cells) - len(missing)} complete, "
        f"{len(missing)} to run"
    )
    parent = _parent(client, experiment, cells)
    command = shown(shlex.join([f"lingmix-{door}", *sys.argv[1:]]))
    client.set_tag(parent, COMMAND, command[:TAG_LENGTH])
    client.set_tag(parent, "mlflow.note.content", f"`{command}`"[:TAG_LENGTH])
    client.update_run(parent, status="RUNNING")
    client.set_tag(parent, STATE, "running")
    failed = []
    try:
        for count, outcome in enumerate(_run_all(missing, cells, door, parent, processes), 1):
            state = "" if outcome.complete else "FAILED "
            say(f"[{count}/{len(missing)}] {outcome.seconds:.0f} s {state}{outcome.text}")
            if not outcome.complete:
                failed.append(outcome.text)
    except BaseException:
        _end(client, parent, status="KILLED", state="interrupted")
        raise
    if failed:
        _end(client, parent, status="FAILED", state="failed")
        sys.exit(
            f"lingmix-{door}: {len(failed)} of {len(cells)} cells failed (first: {failed[0]}); the "
            "same command runs only those again"
        )
    _end(client, parent, status="FINISHED", state=COMPLETE)
    if door == "evaluate":
        say(every_set(cells_of(client, experiment), evaluations(client, experiment)))


def _end(client: MlflowClient, parent: str, *, status: str, state: str) -> None:
    client.set_terminated(parent, status)
    client.set_tag(parent, STATE, state)


def run_cell(door: str, config: DictConfig, threads: int, outcome: Connection) -> None:
    """Runs a cell in this process, which is its own, and sends (complete, text)."""
    import torch  # noqa: PLC0415 - a sweep with nothing to run has no use for it

    torch.set_num_threads(threads)
    HydraConfig.instance().set_config(config)
    try:
        text = getattr(importlib.import_module(f"lingmix.{door}"), door)(_task(config))
    except InputError as error:
        outcome.send((False, str(error)))
    except BaseException as error:
        traceback.print_exc()
        outcome.send((False, f"{type(error).__name__}: {error}"))
        raise
    else:
        outcome.send((True, text))


def _cell(config: DictConfig) -> Cell:
    values = resolved(_task(config))
    return Cell(config, values, config_hash(values))


def _task(config: DictConfig) -> DictConfig:
    """Without Hydra's own part."""
    task = config.copy()
    with open_dict(task):
        del task["hydra"]
    return task


def _parent(client: MlflowClient, experiment: str, cells: Sequence[Cell]) -> str:
    """A sweep is what its cells share and the keys it varies: a wider grid is the same sweep."""
    swept = _swept(cells)
    shared = {key: value for key, value in leaves(cells[0].values).items() if key not in swept}
    text = json.dumps([config_hash(shared), swept])
    identity = sha256(text.encode()).hexdigest()[:16]
    if found := parent_run(client, experiment, identity):
        return found.info.run_id
    return start_run(
        client,
        experiment=experiment,
        name=f"sweep over {', '.join(swept) or 'one cell'}",
        params={},
        tags={SWEEP: identity, KIND: "sweep"},
    )


def _swept(cells: Sequence[Cell]) -> list[str]:
    """Keys whose values differ between cells."""
    flat = [{key: str(value) for key, value in leaves(cell.values).items()} for cell in cells]
    keys = sorted({key for values in flat for key in values})
    return [key for key in keys if len({values.get(key) for values in flat}) > 1]


def _child_config(cell: Cell, parent: str, swept: Sequence[str]) -> DictConfig:
    """What the cell is told beside its values: its parent, its name, to keep its screen quiet."""
    values = leaves(cell.values)
    config = cell.config.copy()
    with open_dict(config):
        config.tracking.parent = parent
        config.tracking.label = [
            f"{key.rpartition('.')[2]}={values.get(key)}"
            for key in swept
            if key not in (*NAMED_ANYWAY, "pairs") and not key.startswith("tracking.")
        ]
        if "trainer" in config:
            config.trainer.enable_progress_bar = False
    return config


def _run_all(
    missing: Sequence[Cell],
    cells: Sequence[Cell],
    door: str,
    parent: str,
    processes: int | None,
) -> Iterator[Outcome]:
    """Runs the missing ones, `processes` at once, each forked from one warm process."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    at_once = min(processes or min(cores, MOST_PROCESSES), max(1, len(missing)))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lingmix.sweep", f"lingmix.{door}"])
    swept = _swept(cells)
    waiting = list(reversed(missing))
    running: dict[Any, tuple[Any, Cell, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                cell = waiting.pop()
                ours, theirs = context.Pipe(duplex=False)
                child = _child_config(cell, parent, swept)
                arguments = (door, child, max(1, cores // at_once), theirs)
                process = context.Process(target=run_cell, args=arguments)
                process.start()
                theirs.close()
                running[ours] = (process, cell, time.monotonic())
            ready = wait(list(running))
            for ours in [one for one in running if one in ready]:
                process, cell, started = running.pop(ours)
                try:
                    complete, text = ours.recv()
                except EOFError:
                    process.join()
                    complete, text = False, f"its process died with status {process.exitcode}"
                process.join()
                yield Outcome(cell, complete, text, time.monotonic() - started)
    finally:
        for process, *_ in running.values():
            process.terminate()
