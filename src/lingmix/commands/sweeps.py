"""The command lingmix-sweeps, which lists recorded sweeps and the states of their cells."""

from pathlib import Path

from omegaconf import DictConfig

from lingmix.cli.config import checked
from lingmix.tracking.store.local import is_missing, require_store

NONE = "no sweep is recorded"


def sweeps(composed: DictConfig) -> str:
    """Return a row for each sweep, the newest first, and commands that resume unfinished ones; or
    all of it as JSON."""
    config = checked(composed, "sweeps")
    uri, name, as_json = config["tracking"]["uri"], config["name"], config["format"] == "json"
    if name is not None:
        require_store(uri, name)
    if is_missing(uri):
        return "[]" if as_json else NONE
    from lingmix.tracking.pages.sweep_table import (  # noqa: PLC0415 - imports MLflow
        sweep_json,
        sweep_rows,
        sweep_table,
    )

    rows = sweep_rows(uri, name=name, output_dir=Path(config["output_dir"]))
    return sweep_json(rows) if as_json else sweep_table(rows) or NONE
