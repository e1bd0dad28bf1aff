"""CONTRIBUTING.md's recipes, as they are written there, outside the package and by its commands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient

from lingmix.evaluation import bias, metrics
from lingmix.evaluation.metrics import Rankings
from lingmix.tracking.history import complete_runs
from tests.conftest import QUICK

TEXT = Path(__file__).parents[1].joinpath("CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r'^```\w+ title="(.+?)"\n(.*?)^```$', TEXT, re.M | re.S))
OURS = [
    "data=glossary",
    "evaluation=glossary",
    "loss=sigmoid",
    "sampler=shuffled",
    "encoder=largest",
]
SHORT = [one for one in QUICK if one.startswith("trainer")]


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory) -> Path:
    """A folder of a user's own with all that the recipes have outside the package."""
    folder = tmp_path_factory.mktemp("laboratory")
    for file, block in BLOCKS.items():
        if not file.startswith("src/"):
            folder.joinpath(file).parent.mkdir(parents=True, exist_ok=True)
            folder.joinpath(file).write_text(block, encoding="utf-8")
    rows = [f"{n}\tterm{n}\tWort{n}\tit is {n}\tes ist {n}\n" for n in range(60)]
    folder.joinpath("glossary.tsv").write_text("".join(rows), encoding="utf-8")
    return folder


def run(laboratory: Path, command: str, *overrides: str) -> str:
    where = [f"output_dir={laboratory}/multirun", f"data_dir={laboratory}", "name=mine"]
    path = os.pathsep.join([str(laboratory), *sys.path])
    ended = subprocess.run(
        [sys.executable, "-m", f"lingmix.{command}", "--config-dir=conf", *where, *overrides],
        capture_output=True,
        text=True,
        check=False,
        cwd=laboratory,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def runs_of(laboratory: Path) -> list:
    client = MlflowClient(f"sqlite:///{laboratory}/multirun/mlflow.db")
    experiment = client.get_experiment_by_name("mine")
    return [*complete_runs(client, experiment.experiment_id).values()]


def test_the_recipes_are_swept_and_evaluated_by_the_commands(laboratory):
    said = run(laboratory, "train", "-m", *OURS, *SHORT, "launcher=last_first", "seed=0,1")
    assert said.index("seed=1\n") < said.index("seed=0\n"), "the launcher starts with the last"
    trained = {run.data.params["seed"]: run for run in runs_of(laboratory)}
    assert sorted(trained) == ["0", "1"]
    for run_of_seed in trained.values():
        metrics_of = run_of_seed.data.metrics
        assert 0 < metrics_of["test/glossary/multilingual/map"] <= 1
        assert metrics_of["test/glossary/contrastive_entropy"] > 0
        assert metrics_of["train/loss"] > 0
        assert "alpha" not in run_of_seed.info.run_name
    first = trained["0"]
    name = f"encoder.name=runs:/{first.info.run_id}"
    run(laboratory, "evaluate", "evaluation=glossary", "encoder=largest", name)
    (again,) = (one for one in runs_of(laboratory) if "seed" not in one.data.params)
    for metric in ("monolingual/map", "crosslingual/map", "multilingual/ndcg_at_10"):
        measured = again.data.metrics[f"test/glossary/{metric}"]
        assert measured == pytest.approx(first.data.metrics[f"test/glossary/{metric}"])
    assert "2 runs of samplers without an alpha" in run(laboratory, "analyze")


def test_each_block_of_a_part_belongs_to_a_choice_and_the_commands_name_it():
    choices = [Path(file) for file in BLOCKS if file.startswith("conf/")]
    for choice in choices:
        assert f"{choice.parent.name}={choice.stem}" in TEXT
        (module, _, _) = re.search(r"_target_: (\S+)", BLOCKS[str(choice)])[1].rpartition(".")
        assert f"{module.replace('.', '/')}.py" in BLOCKS
    assert len(choices) == 6


def executed(file: str, module) -> dict:
    """The module's names after the block, which stands at its end; the module stays as it is."""
    names = vars(module) | {"METRICS": {}, "BIAS": {}}
    exec(BLOCKS[file], names)  # noqa: S102 - it is our own text
    return names


def test_the_metric_of_the_recipe_is_what_it_says():
    (metric,) = executed("src/lingmix/evaluation/metrics.py", metrics)["METRICS"].values()
    rank_J, ranking_J = np.array([6, 2, 3, 6]), np.array([0, 1, 1, 2])
    rankings = Rankings.of(ranking_J, rank_J, np.ones(4, dtype=np.int32), depth=None)
    assert metric.compute(rankings).tolist() == [0, 1, 0]


def test_the_figure_of_bias_of_the_recipe_is_what_it_says():
    (figure,) = executed("src/lingmix/evaluation/bias.py", bias)["BIAS"].values()
    relevant = pl.DataFrame(
        {
            "query": [0, 0, 1, 1],
            "query_language": ["en", "en", "de", "de"],
            "passage_language": ["en", "de", "en", "de"],
            "pool_rank": [1, 2, 1, 2],
        }
    )
    found = figure.compute(bias.PooledRanking(relevant, pl.DataFrame()))
    assert dict(found.rows()) == {0: 1.0, 1: 0.0}
