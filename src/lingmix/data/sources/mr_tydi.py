"""Mr. TyDi as its authors publish it for training: a query a row with its passages."""

from collections.abc import Iterator, Mapping
from typing import Any

from lingmix.data.download import hub_file
from lingmix.data.files import Row, read_rows
from lingmix.data.items import Item
from lingmix.data.sources.stored_corpus import titled_text
from lingmix.errors import InputError

FIELDS = ("query_id", "query", "positive_passages", "negative_passages")
FORM = "Mr. TyDi, rows of query_id, query, positive_passages and negative_passages"


def read_mr_tydi(
    *, repo: str, revision: str, languages: Mapping[str, str], negatives: int
) -> Iterator[Item]:
    """Makes an item of each query with all its passages, and the first `negatives` of those that
    BM25 found and that are not relevant. `languages` says what each is called there."""
    for language, name in languages.items():
        place = hub_file(f"mrtydi-v1.1-{name}/train.jsonl.gz", repo=repo, revision=revision)
        for row in read_rows(path=place, fields=FIELDS, form=FORM):
            wrong = _passages(row, "negative_passages")[:negatives]
            yield Item(
                id=f"mr_tydi:{language}:{row.identifier('query_id')}",
                domain="wikipedia",
                queries={language: (row.text("query"),)},
                passages={language: _passages(row, "positive_passages")},
                negatives={language: wrong} if wrong else {},
            )


def _passages(row: Row, field: str) -> tuple[str, ...]:
    found: Any = row.values.get(field)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise InputError(
            f"{row.place}: field {field!r} must be a list of passages; expected {FORM}"
        )
    return tuple(titled_text(Row(row.place, one)) for one in found)
