"""Sweeps on a Ray of this machine."""

import os
import signal
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lingmix.errors import InputError
from lingmix.tracking.history import runs
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import STATE
from tests.conftest import FAILING, FAILURE, QUICK
from tests.events import HANGS, until

with_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra lingmix[ray]")

RAY = ["launcher=ray", "hydra.launcher.address=local", "hydra.launcher.cpus=1"]
LONG = [
    *QUICK,
    "trainer.max_steps=100",
    "trainer.val_check_interval=50",
    "checkpoint.every_steps=5",
]


def started(output_dir: Path, name: str, *overrides: str) -> subprocess.Popen:
    script = Path(sys.executable).parent / "lingmix-train"
    here = [f"output_dir={output_dir}", f"name={name}", *RAY, "hydra.launcher.gpus=0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    settings = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen([script, "-m", *here, *overrides], text=True, env=settings, **pipes)


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    said, wrong = process.communicate(timeout=HANGS)
    return process.returncode, said, wrong


def states(output_dir: Path, name: str) -> list[str]:
    client = MlflowClient(f"sqlite:///{output_dir}/mlflow.db")
    experiment = client.get_experiment_by_name(name).experiment_id
    return sorted(run.data.tags[STATE] for run in runs(client, experiment, f"tags.`{HASH}` != ''"))


@with_ray
def test_a_failing_cell_is_named_and_the_others_go_on(output_dir):
    status, said, wrong = ended(started(output_dir, "failing", *QUICK, FAILING))
    assert status == 1, wrong
    assert f"FAILED {FAILURE}" in said
    assert "1 of 3 cells failed" in wrong
    assert states(output_dir, "failing").count("complete") == 2


@with_ray
def test_a_cell_whose_process_is_lost_goes_on_in_its_run(output_dir):
    process = started(output_dir, "lost", *LONG, "seed=0")
    work = output_dir / "runs" / "lost"
    until(lambda: [*work.glob("*/state-*.ckpt")], process=process)
    (worker,) = subprocess.run(
        ["pgrep", "-f", "ray::cell_task"], capture_output=True, text=True, check=True
    ).stdout.split()
    os.kill(int(worker), signal.SIGKILL)
    status, said, wrong = ended(process)
    assert status == 0, wrong
    assert "[1/1]" in said
    assert states(output_dir, "lost") == ["complete"]


@with_ray
def test_ctrl_c_stops_the_cells_and_the_same_command_goes_on(output_dir):
    process = started(output_dir, "stopped", *LONG, "seed=0")
    until(lambda: [*output_dir.glob("runs/stopped/*/state-*.ckpt")], process=process)
    process.send_signal(signal.SIGINT)
    status, said, wrong = ended(process)
    assert status == 128 + signal.SIGINT, wrong
    assert "run the same command to run the missing cells" in said
    assert states(output_dir, "stopped") == ["interrupted"]
    status, _, wrong = ended(started(output_dir, "stopped", *LONG, "seed=0"))
    assert status == 0, wrong
    assert states(output_dir, "stopped") == ["complete"]


def test_where_ray_is_not_installed_the_sweep_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "lingmix.sweep.ray", raising=False)
    with pytest.raises(InputError, match=r"launcher: Ray is not installed; run `pip install"):
        import_module("lingmix.sweep.ray")
