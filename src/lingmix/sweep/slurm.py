"""Cells as tasks of Slurm job arrays, through submitit."""

import json
import os
import pickle
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, read_write
from submitit import JobEnvironment, SlurmExecutor
from submitit.core.utils import FailedJobError, FailedSubmissionError, JobPaths
from submitit.helpers import Checkpointable, clean_env

from lingmix.atomic import atomic_file
from lingmix.errors import InputError
from lingmix.signals import StoppedError
from lingmix.sweep.cell import Cell, Outcome, Outcomes, work
from lingmix.terminal import say
from lingmix.tracking.secrets import URI_VARIABLE, shown

BETWEEN_LOOKS = 2.0
LATE = 10.0
"""Seconds that a shared file system may take to show the result of a job that has gone."""
GOODBYE = 60.0
"""Seconds that cancelled jobs have to write their checkpoints."""
LARGEST_ARRAY = 1000
"""One below Slurm's own MaxArraySize."""


class CellJob(Checkpointable):
    """What each process of a job runs.

    Slurm says by a signal that its time is nearly up, by SIGTERM that it must make room. Either
    stops the training at its next checkpoint; then submitit, and Lightning never, puts the job
    back into the queue, unless Slurm itself is about to requeue or to cancel it.
    """

    def __call__(self, door: str, config: DictConfig) -> str:
        notice = signal.Signals[f"SIG{JobEnvironment.USR_SIG}"]
        requeue: Any = signal.getsignal(notice)
        signal.signal(notice, lambda *_: signal.raise_signal(signal.SIGTERM))
        config.tracking.uri = os.environ.get(URI_VARIABLE, config.tracking.uri)
        try:
            return work(door, config, threads=int(os.environ.get("SLURM_CPUS_PER_TASK", "1")))
        except StoppedError:
            if (_states() or {}).get(JobEnvironment().job_id) == "RUNNING":
                requeue(notice, None)
            raise


def run_on_slurm(cells: Sequence[Cell], door: str) -> Outcomes:
    """Follows a job for each to its end: also one that an earlier start has left at work."""
    if not cells:
        return
    values = cells[0].values
    folder = Path(values["output_dir"], "slurm", values["name"])
    folder.mkdir(parents=True, exist_ok=True)
    jobs: dict[str, Cell] = {}
    try:
        jobs |= _left_at_work(cells, folder)
        if jobs:
            say(f"{len(jobs)} cells are at work in jobs of an earlier start")
        at_work = {cell.identity for cell in jobs.values()}
        for alike in _alike([cell for cell in cells if cell.identity not in at_work]):
            jobs |= _submit(alike, door, folder)
        yield from _follow(jobs, folder)
    finally:
        if jobs:
            _cancel(jobs)


def _left_at_work(cells: Sequence[Cell], folder: Path) -> dict[str, Cell]:
    states = _states()
    if states is None:
        raise InputError(
            "launcher: no Slurm answers here (squeue); start the sweep on a node that can submit "
            "jobs, or with launcher=local"
        )
    left = {
        note.read_text("utf-8"): cell for cell in cells if (note := _note(cell, folder)).exists()
    }
    return {job: cell for job, cell in left.items() if job in states}


