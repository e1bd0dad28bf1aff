"""How soon commands answer: what needs no model beside the bare import of Hydra, a training beside
the bare import of its libraries.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.harness.comparison import FOLDER, Row, timed
from benchmarks.harness.configured import SMALL

HYDRA = "import hydra"
LIBRARIES = "import torch, pytorch_lightning, transformers"
ROUNDS, ROUNDS_OF_TRAINING = 7, 3
LONGEST = 300.0
"""Seconds for a training to come to its first step."""

ANSWERS = {
    "lingmix-train --help": (0, "lingmix-train"),
    "lingmix-analyze --help": (0, "lingmix-analyze"),
    "lingmix-train --cfg job": (0, "output_dir:"),
    "lingmix-train languages=[xx]": (1, "languages: must be"),
    "lingmix-train sampler.alpha=7": (1, "sampler.alpha: must be"),
    "lingmix-train samplr.alpha=1": (1, "there is no key samplr.alpha"),
    "lingmix-analyze name=nothing": (1, "no experiment 'nothing' is recorded"),
    "lingmix-sync": (0, "nothing is left to send"),
    "lingmix-sweeps": (0, "no sweep is recorded"),
}
"""Commands in an empty folder, with their status and what they say."""

TYPED = "lingmix-train sampler.al"


def compare() -> list[Row]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=FOLDER) as temporary:
        folder = Path(temporary)
        sides: dict[str, Callable[[], None]] = {
            HYDRA: partial(_import, HYDRA, folder),
            **{line: partial(_answer, line, folder) for line in ANSWERS},
            f"completion of {TYPED}": partial(_complete, folder),
        }
        answers = timed(sides, rounds=ROUNDS)
        trainings = timed(
            {
                LIBRARIES: partial(_import, LIBRARIES, folder),
                "a run of one step": partial(_train, folder),
                "a run to its first step": partial(_train_until_first_step, folder),
            },
            rounds=ROUNDS_OF_TRAINING,
        )
    rows = []
    for peer, measured in ((HYDRA, answers), (LIBRARIES, trainings)):
        for case, side in measured.items():
            if case != peer:
                bare = median(measured[peer].seconds)
                rows.append(Row(case=case, ours=side.median, unit="s", peer=bare, peer_name=peer))
    return rows


def _import(code: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder)


def _command(line: str) -> list[str]:
    """As the console script has it."""
    name, *arguments = line.split()
    return [sys.executable, "-m", f"lingmix.{name.removeprefix('lingmix-')}", *arguments]


def _answer(line: str, folder: Path) -> None:
    ended = subprocess.run(_command(line), check=False, capture_output=True, text=True, cwd=folder)
    status, says = ANSWERS[line]
    assert ended.returncode == status and says in ended.stdout + ended.stderr, ended


def _complete(folder: Path) -> None:
    """What a shell runs for the key."""
    typed = {"COMP_LINE": TYPED, "COMP_POINT": str(len(TYPED))}
    ended = subprocess.run(
        _command("lingmix-train -sc query=bash"),
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | typed,
    )
    assert "sampler.alpha=" in ended.stdout, ended


def _training(folder: Path, steps: int) -> list[str]:
    line = f"lingmix-train output_dir={folder} trainer.max_steps={steps}"
    return [
        *_command(line),
        *SMALL,
        "trainer.log_every_n_steps=1",
        "trainer.enable_progress_bar=false",
    ]


def _train(folder: Path) -> None:
    with TemporaryDirectory(dir=folder) as here:
        command = _training(Path(here), 1)
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)


def _train_until_first_step(folder: Path) -> None:
    """Until the journal has what the first step logs; the run is killed then."""
    with TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as here:
        command = _training(Path(here), 100_000)
        began = time.monotonic()
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
            try:
                while not _has_stepped(Path(here)):
                    assert process.poll() is None and time.monotonic() - began < LONGEST
                    time.sleep(0.005)
            finally:
                process.kill()


def _has_stepped(output_dir: Path) -> bool:
    journals = output_dir.glob("runs/*/*/journal.jsonl")
    return any("train/loss" in journal.read_text("utf-8") for journal in journals)
