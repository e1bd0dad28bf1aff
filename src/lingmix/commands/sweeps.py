"""The command lingmix-sweeps, which lists recorded sweeps and the states of their cells."""

from pathlib import Path

from omegaconf import DictConfig

from lingmix.cli.config import checked
from lingmix.tracking.store.local import is_missing, require_store


def sweeps(composed: DictConfig) -> str:
    """Return a row for each sweep, the newest first, and commands that resume unfinished ones."""
    config = checked(composed, "sweeps")
    uri, name, table = config["tracking"]["uri"], config["name"], ""
    if name is not None:
        require_store(uri, name)
    if not is_missing(uri):
        from lingmix.tracking.pages.sweep_table import sweep_table  # noqa: PLC0415 - imports MLflow

        table = sweep_table(uri, name=name, output_dir=Path(config["output_dir"]))
    return table or "no sweep is recorded"
