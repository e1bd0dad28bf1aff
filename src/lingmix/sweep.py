"""A grid of runs: one parent run, each missing cell once, in a process of its own."""

import importlib
import json
import multiprocessing
import os
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from lingmix.doors import Config, say
from lingmix.errors import InputError
from lingmix.grid import Compose, Plan, plans, swept, without_hydra
from lingmix.stopping import StoppedError, stoppable
from lingmix.tracking.history import cells as cells_of
from lingmix.tracking.history import changes, complete_runs, evaluations
from lingmix.tracking.identity import CODE, config_hash
from lingmix.tracking.lifecycle import COMPLETE, FAILED, INTERRUPTED
from lingmix.tracking.store import experiment_of, leaves, open_store, shown
from lingmix.tracking.sweeps import begin_sweep, end_sweep, record_failure

MOST_PROCESSES = 8
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


RunAll = Callable[[Sequence[Cell], str], Generator[Outcome, None, None]]
"""Runs the cells of a door."""


def sweep(jobs: Sequence[Sequence[str]], *, compose: Compose, door: str, run_all: RunAll) -> None:
    """Has the cells run that are not recorded complete; ends with status 1 if one failed."""
    grid = plans(jobs, compose)
    first, keys = grid[0].values, swept([plan.values for plan in grid])
    name, output_dir = first["name"], Path(first["output_dir"])
    identity = _identity(first, keys)
    with _alone(output_dir / "runs" / name / f"sweep-{identity}.lock", name):
        client = open_store(first["tracking"]["uri"])
        experiment = experiment_of(client, name, output_dir=output_dir)
        complete = complete_runs(client, experiment)
        missing = [plan for plan in grid if plan.identity not in complete]
        done = len(grid) - len(missing)
        say(f"sweep {name}: {len(grid)} cells, {done} complete, {len(missing)} to run")
        for line in changes(complete.values(), [plan.tags for plan in missing]):
            say(f"  {line}")
        parent = begin_sweep(
            client,
            experiment,
            identity=identity,
            name=f"sweep over {', '.join(keys) or 'one cell'}",
            command=shown(shlex.join([f"lingmix-{door}", *sys.argv[1:]])),
            cells=[plan.identity for plan in grid],
        )
        try:
            failed = _run(missing, keys, parent, compose=compose, door=door, run_all=run_all)
        except BaseException as error:
            end_sweep(client, parent, status="KILLED", state=INTERRUPTED)
            if isinstance(error, KeyboardInterrupt | StoppedError):
                number = getattr(error, "number", signal.SIGINT)
                say(f"lingmix-{door}: stopped; the same command goes on with what is missing")
                sys.exit(128 + number)
            raise
        if failed:
            tags = {plan.identity: plan.tags for plan in grid}
            for outcome in failed:
                record_failure(
                    client,
                    experiment,
                    parent=parent,
                    name=_name(outcome.cell.values, keys),
                    tags=tags[outcome.cell.identity],
                    error=outcome.text,
                )
            end_sweep(client, parent, status="FAILED", state=FAILED)
            sys.exit(
                f"lingmix-{door}: {len(failed)} of {len(grid)} cells failed (first: "
                f"{failed[0].text}); the same command runs only those again"
            )
        end_sweep(client, parent, status="FINISHED", state=COMPLETE)
        if door == "evaluate":
            from lingmix.analysis.set_tables import every_set  # noqa: PLC0415 - seconds of imports

            say(every_set(cells_of(client, experiment), evaluations(client, experiment)))


def _run(
    missing: Sequence[Plan],
    keys: Sequence[str],
    parent: str,
    *,
    compose: Compose,
    door: str,
    run_all: RunAll,
) -> list[Outcome]:
    """Those that failed."""
    cells = [_cell(plan, compose(plan.overrides), parent=parent, keys=keys) for plan in missing]
    failed = []
    with stoppable(), closing(run_all(cells, door)) as outcomes:
        for count, outcome in enumerate(outcomes, 1):
            state = "" if outcome.complete else "FAILED "
            say(f"[{count}/{len(cells)}] {outcome.seconds:.0f} s {state}{outcome.text}")
            if not outcome.complete:
                failed.append(outcome)
    return failed


@contextmanager
def _alone(path: Path, name: str) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f"name: another process is at work on this sweep of {name!r}; wait for it, or stop it"
        ) from None
    try:
        yield
    finally:
        lock.release()


def run_cell(door: str, config: DictConfig, threads: int, outcome: Connection) -> None:
    """Runs a cell in this process, which is its own, and sends (complete, text)."""
    try:
        text = work(door, config, threads=threads)
    except InputError as error:
        outcome.send((False, str(error)))
    except StoppedError as error:
        outcome.send((False, str(error)))
        raise
    except BaseException as error:
        traceback.print_exc()
        outcome.send((False, f"{type(error).__name__}: {error}"))
        raise
    else:
        outcome.send((True, text))


def work(door: str, config: DictConfig, *, threads: int) -> str:
    """Runs a cell in this process, which is its own; what it has to say."""
    import torch  # noqa: PLC0415 - a sweep with nothing to run has no use for it

    torch.set_num_threads(threads)
    HydraConfig.instance().set_config(config)
    return getattr(importlib.import_module(f"lingmix.{door}"), door)(without_hydra(config))


def _identity(values: Config, keys: Sequence[str]) -> str:
    """A sweep is what its cells share and the keys it varies: a wider grid is the same sweep."""
    shared = {key: value for key, value in leaves(values).items() if key not in keys}
    return sha256(json.dumps([config_hash(shared), [*keys]]).encode()).hexdigest()[:16]


def _name(values: Config, keys: Sequence[str]) -> str:
    flat = leaves(values)
    return " ".join(f"{key.rpartition('.')[2]}={flat.get(key)}" for key in keys)


def _cell(plan: Plan, config: DictConfig, *, parent: str, keys: Sequence[str]) -> Cell:
    """Told beside its values: its parent, its code, its name, to keep its screen quiet."""
    values = leaves(plan.values)
    with open_dict(config):
        config.tracking.parent = parent
        config.tracking.code = plan.tags[CODE]
        config.tracking.label = [
            f"{key.rpartition('.')[2]}={values.get(key)}"
            for key in keys
            if key not in (*NAMED_ANYWAY, "pairs") and not key.startswith("tracking.")
        ]
        if "trainer" in config:
            config.trainer.enable_progress_bar = False
    return Cell(config, plan.values, plan.identity)


def run_here(
    cells: Sequence[Cell], door: str, *, processes: int | None
) -> Generator[Outcome, None, None]:
    """Runs them, `processes` at once, each forked from one warm process."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    at_once = min(processes or min(cores, MOST_PROCESSES), max(1, len(cells)))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lingmix.sweep", f"lingmix.{door}"])
    waiting = list(reversed(cells))
    running: dict[Any, tuple[Any, Cell, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                cell = waiting.pop()
                ours, theirs = context.Pipe(duplex=False)
                arguments = (door, cell.config, max(1, cores // at_once), theirs)
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
        for process, *_ in running.values():
            process.join()
