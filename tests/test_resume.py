"""A run that is stopped and started again ends as the run left alone, bit for bit."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient

from lingmix.cli.config import CONF, resolved
from lingmix.commands.train import train
from lingmix.errors import InputError
from lingmix.signals import StoppedError
from lingmix.tracking.identity import config_hash
from lingmix.tracking.lifecycle import ERROR, STATE
from lingmix.tracking.run_folder import run_folder
from lingmix.tracking.system_metrics import SYSTEM
from lingmix.training.checkpoints import best_path, state_path
from tests.changes import once
from tests.conftest import QUICK, STATIC
from tests.events import HANGS, until

STEPS = 24
RUN = [
    *QUICK,
    f"trainer.max_steps={STEPS}",
    "trainer.val_check_interval=4",
    "checkpoint.every_steps=3",
]
ENCODERS = {
    "tiny": ["encoder.scratch.dropout=0.2", "encoder.scratch.layers=1"],
    "static": STATIC,
    "rows": ["encoder.scratch.layers=1", "optimizer=row_adamw"],
    "adaptive": [*STATIC, "sampler=adaptive"],
}


class Run:
    """One configuration in an experiment of its own, and what is recorded of it."""

    def __init__(self, output_dir: Path, name: str, *overrides: str) -> None:
        self.overrides = [f"output_dir={output_dir}", f"name={name}", *RUN, *overrides]
        with initialize_config_dir(str(CONF), version_base="1.3"):
            self.config = compose("train", self.overrides)
        values = resolved(self.config)
        self.work = Path(output_dir, "runs", name, config_hash(values))
        self._client = MlflowClient(self.config.tracking.uri)

    def train(self) -> None:
        train(self.config)

    @property
    def recorded(self):
        """Its one run."""
        experiment = self._client.get_experiment_by_name(self.config.name)
        (run,) = self._client.search_runs([experiment.experiment_id])
        return run

    @property
    def history(self) -> dict[str, list[tuple[int, float | None]]]:
        run = self.recorded
        return {
            name: [
                (one.step, None if CLOCKED.search(name) else one.value)
                for one in self._client.get_metric_history(run.info.run_id, name)
            ]
            for name in run.data.metrics
            if not name.startswith(SYSTEM)
        }

    @property
    def states(self) -> list[Path]:
        return sorted(self.work.glob("state-*.ckpt"))


CLOCKED = re.compile("_per_second$|waiting_share$")
"""Metrics that a clock decides: their steps are compared."""


def stop(run: Run, number: int, *, at: Path) -> None:
    """Tells the run to stop when the file is there."""
    with (
        once(at.exists, partial(os.kill, os.getpid(), number)),
        pytest.raises(StoppedError) as stopped,
    ):
        run.train()
    assert stopped.value.code == 128 + number


@pytest.fixture(scope="module")
def alone(output_dir) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """What is recorded of each encoder's run when it is left alone."""
    runs = {name: Run(output_dir, f"alone-{name}", *ENCODERS[name]) for name in ENCODERS}
    for run in runs.values():
        run.train()
    return {name: run.history for name, run in runs.items()}


@pytest.fixture
def run(output_dir, request) -> Run:
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return Run(output_dir, name, *ENCODERS["tiny"])


@pytest.mark.parametrize(
    ("encoder", "number", "step"),
    [
        ("tiny", signal.SIGTERM, 12),
        ("tiny", signal.SIGINT, 3),
        ("static", signal.SIGTERM, 6),
        ("rows", signal.SIGTERM, 6),
        ("adaptive", signal.SIGTERM, 15),
    ],
)
def test_a_run_told_to_stop_goes_on_to_the_same_metrics_at_the_same_steps(
    alone, output_dir, encoder, number, step
):
    """12 is a step with a validation."""
    run = Run(output_dir, f"{encoder}-{number:d}-{step}", *ENCODERS[encoder])
    stop(run, number, at=state_path(run.work, step))
    stopped = run.recorded
    assert stopped.data.tags[STATE] == "interrupted"
    assert stopped.info.status == "KILLED"
    assert len(run.states) == 2
    run.train()
    assert run.recorded.info.run_id == stopped.info.run_id
    assert run.recorded.info.status == "FINISHED"
    assert run.recorded.data.tags[STATE] == "complete"
    assert ERROR not in run.recorded.data.tags
    assert run.history == alone[encoder]
    assert not run.work.exists()
    assert list(run.work.parent.iterdir()) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_run_stopped_on_a_gpu_draws_on_from_its_random_state(output_dir):
    """Its dropout; sums on a GPU may be in another order."""
    on_gpu = [*ENCODERS["tiny"], "trainer.accelerator=gpu", "trainer.precision=32-true"]
    undisturbed, run = (Run(output_dir, name, *on_gpu) for name in ("gpu-alone", "gpu"))
    undisturbed.train()
    stop(run, signal.SIGTERM, at=state_path(run.work, 12))
    run.train()
    loss, expected = (dict(one.history["train/loss"]) for one in (run, undisturbed))
    assert loss == pytest.approx(expected, rel=1e-3)


