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
from lingmix.sweep.cell import Cell, Outcome, Outcomes, run_cell
from lingmix.terminal import say
from lingmix.tracking.secrets import URI_VARIABLE, mask_secrets

POLL_INTERVAL = 2.0
RESULT_DELAY = 10.0
"""Seconds that a shared file system may take to show the result of a job that has ended."""
GRACE_PERIOD = 60.0
"""Seconds that cancelled jobs have to write their checkpoints."""
MAX_ARRAY_SIZE = 1000
"""One below Slurm's own MaxArraySize."""


class CellJob(Checkpointable):
    """The callable that each process of a job runs.

    Slurm sends a signal shortly before the time limit and SIGTERM on preemption. Either stops the
    training at its next checkpoint; then submitit, and Lightning never, requeues the job, unless
    Slurm itself is about to requeue or to cancel it.
    """

    def __call__(self, command: str, config: DictConfig) -> str:
        notice = signal.Signals[f"SIG{JobEnvironment.USR_SIG}"]
        requeue: Any = signal.getsignal(notice)
        signal.signal(notice, lambda *_: signal.raise_signal(signal.SIGTERM))
        config.tracking.uri = os.environ.get(URI_VARIABLE, config.tracking.uri)
        try:
            return run_cell(
                command, config, threads=int(os.environ.get("SLURM_CPUS_PER_TASK", "1"))
            )
        except StoppedError:
            if (_states() or {}).get(JobEnvironment().job_id) == "RUNNING":
                requeue(notice, None)
            raise


def run_on_slurm(cells: Sequence[Cell], command: str) -> Outcomes:
    """Submit a job for each cell and follow it to its end; running jobs of an earlier call count.

    Raises InputError where Slurm does not answer or refuses the jobs.
    """
    if not cells:
        return
    values = cells[0].values
    folder = Path(values["output_dir"], "slurm", values["name"])
    folder.mkdir(parents=True, exist_ok=True)
    jobs: dict[str, Cell] = {}
    try:
        jobs |= _running_jobs(cells, folder)
        if jobs:
            say(f"{len(jobs)} cells are running in jobs of an earlier start")
        running = {cell.identity for cell in jobs.values()}
        for array in _arrays([cell for cell in cells if cell.identity not in running]):
            jobs |= _submit(array, command, folder)
        yield from _follow(jobs, folder)
    finally:
        if jobs:
            _cancel(jobs)


def _running_jobs(cells: Sequence[Cell], folder: Path) -> dict[str, Cell]:
    states = _states()
    if states is None:
        raise InputError(
            "launcher: no Slurm answers here (squeue); start the sweep on a node that can submit "
            "jobs, or with launcher=local"
        )
    files = [(_job_file(cell, folder), cell) for cell in cells]
    submitted = {file.read_text("utf-8"): cell for file, cell in files if file.exists()}
    return {job: cell for job, cell in submitted.items() if job in states}


def _arrays(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    """Yield cells that request the same resources, at most `MAX_ARRAY_SIZE` at a time."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(json.dumps(_resources(cell)), []).append(cell)
    for group in groups.values():
        for start in range(0, len(group), MAX_ARRAY_SIZE):
            yield group[start : start + MAX_ARRAY_SIZE]


def _resources(cell: Cell) -> dict[str, Any]:
    settings: Any = OmegaConf.to_container(cell.config.hydra.launcher, resolve=True)
    return {
        key: value for key, value in settings.items() if key != "_target_" and value is not None
    }


def _submit(cells: Sequence[Cell], command: str, folder: Path) -> dict[str, Cell]:
    resources = _resources(cells[0])
    requeues = resources.pop("requeues")
    more = resources.get("additional_parameters", {})
    resources["additional_parameters"] = {"requeue": True} | more
    if "cpus_per_task" in resources:  # which srun does not take over from sbatch
        resources["srun_args"] = [f"--cpus-per-task={resources['cpus_per_task']}"]
    cluster = {key: os.environ[key] for key in ("SLURM_CONF",) if key in os.environ}
    try:
        with clean_env():
            os.environ.update(cluster | {URI_VARIABLE: cells[0].values["tracking"]["uri"]})
            executor = SlurmExecutor(folder, max_num_timeout=requeues)
            executor.update_parameters(job_name=f"lingmix-{command}", **resources)
            with executor.batch():
                submitted = [
                    executor.submit(CellJob(), command, _without_secrets(cell)) for cell in cells
                ]
    except (ValueError, FailedJobError, FailedSubmissionError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"hydra.launcher: Slurm refuses the jobs ({reason:.300})") from error
    jobs = {job.job_id: cell for job, cell in zip(submitted, cells, strict=True)}
    for job, cell in jobs.items():
        with atomic_file(_job_file(cell, folder)) as file:
            file.write(job.encode())
    return jobs


def _without_secrets(cell: Cell) -> DictConfig:
    """The configuration as submitit pickles it to disk, without the store's password."""
    config = cell.config.copy()
    config.tracking.uri = mask_secrets(cell.values["tracking"]["uri"])
    with read_write(config.hydra):
        config.hydra.overrides.task = [mask_secrets(text) for text in config.hydra.overrides.task]
        config.hydra.job.override_dirname = ""
    return config


def _follow(jobs: dict[str, Cell], folder: Path) -> Iterator[Outcome]:
    """Yield an outcome when a job ends, and remove it from `jobs`."""
    began: dict[str, float] = {}
    last_listed = dict.fromkeys(jobs, time.monotonic())
    while jobs:
        time.sleep(POLL_INTERVAL)
        states, now = _states(), time.monotonic()
        for job in jobs if states is None else jobs.keys() & states.keys():
            last_listed[job] = now
            if states and states[job] == "RUNNING":
                began.setdefault(job, now)
        for job in list(jobs):
            outcome = _outcome(
                JobPaths(folder, job_id=job, task_id=0), gone=now - last_listed[job] > RESULT_DELAY
            )
            if outcome is not None:
                cell = jobs.pop(job)
                _job_file(cell, folder).unlink(missing_ok=True)
                yield Outcome(cell, *outcome, now - began.get(job, now))


def _outcome(paths: JobPaths, *, gone: bool) -> tuple[bool, str] | None:
    """(complete, text) of a cell; None while its job has no result and is not gone."""
    if paths.result_pickle.exists():
        result, text = pickle.loads(paths.result_pickle.read_bytes())  # noqa: S301 - our own job's
        if result == "success":
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
    _run("scancel", *jobs)
    until = time.monotonic() + GRACE_PERIOD
    while time.monotonic() < until:
        states = _states()
        if states is not None and not jobs.keys() & states.keys():
            return
        time.sleep(POLL_INTERVAL)


def _states() -> dict[str, str] | None:
    """The states of this user's queued and running jobs by id; None where squeue fails."""
    output = _run("squeue", "--me", "--array", "--noheader", "--format=%i %T")
    if output is None:
        return None
    lines = (line.split() for line in output.splitlines())
    return {job: state for job, state, *_ in lines}


def _run(*command: str) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None


def _job_file(cell: Cell, folder: Path) -> Path:
    """The file that contains the id of the cell's job."""
    return folder / f"{cell.identity}.job"
