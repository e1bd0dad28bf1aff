"""Queries and passages of a folder in BEIR form and in one language, a row at a time."""

from collections.abc import Iterator
from pathlib import Path

from lingmix.data.files import Row, find_file, read_rows
from lingmix.data.sources.beir import CORPUS_FORM, QRELS_FORM, QUERIES_FORM
from lingmix.data.sources.judged import Query
from lingmix.data.sources.stored import Rows, titled_text


def beir_queries(folder: Path, *, language: str, prefix: str) -> Iterator[Query]:
    path = find_file(folder=folder, stem="queries", form=QUERIES_FORM)
    for row in read_rows(path=path, form=QUERIES_FORM):
        yield Query(f"{prefix}{row.identifier('_id')}", row.text("text"), language)


def beir_passages(folder: Path, *, prefix: str) -> Rows:
    path = find_file(folder=folder, stem="corpus", form=CORPUS_FORM)
    for row in read_rows(path=path, form=CORPUS_FORM):
        yield f"{prefix}{row.identifier('_id')}", titled_text(row)


def beir_judgements(folder: Path, *, split: str) -> Iterator[Row]:
    path = find_file(folder=folder / "qrels", stem=split, form=QRELS_FORM)
    return read_rows(path=path, form=QRELS_FORM)
