"""The runs of an experiment as plain files beside their report, to be opened anywhere."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lingmix.atomic import atomic_file

RUNS, COMMANDS, CONFIGURATIONS = "runs", "commands.sh", "configurations"
CONFIGURATION = "config.yaml"


def write_sweep(
    client: MlflowClient, runs: Sequence[pl.DataFrame], commands: Sequence[str], *, folder: Path
) -> None:
    """Writes the rows of runs as CSV and Parquet, the commands that made them, and the resolved
    configuration of each run that has recorded one. A configuration that is there is not fetched
    again: those of complete runs do not change."""
    table = pl.concat(runs, how="diagonal_relaxed").drop("artifact_uri", strict=False)
    files = {f"{RUNS}.csv": table.write_csv().encode()}
    files[COMMANDS] = "".join(f"{command}\n" for command in commands).encode()
    for run_id in table["run_id"]:
        path = folder / CONFIGURATIONS / f"{run_id}.yaml"
        if not path.exists() and (text := _configuration(client, run_id)):
            files[str(path.relative_to(folder))] = text
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(folder / name) as stream:
            stream.write(content)
    with atomic_file(folder / f"{RUNS}.parquet") as stream:
        table.write_parquet(stream)


def _configuration(client: MlflowClient, run_id: str) -> bytes | None:
    """None for a run without one, such as one that was recorded by other means."""
    try:
        return Path(client.download_artifacts(run_id, CONFIGURATION)).read_bytes()
    except (MlflowException, OSError):
        return None
