"""Facts from the Unicode CLDR, as Babel ships it, whose names it has in all eleven languages."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import blake2b
from typing import Literal, NamedTuple

from babel.core import Locale, get_global

from lingmix.data.sources import cldr_relations as codes

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
WITHOUT_LATIN_LETTERS = frozenset({"ar", "el", "hi", "ru", "th", "zh"})
SHARES = 4
"""One of this many equal shares of a relation's facts is held out."""

Slot = Literal["territory", "language", "script", "currency", "place", "zone", "year", "code"]


class Relation(NamedTuple):
    """A kind of fact: what is asked about, and what answers.

    The facts of this relation about things whose digest falls into `held_out_share` are held out;
    relations of one domain about the same things have different shares.
    """

    name: str
    domain: str
    about: Slot
    answer: Slot
    held_out_share: int
    codes: Callable[[], codes.Codes]


class Fact(NamedTuple):
    """`names` are the names of both things, by language and slot."""

    relation: Relation
    about: str
    answer: str
    held_out: bool
    names: dict[str, dict[str, str]]

    @property
    def id(self) -> str:
        return f"{self.relation.name}/{self.about}"


@cache
def all_facts() -> tuple[Fact, ...]:
    """Returns all facts. One is held out only where others, which are trained on, teach the names
    of the thing it is about."""
    facts = [fact for relation in RELATIONS for fact in _facts(relation)]
    taught = {
        thing
        for fact in facts
        if not fact.held_out
        for thing in ((fact.relation.about, fact.about), (fact.relation.answer, fact.answer))
    }
    return tuple(
        fact._replace(held_out=fact.held_out and (fact.relation.about, fact.about) in taught)
        for fact in facts
    )


def digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def _facts(relation: Relation) -> Iterator[Fact]:
    """Yields a relation's facts, but those whose answer has the name of what is asked about:
    Singapore is in Singapore."""
    for about, answer in sorted(relation.codes()):
        names = _names({relation.about: about, relation.answer: answer})
        if names and names["en"][relation.about] != names["en"][relation.answer]:
            share = digest(f"{relation.domain}/{about}") % SHARES
            yield Fact(relation, about, answer, share == relation.held_out_share, names)


def _names(codes: dict[Slot, str]) -> dict[str, dict[str, str]] | None:
    """Returns names by language and slot; None unless every language has a name for each code."""
    by_language: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for language, names in by_language.items():
        for slot, code in codes.items():
            name = _name(slot, code, language)
            if not name:
                return None
            names[slot] = name
    return by_language


@cache
def _name(slot: Slot, code: str, language: str) -> str | None:
    if slot in {"year", "code"}:
        return code
    locale = _locale(language)
    match slot:
        case "territory":
            name = locale.territories.get(code)
        case "language":
            name = locale.languages.get(code)
        case "script":
            name = locale.scripts.get(code)
        case "currency":
            name = locale.currencies.get(code)
        case "place":
            name = _place_name(code, locale)
        case "zone":
            name = locale.meta_zones.get(code, {}).get("long", {}).get("standard")
    borrowed = language in WITHOUT_LATIN_LETTERS and re.search("[A-Za-z]", name or "")
    return None if borrowed else name


@cache
def _locale(language: str) -> Locale:
    return Locale(language)


def _place_name(zone: str, locale: Locale) -> str:
    """Returns the exemplar city, which CLDR has under any id the zone ever had; else the city in
    the id."""
    former = [old for old, new in get_global("zone_aliases").items() if new == zone]
    for alias in (zone, *former):
        if city := locale.time_zones.get(alias, {}).get("city"):
            return city
    return zone.rpartition("/")[2].replace("_", " ")


RELATIONS = (
    Relation(
        "official-language", "geography", "territory", "language", 0, codes.official_languages
    ),
    Relation("main-language", "geography", "territory", "language", 0, codes.main_languages),
    Relation("time-zone", "geography", "territory", "zone", 1, codes.time_zones),
    Relation("clock-place", "geography", "territory", "place", 2, codes.clock_places),
    Relation("place-territory", "geography", "place", "territory", 0, codes.place_territories),
    Relation("place-zone", "geography", "place", "zone", 1, codes.place_zones),
    Relation("language-script", "geography", "language", "script", 0, codes.language_scripts),
    Relation(
        "language-territory", "geography", "language", "territory", 1, codes.language_territories
    ),
    Relation("currency-now", "currency", "territory", "currency", 0, codes.currencies_now),
    Relation("currency-before", "currency", "territory", "currency", 1, codes.currencies_before),
    Relation("currency-since", "currency", "territory", "year", 2, codes.currencies_since),
    Relation("currency-code", "currency", "currency", "code", 0, codes.currency_codes),
)
DOMAINS = tuple(dict.fromkeys(relation.domain for relation in RELATIONS))
