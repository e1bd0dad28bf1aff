"""Any dataset of the Hugging Face Hub whose rows have a query and a passage, by their columns."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from lingmix.data.download import hub_file
from lingmix.data.files import Row, read_rows
from lingmix.data.items import Item, LanguagePair, Pair
from lingmix.data.sources.pair_rows import item_of_pairs
from lingmix.errors import InputError


def read_hub_columns(
    *,
    repo: str,
    revision: str,
    files: Mapping[str, Sequence[str]],
    query: str,
    passage: str,
    title: str | None,
    id: str | None,
    domain: str,
    most: int | None = None,
) -> Iterator[Item]:
    """Makes an item of each row, of the first `most` of a language pair. `files` are by language
    pair (`de-en`), or by language where a query and its passage have the same. `query`, `passage`,
    `title` and `id` are columns; a title is put before its passage, and without ids rows are
    numbered."""
    named = [name for name in (query, passage, title, id) if name]
    form = f"rows with the columns {', '.join(named)}"
    for languages, paths in files.items():
        pair = _pair(languages)
        places = (hub_file(path, repo=repo, revision=revision) for path in paths)
        rows = (row for place in places for row in read_rows(path=place, fields=named, form=form))
        for number, row in enumerate(islice(rows, most), 1):
            own = row.identifier(id) if id else str(number)
            listed = Pair(row.text(query), _passage(row, passage, title), pair)
            yield item_of_pairs(id=f"{languages}:{own}", domain=domain, listed=[listed])


def _pair(languages: str) -> LanguagePair:
    with suppress(InputError):
        return LanguagePair.parse(languages)
    return LanguagePair(languages, languages)


def _passage(row: Row, passage: str, title: str | None) -> str:
    text = row.text(passage)
    return f"{row.optional_text(title)} {text}".strip() if title else text