def test_a_run_can_stop_again_and_again(alone, output_dir):
    run = Run(output_dir, "again-and-again", *ENCODERS["tiny"], "checkpoint.every_steps=1")
    for step in (1, 4, 8, 15, 21):
        stop(run, signal.SIGTERM, at=state_path(run.work, step))
    run.train()
    assert run.history == alone["tiny"]


def test_a_run_stopped_while_it_is_measured_is_measured_again(alone, run):
    stop(run, signal.SIGTERM, at=run.work / "left")
    run.train()
    assert run.history == alone["tiny"]


def test_a_truncated_checkpoint_is_passed_over_for_the_one_before(alone, run, caplog):
    stop(run, signal.SIGTERM, at=state_path(run.work, 12))
    newest = run.states[-1]
    os.truncate(newest, newest.stat().st_size // 2)
    run.train()
    assert f"{newest} cannot be used" in caplog.text
    assert "going back to the one before" in caplog.text
    assert "starts anew" not in caplog.text
    assert run.history == alone["tiny"]


def test_a_checkpoint_whose_best_weights_are_gone_is_passed_over(alone, run, caplog):
    stop(run, signal.SIGTERM, at=state_path(run.work, 12))
    for path in run.work.glob("best-*.ckpt"):
        path.unlink()
    run.train()
    assert "starts anew" in caplog.text
    assert run.history == alone["tiny"]


def test_with_no_checkpoint_left_the_training_starts_anew_and_says_so(alone, run, caplog):
    stop(run, signal.SIGTERM, at=state_path(run.work, 12))
    for path in run.states:
        path.write_bytes(b"")
    run.train()
    assert f"no checkpoint in {run.work} can be used: the training starts anew" in caplog.text
    assert run.history == alone["tiny"]


def test_a_checkpoint_of_another_configuration_is_refused_with_the_keys(run, output_dir):
    stop(run, signal.SIGTERM, at=state_path(run.work, 3))
    other = Run(output_dir, run.config.name, *ENCODERS["tiny"], "seed=1", "loss.temperature=0.5")
    shutil.copytree(run.work, other.work)
    with pytest.raises(InputError) as refused:
        other.train()
    assert str(refused.value).startswith(
        f"{other.work}/config.yaml: is of another configuration, which differs in "
        "loss.temperature (0.05 there, 0.5 here), seed (0 there, 1 here); remove"
    )
    file = other.work / "config.yaml"
    claimed = yaml.safe_load(file.read_text()) | {"seed": 1, "loss.temperature": 0.5}
    file.write_text(yaml.safe_dump(claimed))
    with pytest.raises(InputError, match=r"state-.*ckpt: is of another .* seed \(0 there, 1 here"):
        other.train()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Writing on ends as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_line_and_the_last_checkpoints_stay(output_dir):
    """Weights of 6 MB take 18 MB with what Adam keeps."""
    large = ["encoder.scratch.vocabulary=6000", "encoder.scratch.dimension=256"]
    run = Run(output_dir, "full-disk", *large, "trainer.max_steps=12")
    stop(run, signal.SIGTERM, at=state_path(run.work, 3))
    before = {path.name: path.read_bytes() for path in run.states}
    with (
        largest_file(16_000_000),
        pytest.raises(InputError, match=rf"output_dir: .* does not fit into {run.work} ") as full,
    ):
        run.train()
    assert "\n" not in str(full.value)
    assert {path.name: path.read_bytes() for path in run.states} == before
    assert list(run.work.glob("*.unfinished")) == []
    assert run.recorded.data.tags[STATE] == "failed"
    run.train()
    assert run.recorded.data.tags[STATE] == "complete"


def test_two_processes_do_not_train_one_configuration_at_once(run):
    values = resolved(run.config)
    with (
        run_folder(values, config_hash(values)),
        pytest.raises(InputError, match="another process is at work on this configuration"),
    ):
        run.train()


def test_only_the_newest_two_checkpoints_and_the_best_weights_they_name_are_kept(run):
    stop(run, signal.SIGTERM, at=state_path(run.work, 18))
    assert len(run.states) == 2
    oldest = int(run.states[0].stem.partition("-")[2])
    bests = [int(path.stem.partition("-")[2]) for path in sorted(run.work.glob("best-*.ckpt"))]
    assert [step for step in bests if step <= oldest] == bests[:1]
    assert best_path(run.work, bests[0]).exists()


@pytest.mark.chaos
def test_the_command_told_to_stop_ends_with_the_status_of_the_signal(output_dir):
    run = Run(output_dir, "command", *ENCODERS["tiny"], "trainer.max_steps=2000")
    command = [sys.executable, "-m", "lingmix.train", *run.overrides, "trainer.max_steps=2000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    until(lambda: run.states, process=process)
    process.send_signal(signal.SIGTERM)
    told, wrong = process.communicate(timeout=HANGS)
    assert process.returncode == 128 + signal.SIGTERM, wrong
    assert "Traceback" not in wrong
    assert "stopped by SIGTERM at step" in told
    assert run.recorded.data.tags[STATE] == "interrupted"
    assert run.states
