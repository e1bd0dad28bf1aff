"""The settings of what is recorded, and where."""

import re
from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import AfterValidator

from lingmix.cli.networks import Text
from lingmix.cli.schema import Rule, Settings
from lingmix.ranges import NotNegative, Positive


def _refuse_in_memory(uri: str) -> str:
    if re.fullmatch(r"sqlite[^/]*:/{0,3}(file:)?(:memory:)?(\?.*)?", uri):
        raise ValueError(uri)  # the records would be lost with the process
    return uri


Store = Annotated[
    str,
    MinLen(1),
    AfterValidator(_refuse_in_memory),
    Rule("the URI of an MLflow store, such as http://host:5000 or sqlite:////folder/mlflow.db"),
]


PairMetrics = Annotated[
    Literal["all"] | list[Text], Rule("all, or a list of metrics such as [map, excess_share]")
]


class PairMetricsOfSplits(Settings):
    test: PairMetrics
    val: PairMetrics


class Tracking(Settings):
    uri: Store
    wait: NotNegative
    system_metrics: Positive | None
    pair_metrics: PairMetricsOfSplits
    code: Text | None
    versions: dict[str, Text] | None
    parent: Text | None
    label: list[str]
    pruning: dict[str, Any] | None


class TrackingOfRuns(Tracking):
    """A null URI means the store that each run was started with."""

    uri: Store | None  # type: ignore[assignment]
