"""Pairs, one a row:
`{"query", "passage", "query_lang", "passage_lang", "source_id", "domain"?, "negatives"?}`.
"""

from collections.abc import Iterable, Sequence

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


def read_pairs(*, path: Paths) -> list[Item]:
    """Rows of one `source_id` are one item; `negatives`, a list, are in the passage's language."""
    listed: dict[str, list[Pair]] = {}
    domains: dict[str, str] = {}
    for row in read_rows(path=path, fields=FIELDS, form=FORM):
        source, domain = row.identifier("source_id"), row.optional_text("domain")
        if domains.setdefault(source, domain) != domain:
            raise InputError(
                f"{row.place}: source_id {source!r} is of domain {domains[source]!r} in an "
                f"earlier row, got {domain!r}; an item has one domain"
            )
        listed.setdefault(source, []).append(_pair(row))
    return [
        item_of_pairs(id=source, domain=domains[source], listed=pairs)
        for source, pairs in listed.items()
    ]


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
