"""Leaks of every kind, planted among training items: how many an audit finds, and what else."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import Item
from lingmix.leakage.overlap import Overlap

NOISE = 0.1
"""Of the characters of a noisy copy, that are others."""

WIDE = {ord(" "): 0x3000, **{point: point + 0xFEE0 for point in range(0x21, 0x7F)}}
"""Latin letters as full-width forms."""

Change = Callable[[str, np.random.Generator], str]


def _punctuated(text: str, _: np.random.Generator) -> str:
    return f"«{text.upper().replace(' ', ', ', 1)}»…"


def _in_another_unicode_form(text: str, _: np.random.Generator) -> str:
    return text.translate(WIDE) + "\u200b"


def noisy(text: str, random: np.random.Generator) -> str:
    """A tenth of the characters replaced by others of the text."""
    letters = np.array([*text])
    places = random.choice(len(letters), size=round(NOISE * len(letters)), replace=False)
    letters[places] = random.choice(letters, size=len(places))
    return "".join(letters)


CHANGES: dict[str, Change] = {
    "exact": lambda text, _: text,
    "case and punctuation": _punctuated,
    "Unicode form": _in_another_unicode_form,
    "10% of the characters": noisy,
    "translation": lambda _, random: "".join(random.choice([*"abcdefghij klmn"], size=60)),
}


class Planted(NamedTuple):
    """Items with leaks, and the kind of each by the item's id."""

    items: list[Item]
    kinds: dict[str, str]


def plant(one: EvaluationSet, *, count: int, seed: int) -> Planted:
    """`count` copies of queries of `one`, as many of each kind. That of a translation is in another
    language, and has nothing in common with the query but the id."""
    random = np.random.Generator(np.random.Philox(seed))
    questions = {id.partition(":")[2]: place for place, id in enumerate(one.query_ids)}
    places = random.choice([*questions.values()], size=count, replace=False).tolist()
    items, kinds = [], {}
    for place, kind in zip(places, [*CHANGES] * (count // len(CHANGES)), strict=True):
        own = one.query_languages[place]
        translated = kind == "translation"
        id = one.query_ids[place].partition(":")[2] if translated else f"planted-{place}"
        text = CHANGES[kind](one.queries[place], random)
        language = "xx" if translated else own
        passage = "".join(random.choice([*"opqrstuvwxyz "], size=80))
        items.append(Item(id, "", {language: (text,)}, {language: (passage,)}))
        kinds[id] = kind
    return Planted(items, kinds)


class Found(NamedTuple):
    """The share of planted leaks found, by kind, and the false alarms: training texts that are said
    to be evaluation texts and were not planted."""

    shares: dict[str, float]
    false_alarms: int


def found_of(planted: Planted, overlaps: Sequence[Overlap]) -> Found:
    """Judges an audit by what was planted."""
    reported = {one.item_id for one in overlaps if one.is_leak}
    kinds = [*planted.kinds.values()]
    shares = {
        kind: sum(planted.kinds[id] == kind for id in reported & planted.kinds.keys())
        / kinds.count(kind)
        for kind in CHANGES
    }
    others = {(one.item_id, one.field) for one in overlaps if one.item_id not in planted.kinds}
    return Found(shares, len(others))
