"""Writes run and qrels files whose trec_eval scores are those of the evaluator."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.errors import InputError
from lingmix.evaluation.judged import judged_rankings
from lingmix.evaluation.pools import (
    CHUNK_SCORES,
    Pool,
    PoolScorer,
    Positions,
    Scorer,
    blocks,
    pools,
)
from lingmix.evaluation.result_lists import best_columns
from lingmix.evaluation.self_matches import MASKED, scored
from lingmix.search.exact import Hits, concatenate_hits


def write_trec(
    evaluation_set: EvaluationSet, scorer: Scorer, *, depth: int | None, folder: Path
) -> list[Path]:
    """Writes `monolingual`, `multilingual` and `crosslingual-<passage language>`, each .run and
    .qrels: a file has one ranking a query, so each cross-lingual corpus has its files.

    Raises InputError where an id is empty or has a blank.
    """
    _refuse_blanks(evaluation_set)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as unfinished:
        for name, frame in _qrels(evaluation_set):
            _append(Path(unfinished, f"{name}.qrels"), frame)
        for name, frame in _runs(evaluation_set, scorer, depth=depth):
            _append(Path(unfinished, f"{name}.run"), frame.with_columns(tag=pl.lit("lingmix")))
        written = []
        for path in sorted(Path(unfinished).iterdir()):
            written.append(folder / path.name)
            path.replace(written[-1])
    return written


def _append(path: Path, frame: pl.DataFrame) -> None:
    if len(frame):
        with path.open("ab") as file:
            frame.write_csv(file, include_header=False, separator=" ", quote_style="never")


def _refuse_blanks(evaluation_set: EvaluationSet) -> None:
    for id in (*evaluation_set.query_ids, *evaluation_set.passage_ids):
        if len(id.split()) != 1 or id != id.strip():
            raise InputError(
                f"evaluation set {evaluation_set.name}: id {id!r} is empty or holds a blank, which "
                "TREC files cannot carry: rename it, or write no run files"
            )


def _qrels(evaluation_set: EvaluationSet) -> Iterator[tuple[str, pl.DataFrame]]:
    query_J, passage_J = (
        judged.astype(np.int64) for judged in (evaluation_set.query_J, evaluation_set.passage_J)
    )
    judged = pl.DataFrame(
        {
            "query": pl.Series(evaluation_set.query_ids).gather(query_J),
            "zero": np.zeros(len(query_J), dtype=np.int32),
            "passage": _ids(evaluation_set, passage_J),
            "grade": evaluation_set.grade_J,
        }
    )
    query_language = pl.Series(evaluation_set.query_languages).gather(query_J)
    language = pl.Series(evaluation_set.passage_languages).gather(passage_J)
    rankings = judged_rankings(evaluation_set).filter(setting="multilingual")
    pooled = pl.Series(query_J).is_in(rankings["query"].implode())
    if evaluation_set.other_languages_only:
        yield "multilingual", judged.filter(pooled & (query_language != language))
    else:
        yield "multilingual", judged.filter(pooled)
        yield "monolingual", judged.filter(query_language == language)
    for name in sorted(set(evaluation_set.passage_languages)):
        other_queries = (query_language != language) & (language == name)
        yield f"crosslingual-{name}", judged.filter(other_queries)


def _runs(
    evaluation_set: EvaluationSet, scorer: Scorer, *, depth: int | None
) -> Iterator[tuple[str, pl.DataFrame]]:
    languages = np.asarray(evaluation_set.query_languages)
    for pool in pools(evaluation_set):
        over = scored(scorer, pool, evaluation_set)
        size = max(1, CHUNK_SCORES // over.width)
        for begin in range(0, len(pool.queries), size):
            queries = pool.queries[begin : begin + size]
            corpora = _best(pool, over, queries, depth or len(pool.passages_P))
            pooled = concatenate_hits(*corpora).best(depth or len(pool.passages_P))
            yield "multilingual", _run(evaluation_set, queries, pooled)
            for language, hits in zip(pool.languages, corpora, strict=True):
                same = languages[queries] == language
                for name, chosen in (("monolingual", same), (f"crosslingual-{language}", ~same)):
                    yield name, _run(evaluation_set, queries[chosen], hits.select(chosen))


def _best(pool: Pool, over: PoolScorer, queries: Positions, depth: int) -> list[Hits]:
    """Returns the best hits in each language's corpus, passages by their rank among equal scores
    (`Pool.tie_P`)."""
    best = [Hits.empty(len(queries), 0) for _ in pool.languages]
    for columns in blocks(pool, over.width):
        scores_CB = over.scores(queries, np.arange(columns.start, columns.stop))
        for language, segment in pool.segments(columns):
            tie_S = pool.tie_P[columns][segment]
            order_S = np.argsort(tie_S)
            scores_CS = np.ascontiguousarray(scores_CB[:, segment][:, order_S])
            column_CK = best_columns(scores_CS, min(depth, len(tie_S)))
            score_CK = np.take_along_axis(scores_CS, column_CK, axis=1)
            further = Hits(tie_S[order_S][column_CK], score_CK)
            known = best[language].passage_QK.shape[1]
            best[language] = (
                concatenate_hits(best[language], further).best(depth) if known else further
            )
    return best


def _run(evaluation_set: EvaluationSet, queries: Positions, hits: Hits) -> pl.DataFrame:
    K = hits.passage_QK.shape[1]
    passages = evaluation_set.by_descending_id[hits.passage_QK.reshape(-1)]
    return pl.DataFrame(
        {
            "query": pl.Series(evaluation_set.query_ids).gather(queries.repeat(K)),
            "Q0": pl.Series(["Q0"]).new_from_index(0, len(passages)),
            "passage": _ids(evaluation_set, passages),
            "rank": np.tile(np.arange(1, K + 1), len(queries)),
            "score": hits.score_QK.reshape(-1),
        }
    ).filter(pl.col("score") > MASKED)


def _ids(evaluation_set: EvaluationSet, passages: Positions) -> pl.Series:
    distinct, place = np.unique(passages, return_inverse=True)
    return pl.Series([evaluation_set.passage_ids[p] for p in distinct.tolist()]).gather(place)
