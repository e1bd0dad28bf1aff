"""The figure of each evaluation set on which the runs of an experiment trade off."""

from pathlib import Path

from mlflow import MlflowClient

from lingmix.analysis.page.figures.figure import png
from lingmix.analysis.page.figures.gallery import albums
from lingmix.analysis.results import results_of
from lingmix.tracking.run_table import cell_table, evaluation_table


def write_tradeoffs(client: MlflowClient, experiment: str, folder: Path) -> dict[str, str]:
    """Writes a PNG for each set that several runs of the experiment are measured on; returns the
    files' names by the set."""
    cells = cell_table(client, experiment)
    if cells.height < 2:
        return {}
    written = {}
    for one in results_of(cells, evaluation_table(client, experiment)).sets:
        drawn = albums(one.runs, one.summary, set_name=one.name, steps=f"{one.runs.height} runs")
        if figure := next((found for album in drawn for found in album.tradeoffs), None):
            written[one.name] = f"{figure.stem}.png"
            (folder / written[one.name]).write_bytes(png(figure.svg()))
    return written
