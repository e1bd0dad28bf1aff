"""One run in several processes: torchrun's, on one node and on two, and its own."""

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hydra import compose, initialize_config_dir
from mlflow import MlflowClient
from torch.distributed import TCPStore

from lingmix.cli.config import CONF, resolved
from lingmix.commands.train import train
from lingmix.errors import InputError
from lingmix.signals import StoppedError
from lingmix.tracking.identity import config_hash
from lingmix.tracking.lifecycle import STATE
from lingmix.tracking.system_metrics import SYSTEM
from lingmix.training import rank_group
from lingmix.training.rank_group import RankGroup
from tests.commands import TORCHRUN, Forked, torchrun
from tests.conftest import QUICK
from tests.events import HANGS, until

RUN = [
    *QUICK,
    "trainer.max_steps=8",
    "trainer.val_check_interval=2",
    "sampler=adaptive",
    "trainer.accelerator=cpu",
    "trainer.precision=64-true",
    "checkpoint.every_steps=3",
]
"""In float64: what differs by more than 1e-5 is no rounding. Alpha follows the scores of all."""


LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def started(output_dir, *overrides: str) -> subprocess.Popen:
    """By torchrun, as a user starts it."""
    run = ["-m", "lingmix.train", f"output_dir={output_dir}", *RUN, *overrides]
    settings = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, *LAUNCHER, *run], env=settings, text=True, **pipes)


def forked(output_dir, *overrides: str, launcher: tuple[str, ...] = TORCHRUN) -> Forked:
    """By a torchrun that imports nothing anew, nor do its ranks."""
    return torchrun(*launcher, f"output_dir={output_dir}", *RUN, *overrides)


def ended(process: subprocess.Popen | Forked) -> tuple[int, str, str]:
    said, wrong = process.communicate(timeout=HANGS)
    return process.returncode, said, wrong


def said_wrong(text: str) -> list[str]:
    """Without torchrun's own report."""
    return [line for line in text.splitlines() if line.startswith("lingmix-train: ")]


def composed(output_dir, *overrides: str):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [f"output_dir={output_dir}", *RUN, *overrides])


def history(output_dir, name: str) -> dict[str, list[tuple[int, float]]]:
    """Of the one run of that name, what no clock decides."""
    client = MlflowClient(composed(output_dir).tracking.uri)
    experiment = client.get_experiment_by_name(name)
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.tags[STATE] == "complete"
    return {
        metric: [
            (one.step, one.value) for one in client.get_metric_history(run.info.run_id, metric)
        ]
        for metric in run.data.metrics
        if not metric.endswith(("_per_second", "waiting_share", "padding_share"))
        and not metric.startswith(SYSTEM)
    }


def assert_alike(got: dict, expected: dict) -> None:
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        assert [step for step, _ in got[name]] == [step for step, _ in values], name
        of_ranks = name.endswith(("rank_distance", "max_rank"))  # near ties are ranks apart
        near = 0.01 if of_ranks else 1e-5
        assert [v for _, v in got[name]] == pytest.approx([v for _, v in values], abs=near), name


@pytest.fixture(scope="module")
def alone(output_dir) -> dict[str, list[tuple[int, float]]]:
    train(composed(output_dir, "name=one-process"))
    return history(output_dir, "one-process")


def test_two_nodes_record_the_one_run_of_one_process(output_dir, alone):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nodes = [
        forked(
            output_dir,
            "trainer.num_nodes=2",
            "name=two-nodes",
            launcher=(
                *("--nnodes=2", "--nproc-per-node=1", f"--node-rank={node}"),
                *("--master-addr=127.0.0.1", f"--master-port={port}"),
                *TORCHRUN[2:],
            ),
        )
        for node in (0, 1)
    ]
    (status, said, wrong), (status_of_other, silence, _) = map(ended, nodes)
    assert (status, status_of_other) == (0, 0), wrong
    assert "mAP monolingual" in said
    assert silence == ""
    assert_alike(history(output_dir, "two-nodes"), alone)


