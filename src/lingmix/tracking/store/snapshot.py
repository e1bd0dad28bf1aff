"""Searches of one moment, for what reads the same runs several times."""

from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.store.entities import PagedList


def remember_searches(client: MlflowClient) -> None:
    """Let the client search each set of runs once, and answer with the same runs from then on.

    All parts of a report then tell of the same runs, whatever is recorded or deleted meanwhile.
    """
    search, found = client.search_runs, dict[Any, PagedList[Run]]()

    def remembered(experiment_ids: list[str], **how: Any) -> PagedList[Run]:
        key = (*experiment_ids, *how.items())
        if key not in found:
            found[key] = search(experiment_ids, **how)
        return found[key]

    client.search_runs = remembered  # type: ignore[method-assign, assignment]
