"""What a command imports to answer: libraries that take seconds only for what needs them."""

import json
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.conftest import QUICK

HEAVY = {
    *("torch", "transformers", "pytorch_lightning", "torchmetrics", "mlflow", "pandas", "polars"),
    *("scipy", "matplotlib", "altair", "sklearn", "bm25s", "peft", "faiss"),
}
COMMANDS = ("train", "evaluate", "analyze", "mine", "augment", "audit", "export", "sync", "sweeps")

READERS = {"polars", "scipy"}
"""What readers of data import: their signatures say which keys they take."""

BROUGHT_BY_LIGHTNING = {"torchmetrics", "scipy", "matplotlib"}
"""Torchmetrics has no switch that leaves out its parts; Lightning imports all of it."""

BROUGHT_BY_MLFLOW = {"pandas", "scipy"}
"""Its `__init__` imports its parts for language models, which have no switch either."""

FORKING = """
import atexit, hydra, json, lingmix.cli.entry_point, os, sys
from importlib import import_module
for line in sys.stdin:
    command, arguments, cwd, variables, said = json.loads(line)
    if process := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
        continue
    os.chdir(cwd)
    os.environ |= variables
    for stream in (1, 2):
        os.dup2(os.open(said, os.O_WRONLY | os.O_APPEND | os.O_CREAT), stream)
    atexit.register(lambda: print("", *sys.modules, file=open(said + ".modules", "w")))
    sys.argv = [f"lingmix-{command}", *arguments]
    sys.exit(import_module(f"lingmix.{command}").main())
"""
"""A process that has imported what every command imports, and is forked for each."""


@pytest.fixture(scope="module")
def forking():
    with subprocess.Popen(
        [sys.executable, "-c", FORKING], stdin=PIPE, stdout=PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def answer(forking, tmp_path):
    """Runs a command in `tmp_path`: its status, what it says on either stream, and the heavy
    modules that it has imported."""

    def answered(command, *arguments, variables=None):
        said = tmp_path / f"{command}.txt"
        forking.stdin.write(
            json.dumps([command, arguments, str(tmp_path), variables or {}, str(said)]) + "\n"
        )
        forking.stdin.flush()
        status = int(forking.stdout.readline())
        imported = Path(f"{said}.modules").read_text().split()
        return status, said.read_text(), HEAVY & {*imported}

    return answered


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("--help", "lingmix-{} is powered by"),
        ("--hydra-help", "shell-completion"),
        ("--cfg=job", "output_dir:"),
    ],
)
def test_help_and_listing_import_nothing_heavy(answer, command, argument, says):
    status, said, imported = answer(command, argument)
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
def test_completion_imports_nothing_heavy(answer, command, typed, offered):
    line = f"lingmix-{command} {typed}"
    told = {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    status, said, imported = answer(command, "-sc", "query=bash", variables=told)
    assert (status, imported) == (0, set())
    assert offered in said.split()


@pytest.mark.parametrize(
    ("command", "says"),
    [("sync", "nothing is left to send"), ("sweeps", "no sweep is recorded")],
)
def test_where_nothing_is_recorded_nothing_heavy_is_imported_and_nothing_made(
    answer, tmp_path, command, says
):
    status, said, imported = answer(command)
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
        ("augment", ["passages.path=p", "scale=0"], "scale: must be", set()),
        ("augment", ["passages.path=p", "+steps.titles.a=1"], "there is no key steps.", READERS),
        ("analyze", ["name=nothing"], "name: no experiment 'nothing' is recorded", set()),
        ("sweeps", ["name=nothing"], "name: no experiment 'nothing' is recorded", set()),
        ("export", ["run=x", "forms=[onnxx]"], "forms.0: must be", set()),
        ("sync", ["tracking.wait=-1"], "tracking.wait: must be", set()),
    ],
)
def test_a_refusal_imports_no_more_than_what_it_is_about(answer, command, arguments, says, allowed):
    status, said, imported = answer(command, *arguments)
    assert status == 1
    assert said.startswith(f"lingmix-{command}: {says}")
    assert imported <= allowed


def test_a_training_imports_what_it_uses(answer, tmp_path):
    status, said, imported = answer(
        "train", f"output_dir={tmp_path}", *QUICK, "trainer.max_steps=1"
    )
    assert status == 0, said
    used = {"torch", "transformers", "pytorch_lightning", "mlflow", "polars"}
    assert imported == used | BROUGHT_BY_LIGHTNING | BROUGHT_BY_MLFLOW


def test_a_recorded_sweep_is_read_without_a_model(answer, tmp_path):
    """The store is there, and holds nothing."""
    (tmp_path / "multirun").mkdir()
    (tmp_path / "multirun" / "mlflow.db").touch()
    status, said, imported = answer("sweeps")
    assert (status, said.strip()) == (0, "no sweep is recorded")
    assert imported <= {"mlflow", "polars"} | BROUGHT_BY_MLFLOW
