"""Sweeps on a real Slurm: `.ci/slurm run .venv/bin/python -m pytest -m slurm`."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from lingmix.errors import InputError
from lingmix.sweep.cell import Cell
from lingmix.sweep.slurm import run_on_slurm
from lingmix.tracking.history import runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import STATE
from lingmix.tracking.system_metrics import SYSTEM
from tests.commands import Forked
from tests.conftest import FAILURE, QUICK
from tests.events import HANGS, until

SLURM = [
    "launcher=slurm",
    "hydra.launcher.gpus_per_node=null",
    "hydra.launcher.cpus_per_task=1",
    "hydra.launcher.time=5",
]
LONG = [
    *QUICK,
    "trainer.max_steps=100",
    "trainer.val_check_interval=50",
    "trainer.log_every_n_steps=10",
    "checkpoint.every_steps=5",
    "encoder.scratch.layers=1",
]
"""Long enough to be caught in the middle."""

CLOCKED = ("_per_second", "waiting_share")


class Sweep:
    """One experiment and the command that fills it."""

    def __init__(self, output_dir: Path, name: str, *overrides: str) -> None:
        self.work = output_dir / "runs" / name
        self._name = name
        self._client = MlflowClient(f"sqlite:///{output_dir}/mlflow.db")
        self._arguments = ("-m", f"output_dir={output_dir}", f"name={name}", *overrides)

    def start(self) -> Forked:
        return Forked("lingmix.train:main", *self._arguments)

    def run(self) -> tuple[int, str, str]:
        return ended(self.start())

    @property
    def cells(self) -> dict[str, Any]:
        """The recorded runs by name: no two of one name."""
        experiment = self._client.get_experiment_by_name(self._name)
        if experiment is None:
            return {}
        found = list(runs(self._client, experiment.experiment_id, f"tags.`{HASH}` != ''"))
        by_name = {run.info.run_name: run for run in found}
        assert len(by_name) == len(found)
        return by_name

    @property
    def states(self) -> set[str]:
        return {run.data.tags.get(STATE) for run in self.cells.values()}

    def histories(self) -> dict[str, dict[str, list[tuple[int, float]]]]:
        """Of each cell, what no clock decides."""
        return {
            name: {
                metric: [
                    (one.step, one.value)
                    for one in self._client.get_metric_history(run.info.run_id, metric)
                ]
                for metric in run.data.metrics
                if not metric.endswith(CLOCKED) and not metric.startswith(SYSTEM)
            }
            for name, run in self.cells.items()
        }


def ended(process: Forked) -> tuple[int, str, str]:
    said, wrong = process.communicate(timeout=HANGS)
    return process.returncode, said, wrong


def queue() -> list[str]:
    """Ids of all jobs under way."""
    command = ["squeue", "--array", "--noheader", "--format=%i"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def slurm(*command: str) -> None:
    subprocess.run(command, check=True, timeout=30)


@pytest.fixture(scope="module")
def undisturbed(output_dir) -> dict[str, dict[str, list[tuple[int, float]]]]:
    sweep = Sweep(output_dir, "undisturbed", *LONG, *SLURM, "seed=0")
    status, _, wrong = sweep.run()
    assert status == 0, wrong
    return sweep.histories()


@pytest.fixture
def sweep(output_dir, request) -> Iterator[Sweep]:
    """Of one long cell."""
    yield Sweep(output_dir, request.node.name, *LONG, *SLURM, "seed=0")
    for job in queue():
        slurm("scancel", job)


@pytest.mark.slurm
def test_an_array_of_cells_records_what_local_processes_do(output_dir):
    grid = [*QUICK, "sampler.alpha=1,0"]
    here, there = Sweep(output_dir, "here", *grid), Sweep(output_dir, "there", *grid, *SLURM)
    assert here.run()[0] == 0
    status, said, wrong = there.run()
    assert status == 0, wrong
    assert "[2/2]" in said
    assert there.states == {"complete"}
    assert len(there.cells) == 2
    assert there.histories() == here.histories()
    assert "2 cells, 2 complete, 0 to run" in there.run()[1]


@pytest.mark.slurm
def test_a_failing_cell_is_named_and_the_others_go_on(output_dir):
    sweep = Sweep(output_dir, "failing", *QUICK, *SLURM, "sampler.batch_size=100000000,8")
    status, said, wrong = sweep.run()
    assert status == 1
    assert f"FAILED {FAILURE}" in said
    assert "1 of 2 cells failed" in wrong
    (complete,) = [run for run in sweep.cells.values() if run.data.tags[STATE] == "complete"]
    assert complete.data.params["sampler.batch_size"] == "8"


@pytest.mark.slurm
def test_a_job_requeued_in_mid_training_goes_on_in_its_run_to_the_same_metrics(sweep, undisturbed):
    following = sweep.start()
    until(lambda: list(sweep.work.glob("*/state-*.ckpt")))
    (job,) = queue()
    slurm("scontrol", "requeue", job)
    until(lambda: [run.info.status for run in sweep.cells.values()] == ["KILLED"])
    (preempted,) = sweep.cells.values()
    assert preempted.data.tags[STATE] == "interrupted"
    assert queue() == [job]
    status, said, wrong = ended(following)
    assert status == 0, wrong
    assert "[1/1]" in said
    (run,) = sweep.cells.values()
    assert run.info.run_id == preempted.info.run_id
    assert (run.info.status, run.data.tags[STATE]) == ("FINISHED", "complete")
    assert sweep.histories() == undisturbed


@pytest.mark.slurm
def test_a_job_whose_time_is_nearly_up_writes_its_checkpoint_and_queues_again(sweep, undisturbed):
    following = sweep.start()
    until(lambda: list(sweep.work.glob("*/state-*.ckpt")))
    (job,) = queue()
    slurm("scancel", "--signal=USR2", job)
    until(lambda: sweep.states == {"interrupted"})
    status, _, wrong = ended(following)
    assert status == 0, wrong
    assert sweep.histories() == undisturbed


@pytest.mark.slurm
def test_a_cell_that_has_had_all_its_turns_has_failed(output_dir):
    turns = "hydra.launcher.requeues=0"
    sweep = Sweep(output_dir, "turns", *LONG, *SLURM, "seed=0", turns)
    following = sweep.start()
    until(lambda: list(sweep.work.glob("*/state-*.ckpt")))
    slurm("scancel", "--signal=USR2", *queue())
    status, said, _ = ended(following)
    assert status == 1
    assert "FAILED submitit.core.utils.UncompletedJobError: Job not requeued because" in said
    assert sweep.states == {"interrupted"}


@pytest.mark.slurm
def test_cells_of_one_process_and_of_two_ask_for_what_they_need(output_dir):
    double = ["trainer.accelerator=cpu", "trainer.precision=64-true", "trainer.devices=1,2"]
    sweep = Sweep(output_dir, "devices", *QUICK, *double, *SLURM)
    status, _, wrong = sweep.run()
    assert status == 0, wrong
    assert sweep.states == {"complete"}
    one, two = (sweep.histories()[f"alpha=0.5 scale=all devices={n} seed=0"] for n in (1, 2))
    compared = [name for name in one if name.startswith("test/") and name.endswith("/map")]
    assert compared
    assert [two[name] for name in compared] == [
        [(step, pytest.approx(value, abs=1e-5)) for step, value in one[name]] for name in compared
    ]


@pytest.mark.slurm
def test_ctrl_c_cancels_the_jobs_and_the_same_command_goes_on(sweep, undisturbed):
    following = sweep.start()
    until(lambda: list(sweep.work.glob("*/state-*.ckpt")))
    following.send_signal(signal.SIGINT)
    status, said, wrong = ended(following)
    assert status == 128 + signal.SIGINT, wrong
    assert "cancelling 1 jobs" in said
    assert "stopped; run the same command" in said
    assert "Traceback" not in wrong
    assert queue() == []
    assert sweep.states == {"interrupted"}
    status, _, wrong = sweep.run()
    assert status == 0, wrong
    assert sweep.histories() == undisturbed


@pytest.mark.slurm
def test_jobs_outlive_the_command_and_the_same_command_follows_them(sweep, undisturbed):
    following = sweep.start()
    until(lambda: list(sweep.work.glob("*/state-*.ckpt")))
    (job,) = queue()
    slurm("scontrol", "suspend", job)
    following.send_signal(signal.SIGKILL)
    ended(following)
    again = sweep.start()
    assert any("1 cells are running in jobs of an earlier start" in line for line in again.stdout)
    slurm("scontrol", "resume", job)
    status, _, wrong = ended(again)
    assert status == 0, wrong
    assert sweep.histories() == undisturbed


@pytest.mark.slurm
def test_what_slurm_does_not_take_is_one_line(output_dir):
    sweep = Sweep(output_dir, "refused", *QUICK, *SLURM, "seed=0", "hydra.launcher.partition=none")
    status, _, wrong = sweep.run()
    assert status == 1
    line = wrong.splitlines()[-1]
    assert "Traceback" not in wrong
    assert "lingmix-train: hydra.launcher: Slurm refuses the jobs" in line
    assert "nvalid partition" in line


def test_where_there_is_no_slurm_the_sweep_says_so(output_dir, monkeypatch, configure):
    monkeypatch.setenv("PATH", "")
    values = {"output_dir": str(output_dir), "name": "nowhere"}
    with pytest.raises(InputError, match="launcher: no Slurm answers here"):
        next(run_on_slurm([Cell(configure("train"), values, "0", "one")], "train"))
