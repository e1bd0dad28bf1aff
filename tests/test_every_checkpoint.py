"""Whichever change of its checkpoints a training is killed at, the same command ends it bit for bit
as one left alone.

The calls that change one are tried before they are made and, where they write, in their middle;
LINGMIX_CHAOS_ROUNDS says how many of them, all from 8 on.
"""

import multiprocessing
import signal
import sys

import pytest
from omegaconf import DictConfig

from lingmix.commands.train import train
from tests.changes import Change, Kill, kills, watched
from tests.sweep.test_sweep_chaos import CELL
from tests.test_resume import Run

RUN = [
    *(line for line in CELL if line != "data.development=null"),
    "trainer.max_steps=4",
    "trainer.val_check_interval=2",
    "checkpoint.every_steps=1",
]


def of_a_checkpoint(change: Change) -> bool:
    """Of one, or what is synced around it: its folder, the journal."""
    path = change.path
    return path.name.startswith(("state-", "best-")) or (
        change.call == "fsync" and "runs" in path.parts
    )


def killed(config: DictConfig, at: int, half: bool) -> None:
    with watched(Kill(at, half=half, counts=of_a_checkpoint)):
        train(config)


def seen(config: DictConfig, found: "multiprocessing.Queue[list[Change]]") -> None:
    changes: list[Change] = []
    with watched(lambda one: changes.append(one) if of_a_checkpoint(one) else None):
        train(config)
    found.put([one._replace(file=0) for one in changes])


@pytest.mark.chaos
def test_a_training_killed_at_any_change_of_a_checkpoint_ends_as_one_left_alone(output_dir):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.test_every_checkpoint"])
    found = context.Queue()
    alone = Run(output_dir, "alone", *RUN)
    process = context.Process(target=seen, args=(alone.config, found))
    process.start()
    changes = found.get(timeout=600)
    process.join()
    assert {one.call for one in changes} == {"write", "fsync", "replace", "unlink"}
    cases = kills(changes)
    for at, half in cases:
        run = Run(output_dir, f"killed-{at:03d}-{half}", *RUN)
        process = context.Process(target=killed, args=(run.config, at, half))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        run.train()
        assert run.history == alone.history, run.config.name
        assert not run.work.exists()
    sys.stderr.write(f"{len(cases)} kills, {len(changes)} changes\n")
