"""BEIR's own sets, as the zip archives that its authors publish."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from lingmix.data.archive import unzipped
from lingmix.data.download import fetch
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.sources.beir import beir_judgements, beir_queries, corpus_rows, read_beir
from lingmix.data.sources.judgements import Query, judged_set
from lingmix.data.sources.stored_corpus import Rows, stored_passages, titled_text


def fetch_beir(
    *,
    name: str,
    url: str,
    checksum: str,
    folder: str,
    split: str,
    language: str,
    ignore_own: bool,
    on_disk: bool,
    download_dir: str | Path,
) -> EvaluationSet:
    """The set in `folder` of the archive; `on_disk` where its corpus is too large for memory.

    BEIR's evaluator leaves a passage that has a query's id out of that query's hits; it matters
    where the query is a passage of the corpus (`ignore_own`).
    """
    archive = Path(download_dir) / "beir" / url.rpartition("/")[2]
    place = unzipped(fetch(url, path=archive, checksum=checksum)) / folder
    if on_disk:
        one = _read_on_disk(name=name, folder=place, split=split, language=language)
    else:
        one = read_beir(
            name=name, folder=place, split=split, language=language, other_languages_only=False
        )
    return _ignoring_own(one) if ignore_own else one


def _ignoring_own(one: EvaluationSet) -> EvaluationSet:
    """Without judgements of queries' own passages."""
    judged = zip(one.query_J.tolist(), one.passage_J.tolist(), strict=True)
    kept_J = np.array([one.query_ids[q] != one.passage_ids[p] for q, p in judged])
    return replace(
        one,
        query_J=one.query_J[kept_J],
        passage_J=one.passage_J[kept_J],
        grade_J=one.grade_J[kept_J],
        ignore_own=True,
    )


def _read_on_disk(*, name: str, folder: Path, split: str, language: str) -> EvaluationSet:
    queries = beir_queries(folder, language=language, key=f"evaluation.{name}")
    return judged_set(
        name=name,
        queries=[Query(id, text.text, text.language) for id, text in queries.items()],
        passages=stored_passages({folder / "corpus.arrow": (language, partial(_corpus, folder))}),
        judgements=list(beir_judgements(folder, split=split)),
    )


def _corpus(folder: Path) -> Rows:
    for row in corpus_rows(folder):
        yield row.identifier("_id"), titled_text(row)
