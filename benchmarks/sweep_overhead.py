"""What a sweep costs beside the work of its cells: starting one again that is complete, and the
fixed part of a cell.

A cell trains static embeddings for one step on two languages of the embedded data. Its fixed cost
is the time that a sweep with one cell after the other takes for each further cell.
"""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from hydra import compose, initialize_config_dir
from mlflow.entities import Metric

from benchmarks.harness.comparison import FOLDER, Row
from benchmarks.harness.configured import SMALL
from lingmix.cli.config import CONF
from lingmix.sweep.grid import plan_cells
from lingmix.tracking.lifecycle import COMPLETE, end_run, start_run
from lingmix.tracking.store.client import experiment_of, open_store

CELL = [*SMALL, "trainer.max_steps=1"]
FEW, MANY, RECORDED = 2, 12, 200


def compare() -> list[Row]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=FOLDER) as temporary:
        few = _seconds(Path(temporary, "few"), FEW, "launcher=sequential")
        many = _seconds(Path(temporary, "many"), MANY, "launcher=sequential")
        recorded = Path(temporary, "recorded")
        _record(recorded, RECORDED)
        again = _seconds(recorded, RECORDED)
    return [
        Row(case="fixed cost of a cell", ours=(many - few) / (MANY - FEW), unit="s"),
        Row(case=f"a complete sweep of {RECORDED} cells again", ours=again, unit="s"),
    ]


def _overrides(folder: Path) -> list[str]:
    return [f"output_dir={folder}", "name=overhead", *CELL]


def _seconds(folder: Path, cells: int, *more: str) -> float:
    code = "import sys; sys.argv[0] = 'lingmix-train'; from lingmix.train import main; main()"
    seeds = f"seed={','.join(map(str, range(cells)))}"
    command = [sys.executable, "-c", code, "-m", *_overrides(folder), *more, seeds]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _record(folder: Path, cells: int) -> None:
    """As the cells would have, without their work: params, 300 metrics, tags."""
    jobs = [[*_overrides(folder), f"seed={seed}"] for seed in range(cells)]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        grid = plan_cells(jobs, lambda job: compose("train", [*job], return_hydra_config=True))
    client = open_store(f"sqlite:///{folder}/mlflow.db")
    experiment = experiment_of(client, "overhead", output_dir=folder)
    for plan in grid:
        run_id = start_run(
            client,
            experiment=experiment,
            name=plan.identity,
            params=plan.values,
            tags=plan.run.tags,
        )
        metrics = [Metric(f"test/set/metric_{n}", 0.5, 0, 0) for n in range(300)]
        client.log_batch(run_id, metrics=metrics)
        end_run(client, run_id, state=COMPLETE, error=None)
