"""A sweep killed at any moment and started again ends as one left alone."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lingmix.tracking.history import complete_runs, runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import KIND, STATE
from lingmix.tracking.system_metrics import SYSTEM
from tests.conftest import STATIC

CELL = [
    *STATIC,
    "languages=[en,de]",
    "data.train.0.domains=[geography]",
    "data.train.0.languages=[en,de]",
    "augmentation=none",
    "data.development=null",
    "~evaluation.cldr_currency",
    "evaluation.cldr_geography.languages=[en,de]",
    "trainer.max_steps=6",
    "trainer.log_every_n_steps=1",
    "checkpoint.every_steps=2",
    "sampler.batch_size=8",
    "encoder.scratch.dimension=8",
    "encoder.scratch.vocabulary=500",
    "tracking.code=fixed",
]
"""As cheap as a cell can be."""

ALPHAS, SEEDS = range(8), range(8)
GRID = [
    f"sampler.alpha={','.join(str(n / 8) for n in ALPHAS)}",
    f"seed={','.join(map(str, SEEDS))}",
]
COUNT = len([*product(ALPHAS, SEEDS)])

CLOCKED = re.compile("_per_second$|waiting_share$")
"""Metrics that a clock decides: their steps are compared."""


def start(output_dir: Path, log: Path) -> subprocess.Popen[bytes]:
    """In a process group of its own."""
    command = [
        sys.executable,
        "-c",
        "import sys; sys.argv[0] = 'lingmix-train'; from lingmix.train import main; main()",
        "-m",
        f"output_dir={output_dir}",
        "name=chaos",
        *CELL,
        *GRID,
    ]
    with log.open("ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)


class Recorded:
    def __init__(self, output_dir: Path) -> None:
        self.client = MlflowClient(f"sqlite:///{output_dir}/mlflow.db")
        self.experiment = self.client.get_experiment_by_name("chaos").experiment_id
        self.complete = complete_runs(self.client, self.experiment)

    @property
    def histories(self) -> dict[str, dict[str, list[tuple[int, float | None]]]]:
        """Of each cell, of each metric: steps and values as they were logged."""
        return {
            cell: {
                name: sorted(
                    (one.step, None if CLOCKED.search(name) else one.value)
                    for one in self.client.get_metric_history(run.info.run_id, name)
                )
                for name in run.data.metrics
                if not name.startswith(SYSTEM)
            }
            for cell, run in self.complete.items()
        }

    def tagged(self, tag: str, query: str = "") -> list[str]:
        return [run.data.tags[tag] for run in runs(self.client, self.experiment, query)]


@pytest.mark.chaos
def test_a_sweep_killed_at_any_moment_ends_as_one_left_alone(tmp_path):
    """Every third kill comes at any moment of a start, the others while cells are at work."""
    alone, log = tmp_path / "alone", tmp_path / "log"
    began = time.monotonic()
    assert start(alone, log).wait() == 0, log.read_text()
    took = time.monotonic() - began
    undisturbed = Recorded(alone)
    assert len(undisturbed.complete) == COUNT

    killed, drawn = tmp_path / "killed", random.Random(0)
    rounds = int(os.environ.get("LINGMIX_CHAOS_ROUNDS", "2"))
    finished = 0
    for turn in range(rounds):
        told = log.read_text().count("sweep chaos:")
        process = start(killed, log)
        while turn % 3 != 2 and log.read_text().count("sweep chaos:") == told:
            time.sleep(0.01)
        until = time.monotonic() + drawn.uniform(0, took / (rounds / 2 + 1))
        while time.monotonic() < until and process.poll() is None:
            time.sleep(0.01)
        finished += process.poll() is not None
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert finished < rounds
    assert start(killed, log).wait() == 0, log.read_text()

    disturbed = Recorded(killed)
    assert disturbed.histories == undisturbed.histories
    assert sorted(disturbed.tagged(HASH, f"tags.`{HASH}` != ''")) == sorted(undisturbed.complete)
    assert disturbed.tagged(STATE, f"tags.`{KIND}` = 'sweep'") == ["complete"]
    assert [*(killed / "runs" / "chaos").glob("*/")] == []
