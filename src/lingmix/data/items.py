"""What is trained on: one piece of content in several languages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from lingmix.data.languages import split_pair

Texts = Mapping[str, tuple[str, ...]]
"""Texts by language."""


class LanguagePair(NamedTuple):
    """Query language, then passage language; written `en-de`, or `zh-Hans-pt-BR`."""

    query: str
    passage: str

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(*split_pair(text))

    @property
    def monolingual(self) -> bool:
        return self.query == self.passage

    def __str__(self) -> str:
        return f"{self.query}-{self.passage}"


class Pair(NamedTuple):
    """A query and a passage that answers it; `negatives` are passages that do not."""

    query: str
    passage: str
    languages: LanguagePair
    negatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of content; its texts are translations, so never each other's negatives.

    `listed` holds the pairs as their file lists them; None stands for every combination of a
    query and a passage.
    """

    id: str
    domain: str
    queries: Texts
    passages: Texts
    negatives: Texts = field(default_factory=dict)
    listed: tuple[Pair, ...] | None = None
