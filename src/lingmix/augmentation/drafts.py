"""Drafts: what the steps of an augmentation hand on, passages that get queries."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

from lingmix.augmentation.requests import Answers
from lingmix.data.items import Texts
from lingmix.errors import InputError

if TYPE_CHECKING:  # they import torch, or this module
    from lingmix.augmentation.translators import Translator
    from lingmix.data.tokens import Role
    from lingmix.search.vectors import Vectors

T = TypeVar("T")

Side = Literal["queries", "passages"]


@dataclass(frozen=True, slots=True)
class Draft:
    """An item in the making: passages that are translations of each other, and queries so far.

    `source` is the place of its first row; `steps` say what was done to it, with which version,
    model, prompt and seed. `titles` has those that came with the passages.
    """

    id: str
    domain: str
    source: str
    passages: Texts
    titles: Mapping[str, str] = field(default_factory=dict)
    queries: Texts = field(default_factory=dict)
    steps: tuple[Mapping[str, Any], ...] = ()

    def with_queries(self, language: str, texts: Sequence[str]) -> "Draft":
        """Return the draft with further queries, each once."""
        together = dict.fromkeys((*self.queries.get(language, ()), *texts))
        return replace(self, queries={**self.queries, language: tuple(together)})

    def row(self) -> dict[str, Any]:
        """Return the item as a row that `read_items` reads."""
        return {
            "id": self.id,
            "domain": self.domain,
            "queries": self.queries,
            "passages": self.passages,
            "provenance": {"source": self.source, "steps": self.steps},
        }


class Rejected(NamedTuple):
    """A text that was dropped, or that could not be made and is then empty, and why.

    `reason` is counted in the report; `detail` is of this text alone.
    """

    id: str
    language: str
    text: str
    reason: str
    detail: str = ""


class Outcome(NamedTuple):
    """What a step makes of the drafts, in their order; `note` is for the provenance of each draft
    that it changed or let pass."""

    drafts: list[Draft]
    rejected: list[Rejected]
    note: Mapping[str, Any] = {}


class Bench(NamedTuple):
    """What steps work with: all passages there are, a model's answers, an encoder's vectors."""

    corpus: Sequence[Draft]
    answers: Answers | None
    translate: "Translator | None"
    encode: "Callable[[Sequence[str], Role], Vectors] | None"
    seed: int

    def random(self, *parts: str) -> Random:
        """Return a generator that depends on the seed and the parts alone."""
        digest = blake2b("\0".join([str(self.seed), *parts]).encode(), digest_size=8).digest()
        return Random(int.from_bytes(digest))  # noqa: S311 - no secret


class Step(Protocol):
    """A step of an augmentation. What it does to a draft depends on that draft, on those before it
    and on the corpus alone, so that a larger scale begins with the items of a smaller one."""

    def __call__(self, drafts: Sequence[Draft], bench: Bench) -> Outcome: ...


def required(tool: T | None, key: str, what: str) -> T:
    """Return what a step needs of the bench; raise InputError where it is not there."""
    if tool is None:
        raise InputError(f"{key}: the steps need {what}, got null")
    return tool


def keep_queries(
    drafts: Sequence[Draft], judge: Callable[[Draft, str, str], tuple[str, str] | None]
) -> Outcome:
    """Drop the queries for which `judge`, given draft, language and text, has a reason and its
    detail."""
    kept, rejected = [], []
    for draft in drafts:
        queries: dict[str, tuple[str, ...]] = {}
        for language, text in queries_of(draft):
            if reason := judge(draft, language, text):
                rejected.append(Rejected(draft.id, language, text, *reason))
            else:
                queries[language] = (*queries.get(language, ()), text)
        kept.append(replace(draft, queries=queries))
    return Outcome(kept, rejected)


def queries_of(draft: Draft) -> Iterator[tuple[str, str]]:
    """Yield the language and the text of each query."""
    for language, texts in draft.queries.items():
        for text in texts:
            yield language, text
