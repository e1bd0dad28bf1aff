"""Resolves the name of a model without loading it."""

from functools import cache
from pathlib import Path

from huggingface_hub import snapshot_download

CHECKPOINT = ".ckpt"

RUNS = "runs:/"
"""The prefix that names the model of a recorded run."""

BRANCH = "branch.ckpt"
"""The checkpoint that is recorded with a run, for others to branch from."""

ENCODER_FOLDER = "encoder"
"""The folder beside a run's checkpoints that describes the encoder whose weights they hold."""


@cache
def commit_of(name: str, revision: str | None) -> str:
    """Resolves a branch, a tag or a commit of the model to a commit; None is its main branch.

    A process asks once, so that it records what it loads. Without a network it is the commit that
    was fetched last. Raises OSError or ValueError where there is no such model.
    """
    return Path(snapshot_download(name, revision=revision, allow_patterns=["config.json"])).name
