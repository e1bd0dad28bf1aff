"""The command lingmix-sync, which sends what runs recorded while their store was unavailable."""

import sys
from pathlib import Path

from omegaconf import DictConfig

from lingmix.cli.config import checked
from lingmix.tracking.outbox.journal import JOURNAL


def sync(composed: DictConfig) -> str:
    """Print a line for each run; exit with status 1 where something cannot be read or sent."""
    config = checked(composed, "sync")
    tracking, runs = config["tracking"], Path(config["output_dir"], "runs")
    if folders := [path.parent for path in sorted(runs.glob(f"*/*/{JOURNAL}"))]:
        from lingmix.tracking.outbox.leftovers import send_all  # noqa: PLC0415 - imports MLflow

        if left := send_all(folders, uri=tracking["uri"], wait=tracking["wait"]):
            sys.exit(f"lingmix-sync: {left} runs have something left to send")
    return f"{runs}: nothing is left to send"
