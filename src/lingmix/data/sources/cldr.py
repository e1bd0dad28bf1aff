"""Questions and statements in eleven languages, made from the Unicode CLDR that Babel ships.

A fact becomes an item with one query and one passage in each language, phrased as in
`cldr_phrases.toml`. The facts do not depend on the languages asked for; "now" is the date of the
CLDR release.
"""

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import numpy as np

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import Item
from lingmix.data.sources.cldr_facts import DOMAINS, LANGUAGES, Fact, all_facts, digest
from lingmix.errors import InputError

Role = Literal["queries", "passages"]
Split = Literal["development", "test"]
DEVELOPMENT_OUT_OF = 4
"""One of this many held-out facts is for development."""


def read_cldr(*, languages: Sequence[str], domains: Sequence[str]) -> list[Item]:
    """Makes items of the facts to train on."""
    return [
        Item(
            id=fact.id,
            domain=fact.relation.domain,
            queries={language: (_text(fact, language, "queries"),) for language in languages},
            passages={language: (_text(fact, language, "passages"),) for language in languages},
        )
        for fact in _facts(languages, domains)
        if not fact.held_out
    ]


def cldr_evaluation_set(
    *, name: str, languages: Sequence[str], domains: Sequence[str], split: Split
) -> EvaluationSet:
    """Makes a split of the held-out facts; relevant to a query are the passages of its fact, one in
    each language."""
    if split not in get_args(Split):
        raise InputError(f"data=cldr: split must be development or test, got {split!r}")
    facts = [fact for fact in _facts(languages, domains) if fact.held_out and _split(fact) == split]
    cells = [(fact, language) for fact in facts for language in languages]
    ids = tuple(f"{language}:{fact.id}" for fact, language in cells)
    fact_languages = tuple(language for _, language in cells)
    positions_NX = np.arange(len(cells), dtype=np.int32).reshape(len(facts), len(languages))
    query_J = np.repeat(positions_NX.ravel(), len(languages))
    return EvaluationSet(
        name=name,
        query_ids=ids,
        queries=tuple(_text(fact, language, "queries") for fact, language in cells),
        query_languages=fact_languages,
        passage_ids=ids,
        passages=tuple(_text(fact, language, "passages") for fact, language in cells),
        passage_languages=fact_languages,
        query_J=query_J,
        passage_J=np.repeat(positions_NX, len(languages), axis=0).ravel(),
        grade_J=np.ones_like(query_J),
    )


def _split(fact: Fact) -> Split:
    return "test" if digest(f"{fact.id} split") % DEVELOPMENT_OUT_OF else "development"


def _facts(languages: Sequence[str], domains: Sequence[str]) -> list[Fact]:
    for what, asked, known in (("language", languages, LANGUAGES), ("domain", domains, DOMAINS)):
        for one in asked:
            if one not in known:
                raise InputError(
                    f"data=cldr: {what} {one!r} is not among those it has: {', '.join(known)}; "
                    "choose from these"
                )
    return [fact for fact in all_facts() if fact.relation.domain in domains]


def _text(fact: Fact, language: str, role: Role) -> str:
    phrasings = _phrasings()[language][fact.relation.name][role]
    pick = digest(f"{fact.id} {language} {role}") % len(phrasings)
    return phrasings[pick].format_map(fact.names[language])


@cache
def _phrasings() -> dict[str, dict[str, dict[Role, list[str]]]]:
    return tomllib.loads(files(__package__).joinpath("cldr_phrases.toml").read_text("utf-8"))
