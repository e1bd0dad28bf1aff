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
    """Fetches the archive and reads the set in its `folder`; with `on_disk` the corpus stays there.

    With `ignore_own`, a passage that has the id of a query is left out of that query's hits, as
    BEIR's evaluator does; it matters where the query is a passage of the corpus.
    """
    archive = Path(download_dir) / "beir" / url.rpartition("/")[2]
    place = unzipped(fetch(url, path=archive, checksum=checksum)) / folder
    if on_disk:
        found = _read_on_disk(name=name, folder=place, split=split, language=language)
    else:
        found = read_beir(
            name=name, folder=place, split=split, language=language, other_languages_only=False
        )
    return _without_self_matches(found) if ignore_own else found


def _without_self_matches(found: EvaluationSet) -> EvaluationSet:
    """Removes judgements of a passage that has the query's id."""
    judged = zip(found.query_J.tolist(), found.passage_J.tolist(), strict=True)
    kept_J = np.array([found.query_ids[q] != found.passage_ids[p] for q, p in judged])
    return replace(
        found,
        query_J=found.query_J[kept_J],
        passage_J=found.passage_J[kept_J],
        grade_J=found.grade_J[kept_J],
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
