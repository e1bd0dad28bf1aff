"""What a command imports to answer: libraries that take seconds only for what needs them."""

import os
import subprocess
import sys

import pytest

from tests.conftest import QUICK

HEAVY = {
    *("torch", "transformers", "pytorch_lightning", "torchmetrics", "mlflow", "pandas", "polars"),
    *("scipy", "matplotlib", "altair", "sklearn", "bm25s", "peft", "faiss"),
}
COMMANDS = ("train", "evaluate", "analyze", "mine", "sync", "sweeps")

READERS = {"polars", "scipy"}
"""What readers of data import: their signatures say which keys they take."""

BROUGHT_BY_LIGHTNING = {"torchmetrics", "scipy", "matplotlib"}
"""Torchmetrics has no switch that leaves out its parts; Lightning imports all of it."""

BROUGHT_BY_MLFLOW = {"pandas", "scipy"}
"""Its `__init__` imports its parts for language models, which have no switch either."""

ANSWER = """
import atexit, sys
from importlib import import_module
atexit.register(lambda: sys.stderr.write("\\n" + " ".join(sys.modules)))
command = sys.argv.pop(1)
sys.argv[0] = f"lingmix-{command}"
import_module(f"lingmix.{command}").main()
"""


def answer(command, *arguments, cwd, variables=None):
    """Status, what it says on either stream, and the heavy modules that it has imported."""
    ended = subprocess.run(
        [sys.executable, "-c", ANSWER, command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | (variables or {}),
    )
    errors, _, imported = ended.stderr.rpartition("\n")
    return ended.returncode, ended.stdout + errors, HEAVY & {*imported.split()}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("--help", "lingmix-{} is powered by"),
        ("--hydra-help", "shell-completion"),
        ("--cfg=job", "output_dir:"),
    ],
)
def test_help_and_listing_import_nothing_heavy(tmp_path, command, argument, says):
    status, said, imported = answer(command, argument, cwd=tmp_path)
    assert (status, imported) == (0, set())
    assert says.format(command) in said


@pytest.mark.parametrize(
    ("command", "typed", "offered"),
    [
        ("train", "sampler.al", "sampler.alpha="),
        ("train", "sampler=", "sampler=crosslingual"),
        ("evaluate", "search=", "search=hnsw"),
    ],
)
def test_completion_imports_nothing_heavy(tmp_path, command, typed, offered):
    line = f"lingmix-{command} {typed}"
    told = {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    status, said, imported = answer(command, "-sc", "query=bash", cwd=tmp_path, variables=told)
    assert (status, imported) == (0, set())
    assert offered in said.split()


@pytest.mark.parametrize(
    ("command", "says"),
    [("sync", "nothing is left to send"), ("sweeps", "no sweep is recorded")],
)
def test_where_nothing_is_recorded_nothing_heavy_is_imported_and_nothing_made(
    tmp_path, command, says
):
    status, said, imported = answer(command, cwd=tmp_path)
    assert (status, imported) == (0, set())
    assert said.rstrip().endswith(says)
    assert [*tmp_path.rglob("*.db*")] == []


@pytest.mark.parametrize(
    ("command", "arguments", "says", "allowed"),
    [
        ("train", ["languages=[xx]"], "languages: must be among", set()),
        ("train", ["sampler.alpha=7"], "sampler.alpha: must be", set()),
        ("train", ["samplr.alpha=1"], "there is no key samplr.alpha", set()),
        ("train", ["trainer.max_steps=many"], "trainer.max_steps: must be", set()),
        ("train", ["+evaluation.cldr_geography.foo=1"], "there is no key evaluation.", READERS),
        ("train", ["-m", "sampler.alpha=7,0"], "sampler.alpha: must be", set()),
        ("evaluate", ["encoder.name=x", "depth=0"], "depth: must be", set()),
        ("evaluate", ["search=foo"], "configuration: ", set()),
        ("mine", ["encoder.name=x", "mining.count=0"], "mining.count: must be", set()),
        ("analyze", ["name=nothing"], "name: no experiment 'nothing' is recorded", set()),
        ("sweeps", ["name=nothing"], "name: no experiment 'nothing' is recorded", set()),
        ("sync", ["tracking.wait=-1"], "tracking.wait: must be", set()),
    ],
)
def test_a_refusal_imports_no_more_than_what_it_is_about(
    tmp_path, command, arguments, says, allowed
):
    status, said, imported = answer(command, *arguments, cwd=tmp_path)
    assert status == 1
    assert said.startswith(f"lingmix-{command}: {says}")
    assert imported <= allowed


def test_a_training_imports_what_it_uses(tmp_path):
    status, said, imported = answer(
        "train", f"output_dir={tmp_path}", *QUICK, "trainer.max_steps=1", cwd=tmp_path
    )
    assert status == 0, said
    used = {"torch", "transformers", "pytorch_lightning", "mlflow", "polars"}
    assert imported == used | BROUGHT_BY_LIGHTNING | BROUGHT_BY_MLFLOW


def test_a_recorded_sweep_is_read_without_a_model(tmp_path):
    """The store is there, and holds nothing."""
    (tmp_path / "multirun").mkdir()
    (tmp_path / "multirun" / "mlflow.db").touch()
    status, said, imported = answer("sweeps", cwd=tmp_path)
    assert (status, said.strip()) == (0, "no sweep is recorded")
    assert imported <= {"mlflow", "polars"} | BROUGHT_BY_MLFLOW
