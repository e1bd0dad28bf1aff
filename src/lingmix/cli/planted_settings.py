"""The settings of planted truth: their types and ranges."""

from typing import Annotated

from annotated_types import Interval, MinLen

from lingmix.cli.schema import Rule, Settings
from lingmix.ranges import Count, NotNegative, Positive, Seed, Share


class Law(Settings):
    ceiling: Share
    best: Share
    bend: NotNegative
    drop: NotNegative
    tilt: NotNegative
    exponent: Positive


class Noise(Settings):
    """Null stands for what recorded runs have, as in `Design`."""

    seed: NotNegative | None
    seed_in_cell: NotNegative | None
    question: NotNegative | None
    question_by_alpha: NotNegative | None
    question_by_size: NotNegative | None
    question_in_cell: NotNegative | None
    rest: NotNegative | None


class Design(Settings):
    alphas: Annotated[list[Share], MinLen(1), Rule("a list of alphas in [0, 1]")] | None
    scales: Annotated[list[NotNegative], MinLen(2), Rule("a list of two scales or more")] | None
    unseen: Positive | None
    base: Positive | None
    seeds: Count | None
    questions: Annotated[int, Interval(ge=2, le=1_000_000)] | None


class Batches(Settings):
    sizes: Annotated[list[Positive], MinLen(2), Rule("a list of two batch sizes or more")]
    turn: Positive
    spread: Positive


class Planted(Settings):
    studies: Count
    draws: Annotated[int, Interval(ge=100, le=1_000_000)]
    seed: Seed
    design: Design
    law: Law
    noise: Noise
    batches: Batches