def _alike(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    """Cells that ask for the same, as many as one array takes."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(json.dumps(_asked(cell)), []).append(cell)
    for group in groups.values():
        for start in range(0, len(group), LARGEST_ARRAY):
            yield group[start : start + LARGEST_ARRAY]


def _asked(cell: Cell) -> dict[str, Any]:
    asked: Any = OmegaConf.to_container(cell.config.hydra.launcher, resolve=True)
    return {key: value for key, value in asked.items() if key != "_target_" and value is not None}


def _submit(cells: Sequence[Cell], door: str, folder: Path) -> dict[str, Cell]:
    asked = _asked(cells[0])
    requeues = asked.pop("requeues")
    asked["additional_parameters"] = {"requeue": True} | asked.get("additional_parameters", {})
    if "cpus_per_task" in asked:  # which srun does not take over from sbatch
        asked["srun_args"] = [f"--cpus-per-task={asked['cpus_per_task']}"]
    cluster = {key: os.environ[key] for key in ("SLURM_CONF",) if key in os.environ}
    try:
        with clean_env():
            os.environ.update(cluster | {URI_VARIABLE: cells[0].values["tracking"]["uri"]})
            executor = SlurmExecutor(folder, max_num_timeout=requeues)
            executor.update_parameters(job_name=f"lingmix-{door}", **asked)
            with executor.batch():
                submitted = [executor.submit(CellJob(), door, _written(cell)) for cell in cells]
    except (ValueError, FailedJobError, FailedSubmissionError) as error:
        told = " ".join(str(error).split())
        raise InputError(f"hydra.launcher: Slurm does not take the jobs ({told:.300})") from error
    jobs = {job.job_id: cell for job, cell in zip(submitted, cells, strict=True)}
    for job, cell in jobs.items():
        with atomic_file(_note(cell, folder)) as file:
            file.write(job.encode())
    return jobs


def _written(cell: Cell) -> DictConfig:
    """What lies on the disk while the job waits, without the password."""
    config = cell.config.copy()
    config.tracking.uri = shown(cell.values["tracking"]["uri"])
    with read_write(config.hydra):
        config.hydra.overrides.task = [shown(one) for one in config.hydra.overrides.task]
        config.hydra.job.override_dirname = ""
    return config


def _follow(jobs: dict[str, Cell], folder: Path) -> Iterator[Outcome]:
    """Takes a job out of `jobs` when it has ended."""
    began: dict[str, float] = {}
    seen = dict.fromkeys(jobs, time.monotonic())
    while jobs:
        time.sleep(BETWEEN_LOOKS)
        states, now = _states(), time.monotonic()
        for job in jobs if states is None else jobs.keys() & states.keys():
            seen[job] = now
            if states and states[job] == "RUNNING":
                began.setdefault(job, now)
        for job in list(jobs):
            ended = _ended(JobPaths(folder, job_id=job, task_id=0), gone=now - seen[job] > LATE)
            if ended is not None:
                cell = jobs.pop(job)
                _note(cell, folder).unlink(missing_ok=True)
                yield Outcome(cell, *ended, now - began.get(job, now))


def _ended(paths: JobPaths, *, gone: bool) -> tuple[bool, str] | None:
    """Whether the cell is complete and what it has to say, once there is a result or no job."""
    if paths.result_pickle.exists():
        outcome, text = pickle.loads(paths.result_pickle.read_bytes())  # noqa: S301 - our own job's
        if outcome == "success":
            return True, text
        *_, line = text.strip().splitlines()
        kind = f"{InputError.__module__}.{InputError.__qualname__}: "
        if line.startswith(kind):
            return False, line.removeprefix(kind)
        return False, f"{line} (see {paths.stderr})"
    if gone:
        return False, f"job {paths.job_id} ended without a result (see {paths.stderr})"
    return None


def _cancel(jobs: dict[str, Cell]) -> None:
    say(f"cancelling {len(jobs)} jobs")
    _told("scancel", *jobs)
    until = time.monotonic() + GOODBYE
    while time.monotonic() < until:
        states = _states()
        if states is not None and not jobs.keys() & states.keys():
            return
        time.sleep(BETWEEN_LOOKS)


def _states() -> dict[str, str] | None:
    """Of this user's jobs that have not ended, by id, array tasks apart; None: nobody knows."""
    told = _told("squeue", "--me", "--array", "--noheader", "--format=%i %T")
    if told is None:
        return None
    lines = (line.split() for line in told.splitlines())
    return {job: state for job, state, *_ in lines}


def _told(*command: str) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None


def _note(cell: Cell, folder: Path) -> Path:
    """Where the id of its job is written down."""
    return folder / f"{cell.identity}.job"
