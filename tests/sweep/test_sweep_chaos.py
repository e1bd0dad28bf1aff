"""A sweep killed and started again, again and again, ends as one left alone."""

import re
import signal
import subprocess
import sys
from itertools import product
from math import inf
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient

from lingmix.cli.config import CONF
from lingmix.commands.train import train
from lingmix.tracking.history import complete_runs, runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import KIND, STATE
from lingmix.tracking.system_metrics import SYSTEM
from tests.changes import killing, watched
from tests.conftest import STATIC
from tests.rounds import ROUNDS

CELL = [
    *STATIC,
    "languages=[en,de]",
    "data.sets.cldr.domains=[geography]",
    "data.sets.cldr.languages=[en,de]",
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

ALPHAS, SEEDS = (0.0, 0.25, 0.5, 0.75), range(min(ROUNDS, 16))
GRID = [f"sampler.alpha={','.join(map(str, ALPHAS))}", f"seed={','.join(map(str, SEEDS))}"]
COUNT = len([*product(ALPHAS, SEEDS)])

CLOCKED = re.compile("_per_second$|waiting_share$")
"""Metrics that a clock decides: their steps are compared."""


def run(output_dir: Path, log: Path, *, at: float = inf) -> int:
    """The status of a sweep that is killed before the `at`-th change in the folders of its cells,
    whichever of its processes makes it."""
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
    fault = killing(f" {output_dir}/runs", at=at, count=log.with_name("count"))
    with log.open("ab") as file:
        return subprocess.run(
            command, stdout=file, stderr=file, start_new_session=True, env=fault, check=False
        ).returncode


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


def train_alone(output_dir: Path) -> int:
    """The same cells one after the other in this process; how many changes they make."""
    paths: list[Path] = []
    here = [f"output_dir={output_dir}", "name=chaos", *CELL]
    with (
        initialize_config_dir(str(CONF), version_base="1.3"),
        watched(lambda change: paths.append(change.path)),
    ):
        for alpha, seed in product(ALPHAS, SEEDS):
            train(compose("train", [*here, f"sampler.alpha={alpha}", f"seed={seed}"]))
    return sum(path.is_relative_to(output_dir / "runs") for path in paths)


@pytest.mark.chaos
def test_a_sweep_killed_at_any_change_of_its_folder_ends_as_its_cells_left_alone(tmp_path):
    alone, killed, log = tmp_path / "alone", tmp_path / "killed", tmp_path / "log"
    changes = train_alone(alone)
    for turn in range(ROUNDS):
        status = run(killed, log, at=changes // (2 * ROUNDS) + turn)
        assert status == -signal.SIGKILL, log.read_text()
    assert run(killed, log) == 0, log.read_text()

    undisturbed, disturbed = Recorded(alone), Recorded(killed)
    assert len(undisturbed.complete) == COUNT
    assert disturbed.histories == undisturbed.histories
    assert sorted(disturbed.tagged(HASH, f"tags.`{HASH}` != ''")) == sorted(undisturbed.complete)
    assert disturbed.tagged(STATE, f"tags.`{KIND}` = 'sweep'") == ["complete"]
    assert [*(killed / "runs" / "chaos").glob("*/")] == []
