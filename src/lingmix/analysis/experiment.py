"""The report of one experiment, from its store and back into it."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from lingmix.analysis.answers import Asked, answered, frames
from lingmix.analysis.batch_sizes import batch_sizes, critical_batches_in_words, swept
from lingmix.analysis.metric_columns import PAIR_METRICS
from lingmix.analysis.page.report import write_report
from lingmix.analysis.results import in_tables, in_words, results_of
from lingmix.analysis.sweep_folder import write_sweep
from lingmix.atomic import atomic_file
from lingmix.tracking.history import (
    commands,
    complete_runs,
    experiment_named,
    replaced_runs,
    unfinished_runs,
)
from lingmix.tracking.pages.report_run import log_report
from lingmix.tracking.per_query import per_query_files
from lingmix.tracking.run_table import cell_table, evaluation_table, without_alpha
from lingmix.tracking.store.client import open_store
from lingmix.tracking.store.snapshot import remember_searches
from lingmix.tracking.validation_curves import validation_curves


def report_experiment(
    name: str, *, uri: str, folder: Path, asked: Asked, downloads: Path, cache: Path | None = None
) -> str:
    """Writes the report of an experiment's complete runs into `folder` and logs it to their sweep;
    returns what it shows in short.

    The scores of queries are read where the store has them; from a server they are fetched into
    `downloads`. What all reports share is kept in `cache`.
    """
    client = open_store(uri)
    remember_searches(client)
    experiment = experiment_named(client, name).experiment_id
    cells = cell_table(client, experiment, PAIR_METRICS)
    evaluations = evaluation_table(client, experiment, PAIR_METRICS)
    files = per_query_files(client, cells, downloads)
    results = answered(results_of(cells, evaluations), files, asked)
    typed = [*commands(client, experiment), f"lingmix-analyze name={name}"]
    left_out = [*replaced_runs(client, experiment), *without_alpha(client, experiment)]
    written = write_report(
        results,
        name=name,
        folder=folder,
        missing=unfinished_runs(client, experiment),
        left_out=left_out,
        commands=typed,
        cache=cache,
    )
    lines, tables = [in_words(results)], frames(results)
    if swept(cells):
        read = validation_curves(client, complete_runs(client, experiment).values())
        tables["critical_batches"] = found = batch_sizes(cells, read, level=asked.level)
        lines += critical_batches_in_words(found)
    _write_frames(tables, folder / "answer")
    write_sweep(client, [cells, evaluations], typed, folder=folder)
    log_report(client, experiment, folder=folder)
    said = f"\nLeft out: {'; '.join(left_out)}" if left_out else ""
    answer = "\n".join(lines)
    return f"{answer}\n\n{in_tables(results)}{said}\n{written[0]}".lstrip()


def _write_frames(named: Mapping[str, pl.DataFrame], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, frame in named.items():
        with atomic_file(folder / f"{name}.parquet") as stream:
            frame.write_parquet(stream)
