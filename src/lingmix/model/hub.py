"""What the name of a model stands for, known without loading it."""

from functools import cache
from pathlib import Path

from huggingface_hub import snapshot_download

CHECKPOINT = ".ckpt"

RUNS = "runs:/"
"""How the name of a recorded run's model begins."""

ENCODER_FOLDER = "encoder"
"""Beside the checkpoints of a run: the form of the encoder whose weights they hold."""


@cache
def commit_of(name: str, revision: str | None) -> str:
    """The commit that a branch, a tag or a commit of the model stands for; None is its main branch.

    A process asks once, so that what it records is what it loads. Without a network the commit that
    was fetched last counts. Raises OSError or ValueError where there is no such model.
    """
    return Path(snapshot_download(name, revision=revision, allow_patterns=["config.json"])).name
