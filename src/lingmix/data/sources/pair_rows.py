"""Pairs, one a row:
`{"query", "passage", "query_lang", "passage_lang", "source_id", "domain"?, "negatives"?}`.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from lingmix.data.files import Paths, Row, read_rows
from lingmix.data.items import Item, LanguagePair, Pair, Texts
from lingmix.errors import InputError

FIELDS = (
    "query",
    "passage",
    "query_lang",
    "passage_lang",
    "source_id",
    "domain",
    "negatives",
)
FORM = "pairs, rows of query, passage, query_lang, passage_lang, source_id"


def read_pairs(*, path: Paths) -> Iterator[Item]:
    """Rows of one `source_id` are one item; `negatives`, a list, are in the passage's language.

    Rows that follow each other are yielded together: an item whose rows stand apart comes in parts.
    """
    rows = read_rows(path=path, fields=FIELDS, form=FORM)
    for source, of_item in groupby(rows, key=lambda row: row.identifier("source_id")):
        listed: list[Pair] = []
        domain = None
        for row in of_item:
            found = row.optional_text("domain")
            if domain not in (None, found):
                raise InputError(
                    f"{row.place}: source_id {source!r} is of domain {domain!r} in an earlier row, "
                    f"got {found!r}; an item has one domain"
                )
            domain = found
            listed.append(_pair(row))
        yield item_of_pairs(id=source, domain=domain or "", listed=listed)


def item_of_pairs(*, id: str, domain: str, listed: Sequence[Pair]) -> Item:
    return Item(
        id=id,
        domain=domain,
        queries=_by_language((pair.languages.query, pair.query) for pair in listed),
        passages=_by_language((pair.languages.passage, pair.passage) for pair in listed),
        negatives=_by_language(
            (pair.languages.passage, text) for pair in listed for text in pair.negatives
        ),
        listed=tuple(listed),
    )


def _pair(row: Row) -> Pair:
    return Pair(
        row.text("query"),
        row.text("passage"),
        LanguagePair(row.language("query_lang"), row.language("passage_lang")),
        row.texts("negatives"),
    )


def _by_language(texts: Iterable[tuple[str, str]]) -> Texts:
    """Each text once, in the order of its first row."""
    found: dict[str, dict[str, None]] = {}
    for language, text in texts:
        found.setdefault(language, {})[text] = None
    return {language: tuple(once) for language, once in found.items()}
