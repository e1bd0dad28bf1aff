"""A saved view of MLflow's run table: columns and charts of varied params and main scores.

Its form is that of the UI's own "Views"; an MLflow that has another form shows its usual table.
"""

import json
from collections.abc import Sequence

from mlflow import MlflowClient
from mlflow.entities import Run

from lingmix.evaluation.metric_names import setting_maps
from lingmix.tracking.pages.description import selection_metric, varied_params

VIEW = "mlflow.sharedViewState."
MAX_COLUMNS = 24
HEADLINE = "Headline"
"""A section of charts. MLflow has a section for each prefix of a metric's name, in alphabetical
order; the view keeps its own first."""


def save_view(client: MlflowClient, parent: Run, complete: Sequence[Run]) -> str:
    """Save the view under the sweep's name; return the link to its page."""
    info = parent.info
    name = f"sweep-{info.run_id[:12]}"
    score = selection_metric(complete)
    headline = _headline(complete, score)
    columns = [f"params.`{key}`" for key in varied_params(complete)]
    state = {
        "selectedColumns": [*columns, *(f"metrics.`{name}`" for name in headline)][:MAX_COLUMNS],
        "searchFilter": f"tags.`mlflow.parentRunId` = '{info.run_id}'",
        "orderByKey": f"metrics.`{score}`" if score else "attributes.start_time",
        "orderByAsc": False,
        "compareRunSections": [_section()],
        "compareRunCharts": [_chart(metric) for metric in headline],
        "isAccordionReordered": True,
    }
    view = {"name": info.run_name, "createdAt": info.start_time, "state": json.dumps(state)}
    client.set_experiment_tag(info.experiment_id, f"{VIEW}{name}", json.dumps(view))
    return f"#/experiments/{info.experiment_id}/runs?viewStateShareKey={name}"


def _headline(complete: Sequence[Run], score: str | None) -> list[str]:
    """The score to choose by, then the mAP of each evaluation set's settings."""
    maps = map(str, setting_maps({name for run in complete for name in run.data.metrics}))
    return list(dict.fromkeys([score, *maps] if score else maps))


def _section() -> dict[str, object]:
    return {"uuid": HEADLINE, "name": HEADLINE, "display": True, "isReordered": True}


def _chart(metric: str) -> dict[str, object]:
    return {
        "type": "BAR",
        "uuid": metric,
        "metricKey": metric,
        "displayName": _title(metric),
        "metricSectionId": HEADLINE,
        "runsCountToCompare": 10,
        "deleted": False,
        "isGenerated": False,
    }


def _title(metric: str) -> str:
    """The title of a chart, distinctive part first, as MLflow cuts it after some ten letters."""
    maps = setting_maps([metric])
    return f"{maps[0].score.scope} mAP, {maps[0].set}" if maps else metric
