"""A saved view of MLflow's run table: a sweep's runs, in columns of what differs and what counts.

Its form is that of the UI's own "Views"; an MLflow that has another form shows its usual table.
"""

import json
from collections.abc import Sequence

from mlflow import MlflowClient
from mlflow.entities import Run

from lingmix.evaluation.metric_names import setting_maps
from lingmix.tracking.pages.description import score_of, varying

VIEW = "mlflow.sharedViewState."
MOST_COLUMNS = 24


def save_view(client: MlflowClient, parent: Run, complete: Sequence[Run]) -> str:
    """Under the sweep's name; the page that shows it."""
    info = parent.info
    name = f"sweep-{info.run_id[:12]}"
    score = score_of(complete)
    state = {
        "selectedColumns": _columns(complete, score),
        "searchFilter": f"tags.`mlflow.parentRunId` = '{info.run_id}'",
        "orderByKey": f"metrics.`{score}`" if score else "attributes.start_time",
        "orderByAsc": False,
    }
    view = {"name": info.run_name, "createdAt": info.start_time, "state": json.dumps(state)}
    client.set_experiment_tag(info.experiment_id, f"{VIEW}{name}", json.dumps(view))
    return f"#/experiments/{info.experiment_id}/runs?viewStateShareKey={name}"


def _columns(complete: Sequence[Run], score: str | None) -> list[str]:
    names = {name for run in complete for name in run.data.metrics}
    maps = map(str, setting_maps(names))
    metrics = dict.fromkeys([score, *maps] if score else maps)
    columns = [f"params.`{key}`" for key in varying(complete)]
    return [*columns, *(f"metrics.`{name}`" for name in metrics)][:MOST_COLUMNS]
