"""Items, one a row: `{"id", "domain", "queries", "passages", "negatives"?}`."""

from collections.abc import Iterator

from lingmix.data.files import Paths, Row, read_rows
from lingmix.data.items import Item
from lingmix.errors import InputError

FIELDS = ("id", "domain", "queries", "passages", "negatives")
FORM = "items, rows of id, domain, queries {lang: [text]}, passages {lang: [text]}"


def read_items(*, path: Paths) -> Iterator[Item]:
    """Yields the items in the order of their rows."""
    return map(_item, read_rows(path=path, fields=FIELDS, form=FORM))


def _item(row: Row) -> Item:
    queries, passages = row.texts_by_language("queries"), row.texts_by_language("passages")
    for field, texts in (("queries", queries), ("passages", passages)):
        if not texts:
            raise InputError(f"{row.place}: field {field!r} must hold a text in some language")
    has_negatives = row.values.get("negatives") is not None
    return Item(
        id=row.identifier("id"),
        domain=row.text("domain", may_be_empty=True),
        queries=queries,
        passages=passages,
        negatives=row.texts_by_language("negatives") if has_negatives else {},
    )
