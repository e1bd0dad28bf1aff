"""Decides which rankings a mean is over: those of queries that are judged in the ranked corpus."""

import numpy as np
import polars as pl

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation.ranks import with_query_language


def judged_rankings(evaluation_set: EvaluationSet) -> pl.DataFrame:
    """Returns a row for each setting, query and passage language (null where languages are pooled)
    between which there is a judgement, of any grade.

    trec_eval averages over these, given the judgements of the setting as qrels: a judged query
    without a relevant passage counts 0, and a query that is judged in some languages only has no
    ranking in the others, in which nobody looked for its passages.
    """
    passages, place_J = np.unique(evaluation_set.passage_J, return_inverse=True)
    languages = [evaluation_set.passage_languages[p] for p in passages.tolist()]
    pairs = pl.DataFrame(
        {
            "query": evaluation_set.query_J.astype(np.int64),
            "passage_language": pl.Series(languages, dtype=pl.String).gather(place_J),
        }
    ).unique()
    same_language = pl.col("query_language") == pl.col("passage_language")
    setting = pl.when(same_language).then(pl.lit("monolingual")).otherwise(pl.lit("crosslingual"))
    corpora = with_query_language(evaluation_set, pairs).with_columns(setting=setting)
    if evaluation_set.other_languages_only:
        corpora = corpora.filter(~same_language)
    return pl.concat([corpora, _pooled(evaluation_set, corpora)], how="diagonal").sort(
        "query", "passage_language"
    )


def _pooled(evaluation_set: EvaluationSet, corpora: pl.DataFrame) -> pl.DataFrame:
    pooled = corpora.group_by("query", "query_language").agg(judged=pl.len())
    if evaluation_set.pooled_if_judged_everywhere:
        everywhere = set(evaluation_set.passage_languages)
        left_out = pl.lit(0)
        if evaluation_set.other_languages_only:
            left_out = pl.col("query_language").is_in(everywhere).cast(pl.Int64)
        pooled = pooled.filter(pl.col("judged") == len(everywhere) - left_out)
    return pooled.select("query", "query_language", setting=pl.lit("multilingual"))
