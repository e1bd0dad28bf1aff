"""The report of an experiment as an artifact of a run."""

from pathlib import Path

from mlflow import MlflowClient

from lingmix.tracking.history import runs
from lingmix.tracking.lifecycle import KIND, start_run
from lingmix.tracking.pages.sweep_run import describe_sweep


def log_report(client: MlflowClient, experiment: str, *, folder: Path) -> None:
    """Log the report to the newest sweep of the experiment, or to a new run where there is none.

    The descriptions of all its sweeps are updated.
    """
    sweeps = [*runs(client, experiment, f"tags.`{KIND}` = 'sweep'")]
    if sweeps:
        run_id = sweeps[0].info.run_id
    else:
        run_id = start_run(
            client, experiment=experiment, name="report", params={}, tags={KIND: "report"}
        )
        client.set_terminated(run_id, "FINISHED")
    client.log_artifacts(run_id, str(folder), "report")
    for sweep in sweeps:
        describe_sweep(client, sweep.info.run_id)
