"""Filters of queries by their text alone, and by their passage."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from rich.cells import cell_len

from lingmix.augmentation.drafts import Bench, Draft, Outcome, keep_queries, queries_of
from lingmix.data.text import folded
from lingmix.errors import InputError, library_failure
from lingmix.ranges import Count, Share

Reason = tuple[str, str]


class Length:
    """Drops queries of fewer than `least` or more than `most` columns of a terminal, of which a
    Chinese character takes two."""

    def __init__(self, *, least: Count, most: Count) -> None:
        if least > most:
            raise InputError(f"steps.length.least: must be at most `most`, {most}, got {least}")
        self._least, self._most = least, most

    def __call__(self, drafts: Sequence[Draft], bench: Bench) -> Outcome:
        return keep_queries(drafts, self._judge)

    def _judge(self, draft: Draft, language: str, text: str) -> Reason | None:
        length = cell_len(text)
        if length < self._least:
            return "too short", str(length)
        return ("too long", str(length)) if length > self._most else None


def copied_run(query: str, texts: Iterable[str], *, most_share: float) -> str | None:
    """Return a run of more than that share of the query that stands in one of the texts, up to case
    and width, if there is one."""
    query = folded(query)
    size = int(most_share * len(query)) + 1
    runs = [query[begin : begin + size] for begin in range(len(query) - size + 1)]
    return next((run for text in map(folded, texts) for run in runs if run in text), None)


class Copied:
    """Drops queries of which a run of more than `most_share` stands in a passage of their item, up
    to case and width."""

    def __init__(self, *, most_share: Share) -> None:
        self._share = most_share

    def __call__(self, drafts: Sequence[Draft], bench: Bench) -> Outcome:
        return keep_queries(drafts, self._judge)

    def _judge(self, draft: Draft, language: str, text: str) -> Reason | None:
        passages = (one for texts in draft.passages.values() for one in texts)
        if found := copied_run(text, passages, most_share=self._share):
            return "copied from the passage", found
        return None


class Language:
    """Drops queries that are not in their language, as lingua sees it: those for which another of
    the languages in hand is more likely, by more than `margin`. Languages that lingua does not
    know are let pass."""

    def __init__(self, *, margin: Share) -> None:
        self._margin = margin

    def __call__(self, drafts: Sequence[Draft], bench: Bench) -> Outcome:
        here = {language for draft in drafts for language, _ in queries_of(draft)}
        known = {code: self._known[_bare(code)] for code in here if _bare(code) in self._known}
        note = {"unchecked": sorted(here - {*known})}
        detector = self._detector([*known.values()])

        def judge(draft: Draft, language: str, text: str) -> Reason | None:
            if language not in known:
                return None
            best, *_ = found = detector.compute_language_confidence_values(text)
            own = next((one.value for one in found if one.language == known[language]), 0.0)
            if best.value - own <= self._margin:
                return None
            return "in another language", best.language.iso_code_639_1.name.lower()

        return keep_queries(drafts, judge)._replace(note=note)

    @cached_property
    def _lingua(self) -> Any:
        with library_failure("steps.identified: needs `pip install lingmix[augment]`"):
            import lingua  # noqa: PLC0415 - an extra, and 300 MB of models
        return lingua

    @cached_property
    def _known(self) -> dict[str, Any]:
        return {one.iso_code_639_1.name.lower(): one for one in self._lingua.Language.all()}

    def _detector(self, languages: list[Any]) -> Any:
        """Of English and German besides, so that there is something to be mistaken for."""
        among = {*languages, self._known["en"], self._known["de"]}
        ordered = sorted(among, key=lambda one: one.name)
        return self._lingua.LanguageDetectorBuilder.from_languages(*ordered).build()


def _bare(code: str) -> str:
    return code.replace("_", "-").partition("-")[0].lower()
