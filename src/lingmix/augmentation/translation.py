"""Translation of queries and passages into the languages of a study."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from lingmix.augmentation.drafts import Bench, Draft, Outcome, Rejected, Side, required
from lingmix.data.items import Texts


class _Asked(NamedTuple):
    draft: int
    side: Side
    language: str
    source: str
    text: str


class Translate:
    """Translates the queries, the passages or both of each draft into those of `languages` that it
    lacks, from `source`, or where it has nothing in that from its first language."""

    def __init__(self, *, languages: list[str], sides: list[Side], source: str) -> None:
        self._languages, self._sides, self._source = languages, sides, source

    def __call__(self, drafts: Sequence[Draft], bench: Bench) -> Outcome:
        translator = required(bench.translate, "translator", "a translator: translator=nllb")
        asked = [one for number, draft in enumerate(drafts) for one in self._lacking(number, draft)]
        made, rejected = [*drafts], []
        found = translator([(one.text, one.source, one.language) for one in asked])
        for one, answer in zip(asked, found, strict=True):
            draft = made[one.draft]
            if answer.failure:
                rejected.append(
                    Rejected(draft.id, one.language, one.text, "not translated", answer.failure)
                )
            else:
                made[one.draft] = _with_text(draft, one.side, one.language, answer.text)
        return Outcome(made, rejected, {"model": translator.name})

    def _lacking(self, number: int, draft: Draft) -> list[_Asked]:
        asked = []
        for side in self._sides:
            texts: Texts = getattr(draft, side)
            source = self._source if texts.get(self._source) else next(iter(texts), "")
            asked += [
                _Asked(number, side, language, source, text)
                for language in self._languages
                if not texts.get(language)
                for text in texts.get(source, ())
            ]
        return asked


def _with_text(draft: Draft, side: Side, language: str, text: str) -> Draft:
    if side == "queries":
        return draft.with_queries(language, [text])
    texts = (*draft.passages.get(language, ()), text)
    passages: Mapping[str, tuple[str, ...]] = {**draft.passages, language: texts}
    return replace(draft, passages=passages)
