"""The settings of training data."""

from typing import Annotated

from annotated_types import Interval, MinLen

from lingmix.cli.networks import Text
from lingmix.cli.schema import Node, Rule, Settings
from lingmix.ranges import CountOrZero, Seed


class Data(Settings):
    sets: dict[str, Node]
    train: (
        Annotated[list[Node], MinLen(1), Rule("a list of sources, each with its _target_")] | None
    )
    development: Node | None
    development_score: Text
    expand_pairs: bool
    negatives: CountOrZero
    near_duplicates: Annotated[float, Interval(gt=0, le=1)] | None
    allow_overlap: list[str]
    licences: dict[str, Text]
    excluded_licences: list[Text]


class Augmentation(Settings):
    domain: Text | None
    scale: CountOrZero | None
    seed: Seed
