"""Queries without a model, which every study needs beside those of one."""

import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from lingmix.augmentation.drafts import Bench, Draft, Outcome, Rejected
from lingmix.data.sentences import sentences
from lingmix.ranges import Count, Share

NO_TITLE = "has no title, and is one sentence"
ONE_SENTENCE = "is one sentence: nothing would be left of it"
TOO_SHORT = "is too short to crop"


class Titles:
    """The title of a passage is its query; where it came without, its first sentence, which is
    taken off the passage."""

    def __call__(self, drafts: Sequence[Draft], bench: Bench) -> Outcome:
        outcome = Outcome([], [])
        for draft in drafts:
            made = draft
            for language, texts in draft.passages.items():
                first, *rest = sentences(texts[0], language=language)
                if title := draft.titles.get(language):
                    made = made.with_queries(language, [title])
                elif rest:
                    made = made.with_queries(language, [first.strip()])
                    made = _with_passage(made, language, "".join(rest))
                else:
                    outcome.rejected.append(Rejected(draft.id, language, "", NO_TITLE))
            outcome.drafts.append(made)
        return outcome


class InverseCloze:
    """A sentence of a passage is its query, and is taken off the passage in `removed` of the cases
    (arXiv 1906.00300)."""

    def __init__(self, *, removed: Share) -> None:
        self._removed = removed

    def __call__(self, drafts: Sequence[Draft], bench: Bench) -> Outcome:
        outcome = Outcome([], [])
        for draft in drafts:
            made = draft
            for language, texts in draft.passages.items():
                parts = sentences(texts[0].strip(), language=language)
                if len(parts) < 2:
                    outcome.rejected.append(Rejected(draft.id, language, "", ONE_SENTENCE))
                    continue
                random = bench.random("cloze", draft.id, language)
                chosen = random.randrange(len(parts))
                made = made.with_queries(language, [parts[chosen].strip()])
                if random.random() < self._removed:
                    rest = [part for number, part in enumerate(parts) if number != chosen]
                    made = _with_passage(made, language, "".join(rest))
            outcome.drafts.append(made)
        return outcome


class Crops:
    """A random run of words of a passage is its query (arXiv 2112.09118); of a text without spaces,
    a run of characters. `least` and `most` are its shares of the passage."""

    def __init__(self, *, least: Share, most: Share, count: Count) -> None:
        self._least, self._most, self._count = least, most, count

    def __call__(self, drafts: Sequence[Draft], bench: Bench) -> Outcome:
        outcome = Outcome([], [])
        for draft in drafts:
            made = draft
            for language, texts in draft.passages.items():
                words = re.findall(r"\S+\s*", texts[0].strip())
                units = words if len(words) >= 4 else [*texts[0].strip()]
                if len(units) < 4:
                    outcome.rejected.append(Rejected(draft.id, language, "", TOO_SHORT))
                    continue
                random = bench.random("crops", draft.id, language)
                crops = [self._crop(units, random) for _ in range(self._count)]
                made = made.with_queries(language, crops)
            outcome.drafts.append(made)
        return outcome

    def _crop(self, units: Sequence[str], random: Random) -> str:
        share = random.uniform(self._least, self._most)
        length = min(max(2, round(share * len(units))), len(units))
        begin = random.randrange(len(units) - length + 1)
        return "".join(units[begin : begin + length]).strip()


def _with_passage(draft: Draft, language: str, text: str) -> Draft:
    """The first passage of the language is replaced."""
    texts = (text.strip(), *draft.passages[language][1:])
    return replace(draft, passages={**draft.passages, language: texts})
