"""The settings of an analysis: their types, their ranges, and which may be null."""

from typing import Annotated

from annotated_types import Interval
from pydantic import AfterValidator, Field

from lingmix.cli.schema import Rule, Settings
from lingmix.ranges import NotNegative, Seed

Place = Annotated[str, Field(pattern=r"^[^\x00]+$"), Rule("a path")]
Between = Annotated[float, Interval(gt=0, lt=1)]


class Weights(Settings):
    monolingual: NotNegative
    crosslingual: NotNegative
    multilingual: NotNegative
    language_preference: float
    floor: NotNegative | None


def _refuse_zeros(weights: Weights) -> Weights:
    if not any(value for key, value in weights if key != "floor"):
        raise ValueError
    return weights


class Analysis(Settings):
    folder: Place
    metric: Annotated[str, Field(min_length=1), Rule("the name of a metric, such as map")]
    level: Between
    power: Between
    draws: Annotated[int, Interval(ge=100, le=1_000_000)]
    seed: Seed
    preference: Annotated[
        Weights, AfterValidator(_refuse_zeros), Rule("weights that are not all 0")
    ]
