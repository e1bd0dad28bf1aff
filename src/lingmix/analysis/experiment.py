"""The report of one experiment, from its store and back into it."""

from pathlib import Path

from lingmix.analysis.metric_columns import PAIR_METRICS
from lingmix.analysis.report import write_report
from lingmix.analysis.results import in_tables, results_of
from lingmix.tracking.history import commands, replaced_runs, unfinished_runs
from lingmix.tracking.pages.report_run import log_report
from lingmix.tracking.run_table import cell_table, evaluation_table, without_alpha
from lingmix.tracking.store.client import experiment_named, open_store


def report_experiment(name: str, *, uri: str, folder: Path) -> str:
    """Writes the report of an experiment's complete runs into `folder` and logs it to their sweep;
    returns what it shows in short."""
    client = open_store(uri)
    experiment = experiment_named(client, name)
    results = results_of(
        cell_table(client, experiment.experiment_id, PAIR_METRICS),
        evaluation_table(client, experiment.experiment_id, PAIR_METRICS),
    )
    left_out = [
        *replaced_runs(client, experiment.experiment_id),
        *without_alpha(client, experiment.experiment_id),
    ]
    written = write_report(
        results,
        name=name,
        folder=folder,
        missing=unfinished_runs(client, experiment.experiment_id),
        left_out=left_out,
        commands=[*commands(client, experiment.experiment_id), f"lingmix-analyze name={name}"],
    )
    log_report(client, experiment.experiment_id, folder=folder)
    said = f"\nLeft out: {'; '.join(left_out)}" if left_out else ""
    return f"{in_tables(results)}{said}\n{written[0]}"
