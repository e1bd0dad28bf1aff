"""Rows of a text file without a header, as TREC and MS MARCO publish them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lingmix.data.files import Row
from lingmix.data.text_lines import lines, require_file
from lingmix.errors import InputError

TOPICS = ("id", "text")
JUDGEMENTS = ("query", "iteration", "passage", "grade")
TOPICS_FORM = "queries, a line each: id, tab, text"
JUDGEMENTS_FORM = "TREC judgements, a line each: query, iteration, passage, grade"


def read_columns(
    *, path: Path, fields: Sequence[str], separator: str | None, form: str
) -> Iterator[Row]:
    """Yields the fields of each line; without a `separator`, any blanks and tabs separate them. The
    last field extends to the end of the line.
    """
    path = require_file(path, form=form)
    for number, line in lines(path, form=form):
        cells = line.split(separator, len(fields) - 1)
        if len(cells) != len(fields):
            raise InputError(
                f"{path}:{number}: {len(cells)} fields ({line!r:.60}); expected {form}"
            )
        yield Row(f"{path}:{number}", dict(zip(fields, cells, strict=True)))


def read_topics(path: Path) -> Iterator[Row]:
    return read_columns(path=path, fields=TOPICS, separator="\t", form=TOPICS_FORM)


def read_judgements(path: Path) -> Iterator[Row]:
    return read_columns(path=path, fields=JUDGEMENTS, separator=None, form=JUDGEMENTS_FORM)
