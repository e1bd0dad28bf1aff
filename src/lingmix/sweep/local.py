"""Cells as processes on this machine."""

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
from lingmix.sweep.cell import Cell, Outcome, Outcomes, run_cell

MAX_PROCESSES = 8


def run_locally(cells: Sequence[Cell], command: str, *, processes: int | None) -> Outcomes:
    """Run at most `processes` cells at once, each forked from one process that has imported all.

    Raises InputError where `processes` is below 1.
    """
    if processes is not None and processes < 1:
        raise InputError(
            "hydra.launcher.processes: must be at least 1, or null for one a core, "
            f"{MAX_PROCESSES} at most, got {processes}"
        )
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    at_once = min(processes or min(cores, MAX_PROCESSES), max(1, len(cells)))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lingmix.sweep.local", f"lingmix.commands.{command}"])
    waiting = list(reversed(cells))
    running: dict[Any, tuple[Any, Cell, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                cell = waiting.pop()
                ours, theirs = context.Pipe(duplex=False)
                arguments = (command, cell.config, max(1, cores // at_once), theirs)
                process = context.Process(target=send_outcome, args=arguments)
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


def send_outcome(command: str, config: DictConfig, threads: int, outcome: Connection) -> None:
    """Run a cell in this process and send (complete, text) over the connection."""
    try:
        text = run_cell(command, config, threads=threads)
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
