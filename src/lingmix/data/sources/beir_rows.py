"""Queries and passages of a folder in BEIR form and in one language, a row at a time."""

from collections.abc import Iterator
from pathlib import Path

from lingmix.data.sources.beir import corpus_rows, query_rows
from lingmix.data.sources.judgements import Query
from lingmix.data.sources.stored_corpus import Rows, titled_text


def beir_queries(folder: Path, *, language: str, prefix: str) -> Iterator[Query]:
    for row in query_rows(folder):
        yield Query(f"{prefix}{row.identifier('_id')}", row.text("text"), language)


def beir_passages(folder: Path, *, prefix: str) -> Rows:
    for row in corpus_rows(folder):
        yield f"{prefix}{row.identifier('_id')}", titled_text(row)
