"""Cells as tasks of a Ray cluster."""

import time
import traceback
from collections.abc import Sequence

from omegaconf import DictConfig

from lingmix.errors import InputError
from lingmix.sweep.cell import Cell, Outcome, Outcomes, run_cell
from lingmix.terminal import say

try:
    import ray
    from ray.exceptions import RayError
except ImportError as error:
    raise InputError(
        "launcher: Ray is not installed; run `pip install lingmix[ray]`, or choose launcher=local"
    ) from error

POLL_INTERVAL = 0.5
GRACE_PERIOD = 60.0
"""Seconds that cancelled cells have to write their checkpoints."""


def run_on_ray(
    cells: Sequence[Cell], command: str, *, address: str, cpus: int, gpus: float, retries: int
) -> Outcomes:
    """Run each cell as a Ray task; Ray retries a lost one, which resumes from its checkpoint.

    Raises InputError where no cluster answers at `address`.
    """
    if not cells:
        return
    _connect(address)
    resources = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": retries, "max_calls": 1}
    task = ray.remote(**resources)(cell_task)
    running = {task.remote(command, cell.config, cpus): cell for cell in cells}
    try:
        while running:
            time.sleep(POLL_INTERVAL)  # where Ray waits itself, it takes a signal for its own
            ended, _ = ray.wait(list(running), num_returns=len(running), timeout=0)
            for ended_task in ended:
                yield Outcome(running.pop(ended_task), *_outcome(ended_task))
    finally:
        if running:
            _cancel(list(running))
        ray.shutdown()


def _cancel(tasks: list[object]) -> None:
    say(f"cancelling {len(tasks)} cells")
    for task in tasks:
        ray.cancel(task)
    ray.wait(tasks, num_returns=len(tasks), timeout=GRACE_PERIOD)


def cell_task(command: str, config: DictConfig, threads: int) -> tuple[bool, str, float]:
    """Run a cell; return whether it is complete, its message or error, and its seconds."""
    began = time.monotonic()
    try:
        complete, text = True, run_cell(command, config, threads=threads)
    except InputError as error:
        complete, text = False, str(error)
    except Exception as error:
        traceback.print_exc()
        complete, text = False, f"{type(error).__name__}: {error}"
    return complete, text, time.monotonic() - began


def _outcome(task: object) -> tuple[bool, str, float]:
    try:
        return ray.get(task)
    except RayError as error:
        return False, f"Ray has lost it ({' '.join(str(error).split()):.300})", 0.0


def _connect(address: str) -> None:
    try:
        ray.init(address=address, include_dashboard=False, logging_level="ERROR")
    except (ConnectionError, ValueError) as error:
        raise InputError(
            f"hydra.launcher.address: no Ray cluster answers at {address!r} "
            f"({str(error).splitlines()[0]:.200}); start one, or write local"
        ) from error
