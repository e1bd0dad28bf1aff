"""Cells on this machine, each in a process of its own."""

import multiprocessing
import os
import time
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from omegaconf import DictConfig

from lingmix.errors import InputError
from lingmix.signals import StoppedError
from lingmix.sweep.cell import Cell, Outcome, Outcomes, work

MOST_PROCESSES = 8


def run_here(cells: Sequence[Cell], door: str, *, processes: int | None) -> Outcomes:
    """Runs them, `processes` at once, each forked from one warm process."""
    if processes is not None and processes < 1:
        raise InputError(
            "hydra.launcher.processes: must be at least 1, or null for one a core, "
            f"{MOST_PROCESSES} at most, got {processes}"
        )
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    at_once = min(processes or min(cores, MOST_PROCESSES), max(1, len(cells)))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lingmix.sweep.local", f"lingmix.commands.{door}"])
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
            for ready in wait(list(running)):
                process, cell, started = running.pop(ready)
                yield Outcome(cell, *_outcome(ready, process), time.monotonic() - started)
    finally:
        for process, *_ in running.values():
            process.terminate()
        for process, *_ in running.values():
            process.join()


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


def _outcome(sent: Any, process: Any) -> tuple[bool, str]:
    try:
        complete, text = sent.recv()
    except EOFError:
        process.join()
        return False, f"its process died with status {process.exitcode}"
    process.join()
    return complete, text