@pytest.mark.parametrize("strategy", ["auto", pytest.param("summed_fsdp", marks=pytest.mark.chaos)])
def test_a_stopped_run_goes_on_to_the_metrics_of_one_process_and_is_then_complete(
    output_dir, alone, strategy
):
    name = f"two-processes-{strategy}"
    overrides = ("trainer.devices=2", f"trainer.strategy={strategy}", f"name={name}")
    work = output_dir / "runs" / name / config_hash(resolved(composed(output_dir, *overrides)))
    process = forked(output_dir, *overrides)
    until(lambda: [*work.glob("state-*.ckpt")], process=process)
    process.send_signal(signal.SIGTERM)
    status, said, wrong = ended(process)
    assert status != 0
    assert "stopped by SIGTERM at step" in said, wrong
    assert list(work.glob("state-*.ckpt"))
    status, said, wrong = ended(forked(output_dir, *overrides))
    assert status == 0, wrong
    assert said.count("mAP monolingual") == 2, "once for each of two sets"
    assert_alike(history(output_dir, name), alone)
    assert list(work.parent.iterdir()) == []
    if strategy == "auto":
        status, said, wrong = ended(forked(output_dir, *overrides))
        assert (status, wrong) == (0, "")
        (line,) = said.splitlines()
        assert "complete already" in line


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["trainer.devices=2", "sampler.alpha=7"],
            "lingmix-train: sampler.alpha: must be in [0, 1], or null, got 7",
        ),
        (
            ["-m", "trainer.devices=2", "seed=0,1"],
            "lingmix-train: -m: a sweep starts its own processes; start it without torchrun or "
            "srun, or its runs one by one with it",
        ),
    ],
)
def test_bad_input_is_one_line_of_one_rank(output_dir, overrides, line):
    status, said, wrong = ended(started(output_dir, "name=bad", *overrides))
    assert (status, said) == (1, "")
    assert said_wrong(wrong) == [line]


def test_another_number_of_processes_than_devices_is_refused(monkeypatch, configure):
    for name, value in {"NTASKS": 1, "PROCID": 0, "JOB_NAME": "job"}.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    config = configure("train", *RUN, "trainer.devices=2")
    with pytest.raises(InputError, match=r"trainer.devices: 2 .* are 2 .* has started 1; make"):
        train(config)


def test_several_nodes_need_a_launcher(configure):
    with pytest.raises(InputError, match=r"trainer.num_nodes: 2 nodes need a launcher on each"):
        train(configure("train", *RUN, "trainer.num_nodes=2"))


@pytest.fixture
def together(monkeypatch):
    """Runs a function of `RankGroup` on two of them; what each returned or ended with."""
    monkeypatch.setattr(rank_group, "FAREWELL", 0.5)
    server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)

    def on_rank(rank: int, block):
        store = TCPStore("127.0.0.1", server.port, is_master=False, wait_for_workers=False)
        try:
            with RankGroup(store, rank=rank, started=2) as ranks:
                return block(ranks)
        except BaseException as error:
            return error

    def run(block, other=None):
        with ThreadPoolExecutor(2) as pool:
            blocks = (block, other or block)
            return list(pool.map(on_rank, (0, 1), blocks))

    return run


def failing(error: BaseException):
    def fail():
        raise error

    return fail


def test_what_rank_0_does_once_all_know(together):
    done = []
    first, second = together(
        lambda ranks: done.append(ranks.on_rank_zero(lambda: f"by {ranks.rank}"))
    )
    assert done == ["by 0", "by 0"]
    assert first is None
    assert second.code == 0


def test_when_rank_0_ends_early_the_others_end_well(together):
    assert together(lambda ranks: "complete", lambda ranks: ranks.receive())[0] == "complete"


@pytest.mark.parametrize("failing_rank", [0, 1])
def test_the_input_error_of_one_rank_ends_all_and_rank_0_says_it(together, failing_rank):
    def work(ranks):
        wrong = ranks.rank == failing_rank
        ranks.on_all_ranks(failing(InputError("no such file")) if wrong else lambda: None)

    first, second = together(work)
    assert isinstance(first, InputError)
    assert str(first) == ("no such file" if failing_rank == 0 else "rank 1: no such file")
    assert isinstance(second, SystemExit)
    assert second.code == 1


def test_a_rank_that_fails_otherwise_shows_its_own_trace(together):
    first, second = together(
        lambda ranks: ranks.on_all_ranks(lambda: None),
        lambda ranks: ranks.on_all_ranks(failing(ValueError("a\nbug"))),
    )
    assert isinstance(first, InputError)
    assert str(first) == "rank 1: ValueError: a bug"
    assert isinstance(second, ValueError)


def test_the_status_of_rank_0_is_that_of_all(together):
    first, second = together(
        lambda ranks: ranks.on_all_ranks(failing(StoppedError(signal.SIGTERM))),
        lambda ranks: ranks.on_all_ranks(lambda: None),
    )
    assert first.code == second.code == 128 + signal.SIGTERM


def test_ranks_that_never_come_are_not_waited_for_for_ever(together, monkeypatch):
    monkeypatch.setattr(rank_group, "ARRIVAL", 0.2)
    first, _ = together(lambda ranks: ranks.assemble(devices=2, nodes=1), lambda ranks: None)
    assert isinstance(first, InputError)
    assert str(first).startswith("trainer.devices: 1 of the 2 processes that the launcher names")
