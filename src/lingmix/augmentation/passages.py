"""Passages in every form that is read, as drafts; queries that come with them are withheld."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from lingmix.augmentation.drafts import Draft
from lingmix.data.files import Paths, Row, read_rows
from lingmix.data.items import Item, Texts
from lingmix.data.sources.item_rows import read_items
from lingmix.data.sources.pair_rows import read_pairs
from lingmix.errors import InputError

FIELDS = ("_id", "id", "text", "title", "lang", "source_id", "domain")
FORM = "passages, rows of _id, text, lang, title?, source_id?, domain?"


def passages_of_items(*, path: Paths) -> Iterator[Draft]:
    """Yield those of items, without their queries."""
    return _drafts(read_items, path)


def passages_of_pairs(*, path: Paths) -> Iterator[Draft]:
    """Yield those of pairs, without their queries; rows of one `source_id` are one draft."""
    return _drafts(read_pairs, path)


def passages_of_rows(*, path: Paths, language: str | None) -> Iterator[Draft]:
    """Yield a draft for each row, the form of BEIR's `corpus.jsonl`; rows of one `source_id` are
    translations of each other and one draft. `language` is that of rows without `lang`.
    """
    for row in read_rows(path=path, fields=FIELDS, form=FORM):
        of = _language(row, language)
        id = row.identifier("_id" if row.values.get("_id") is not None else "id")
        yield Draft(
            id=row.identifier("source_id") if row.values.get("source_id") is not None else id,
            domain=row.optional_text("domain"),
            source=row.place,
            passages={of: (row.text("text"),)},
            titles={of: title} if (title := row.optional_text("title").strip()) else {},
        )


def gathered(
    drafts: Iterable[Draft], *, languages: Iterable[str] | None, domain: str | None
) -> list[Draft]:
    """Return drafts in the order of their first rows, those of one id as one.

    `languages` None stands for all; a `domain` replaces that of every draft. Raises InputError
    where nothing is left.
    """
    wanted = None if languages is None else {*languages}
    found: dict[str, Draft] = {}
    seen: set[str] = set()
    for draft in drafts:
        seen |= {*draft.passages}
        passages = {
            language: texts
            for language, texts in draft.passages.items()
            if wanted is None or language in wanted
        }
        if passages:
            before = found.get(draft.id, replace(draft, passages={}, titles={}))
            found[draft.id] = replace(
                before,
                domain=before.domain if domain is None else domain,
                passages=_joined(before.passages, passages),
                titles={**draft.titles, **before.titles},
            )
    if not found:
        raise InputError(
            f"languages: no passage is in {', '.join(sorted(wanted or ()))}; there are "
            f"{', '.join(sorted(seen)) or 'no passages'}"
        )
    return [*found.values()]


def _drafts(read: Callable[..., Iterable[Item]], path: Paths) -> Iterator[Draft]:
    for one in [path] if isinstance(path, str | Path) else path:
        for item in read(path=one):
            yield Draft(item.id, item.domain, str(one), item.passages)


def _joined(before: Texts, further: Texts) -> Texts:
    return {**before} | {
        language: tuple(dict.fromkeys((*before.get(language, ()), *texts)))
        for language, texts in further.items()
    }


def _language(row: Row, language: str | None) -> str:
    if row.values.get("lang") is not None:
        return row.language("lang")
    if language is None:
        raise InputError(
            f"{row.place}: field 'lang' is missing; add it to each row, or name the one language "
            "of all that have none, such as passages.language=en"
        )
    return language
