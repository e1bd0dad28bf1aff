"""Cells as processes on this machine."""

import logging
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from omegaconf import DictConfig

from lingmix.errors import InputError
from lingmix.signals import StoppedError, deferred
from lingmix.sweep.cell import Cell, Outcome, Outcomes, run_cell
from lingmix.terminal import say

MAX_PROCESSES = 8

FORKING = multiprocessing.get_context("forkserver")


def run_locally(cells: Sequence[Cell], command: str, *, processes: int | None) -> Outcomes:
    """Run at most `processes` cells at once, each forked from one process that has imported all.

    What several cells note alike is printed once. Raises InputError where `processes` is below 1.
    """
    if processes is not None and processes < 1:
        raise InputError(
            "hydra.launcher.processes: must be at least 1, or null for one a core, "
            f"{MAX_PROCESSES} at most, got {processes}"
        )
    cores = _cores()
    at_once = min(processes or min(cores, MAX_PROCESSES), max(1, len(cells)))
    _start_forkserver(command)
    waiting = list(reversed(cells))
    running: dict[Any, tuple[Any, Cell, float]] = {}
    noted: set[str] = set()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                cell = waiting.pop()
                with deferred():  # a signal would leave behind what starts
                    ours, process = _start(cell, command, max(1, cores // at_once))
                    running[ours] = (process, cell, time.monotonic())
            for ready in wait(list(running)):
                received = _receive(ready, running[ready][0])
                if isinstance(received, tuple):
                    _, cell, started = running.pop(ready)
                    yield Outcome(cell, *received, time.monotonic() - started)
                elif received not in noted:
                    noted.add(received)
                    say(received)
    finally:
        for process, *_ in running.values():
            process.terminate()
        for process, *_ in running.values():
            process.join()


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _start_forkserver(command: str) -> None:
    """Start the process that the cells are forked from. It and they inherit that Ctrl-C, which
    reaches every process of a terminal, is blocked: the sweep stops them."""
    FORKING.set_forkserver_preload(["lingmix.sweep.local", f"lingmix.commands.{command}"])
    resource_tracker.ensure_running()  # which unblocks it
    with deferred():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        forkserver.ensure_running()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(cell: Cell, command: str, threads: int) -> tuple[Connection, Any]:
    """Return the connection to the cell's process, and the process."""
    ours, theirs = FORKING.Pipe(duplex=False)
    process = FORKING.Process(target=send_outcome, args=(command, cell.config, threads, theirs))
    process.start()
    theirs.close()
    return ours, process


def send_outcome(command: str, config: DictConfig, threads: int, connection: Connection) -> None:
    """Run a cell in this process; send what it logs as texts, and last (complete, text)."""
    messages = _Messages(connection)
    logging.getLogger("lingmix").addHandler(messages)
    try:
        text = run_cell(command, config, threads=threads)
    except InputError as error:
        messages.send((False, str(error)))
    except StoppedError as error:
        messages.send((False, str(error)))
        raise
    except BaseException as error:
        traceback.print_exc()
        messages.send((False, f"{type(error).__name__}: {error}"))
        raise
    else:
        messages.send((True, text))


class _Messages(logging.Handler):
    """Sends log records and an outcome over one connection, from any thread."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # the sweep has ended
            self.send(self.format(record))

    def send(self, message: str | tuple[bool, str]) -> None:
        self.acquire()
        try:
            self._connection.send(message)
        finally:
            self.release()


def _receive(connection: Any, process: Any) -> str | tuple[bool, str]:
    """Return a note of the cell, or its outcome, with which its process ends."""
    try:
        received: str | tuple[bool, str] = connection.recv()
    except EOFError:
        process.join()
        return False, f"its process died with status {process.exitcode}"
    if isinstance(received, tuple):
        process.join()
    return received
