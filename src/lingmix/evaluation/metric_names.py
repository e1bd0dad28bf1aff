"""Builds and parses the names of metrics, and formats their values.

A metric of an evaluation set is `<split>/<set>/<score>`, and a score is one of

- `<setting>/<metric>`, the macro average of a setting: `multilingual/map`;
- `pair/<en-de>/<metric>`, of a language pair;
- `<metric>`, of the whole set: `contrastive_entropy`.

What a training logs while it runs (`train/...`) has no set, and is named where it is computed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from lingmix.data.items import LanguagePair
from lingmix.errors import InputError

TEST, VAL = "test", "val"
DEVELOPMENT = "development"
"""The name of the set whose split is `val`."""

SETTINGS = ("monolingual", "crosslingual", "multilingual")
MAP = "map"
CONTRASTIVE_ENTROPY = "contrastive_entropy"
EXCESS_SHARE = "excess_share"
WITHOUT_RELEVANT = "without_relevant"
RANKED, SKIPPED, UNJUDGED = "ranked", "skipped", "unjudged"
"""Counts of queries, which are named like scores."""

CENTERED = "-centered"
"""What the name of a set ends in whose passage vectors are centered."""

SEARCH_RECALL = "search_recall"
PAIR = "pair"

Range = tuple[float, float]
"""The least and the greatest value that is possible."""

SHARE: Range = (0.0, 1.0)
UNBOUNDED: Range = (-inf, inf)

Compute = TypeVar("Compute", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Measure(Generic[Compute]):
    """A measure: the function that computes it, its label, its format (`digits` after the point,
    `signed` where values are of both signs), which of several values is the best, and the range."""

    compute: Compute
    label: str
    digits: int = 4
    signed: bool = False
    best: Literal["highest", "lowest", "nearest 0"] = "highest"
    range: Range = UNBOUNDED

    def format(self, value: float) -> str:
        """Formats a value as tables show it."""
        return f"{value:{'+' if self.signed else ''}.{self.digits}f}"


Scope = str | LanguagePair | None
"""The setting or the language pair that a score is of; None is the whole set."""


class ScoreName(NamedTuple):
    """The name of a score within an evaluation set; `str` gives its text."""

    metric: str
    scope: Scope = None

    def __str__(self) -> str:
        if self.scope is None:
            return self.metric
        prefix = f"{PAIR}/" if isinstance(self.scope, LanguagePair) else ""
        return f"{prefix}{self.scope}/{self.metric}"

    @property
    def of_each(self) -> str | None:
        """The metric without its language, where each language or pair has one; else None."""
        metric, _, language = self.metric.partition("/")
        return metric if language or isinstance(self.scope, LanguagePair) else None


class MetricName(NamedTuple):
    """The name of a metric that a run records; `str` gives its text."""

    split: str
    set: str
    score: ScoreName

    def __str__(self) -> str:
        return f"{self.split}/{self.set}/{self.score}"


def on_test_set(set_name: str, score: str) -> str:
    """Returns the metric name of a score of an evaluation set."""
    return f"{TEST}/{set_name}/{score}"


def on_development_set(score: str) -> str:
    """Returns the metric name of a score of the development set."""
    return f"{VAL}/{DEVELOPMENT}/{score}"


BEST_SCORE = on_development_set("best")
"""The score on the development set of the best weights, which a run ends with."""


TRAINED_ITEMS = "train/items"
"""The number of items that a run trains on: the base data and the scale's augmentation."""


def answerable(metric: str) -> str:
    """Names the mean of a metric over the queries that have a relevant passage."""
    return f"{metric}_answerable"


def centered(set_name: str) -> str:
    """Names a set whose passage vectors are centered."""
    return f"{set_name}{CENTERED}"


def excess_share_of(language: str) -> str:
    """Names the excess share of a passage language, over all query languages."""
    return f"{EXCESS_SHARE}/{language}"


@cache
def parse_score(text: str) -> ScoreName | None:
    """Returns None for a text that does not name a score of an evaluation set."""
    first, _, rest = text.partition("/")
    if first in SETTINGS and rest:
        return ScoreName(rest, first)
    if first == PAIR:
        pair, _, metric = rest.partition("/")
        try:
            return ScoreName(metric, LanguagePair.parse(pair)) if metric else None
        except InputError:
            return None
    return ScoreName(first) if first and not rest else None


@cache
def parse(text: str) -> MetricName | None:
    """Returns None for a text that does not name a metric of an evaluation set."""
    split, _, rest = text.partition("/")
    set_name, _, score = rest.partition("/")
    found = parse_score(score)
    return MetricName(split, set_name, found) if split in (TEST, VAL) and found else None


def parsed(names: Iterable[str]) -> list[MetricName]:
    """Returns the names that are metrics of evaluation sets, in their order."""
    return [found for name in names if (found := parse(name))]


def setting_maps(names: Iterable[str]) -> list[MetricName]:
    """Returns the mAP of each setting of each evaluation set, sorted: runs are compared by these
    first."""
    return sorted(
        (
            name
            for name in parsed(names)
            if name.split == TEST and name.score.scope in SETTINGS and name.score.metric == MAP
        ),
        key=str,
    )
