"""Scores of an encoder on an evaluation set: metrics a query, and their macro averages."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import LanguagePair
from lingmix.errors import InputError
from lingmix.evaluation import bias
from lingmix.evaluation.judged import judged_rankings
from lingmix.evaluation.metric_names import (
    CONTRASTIVE_ENTROPY,
    EXCESS_SHARE,
    RANKED,
    SKIPPED,
    UNJUDGED,
    WITHOUT_RELEVANT,
    Scope,
    ScoreName,
    answerable,
    excess_share_of,
)
from lingmix.evaluation.metrics import METRICS, Rankings, retrieval_metrics
from lingmix.evaluation.parallel import PARALLEL, ParallelRanking
from lingmix.evaluation.pools import Scorer
from lingmix.evaluation.ranks import Ranked, rank_relevant
from lingmix.evaluation.self_matches import without_self_matches

LANGUAGES = ["setting", "query_language", "passage_language"]
NAMES = [*LANGUAGES, "query", "relevant"]

Averages = dict[ScoreName, float]


@dataclass(frozen=True, eq=False, kw_only=True)
class SetScores:
    """The scores of one evaluation set.

    `metrics` are `<setting>/<metric>`, `pair/<en-de>/<metric>` and `contrastive_entropy`, macro
    averages over query languages or language pairs. A mean is over the judged queries, as in
    trec_eval: one without a relevant passage counts 0. Where a setting or pair has such queries,
    `<setting>/without_relevant` counts them, and `<metric>_answerable` is the mean without them.

    `per_query` has a row a ranking: set, setting, query_id, query_language, passage_language (null
    where languages are pooled), `relevant` (the number of relevant passages), then metrics, null
    where one does not apply. `counts` has for each setting and pair its judged queries (`ranked`),
    those of them without a relevant passage (`without_relevant`), and the queries that are not
    judged there and are in no mean (`skipped`); and the source's queries without any judgement
    (`unjudged`), which are not in the set.
    """

    name: str
    metrics: dict[str, float]
    per_query: pl.DataFrame
    counts: dict[str, int]

    def figure(self, metric: str, scope: Scope = None) -> float | None:
        """Returns None where the set does not have it."""
        return self.metrics.get(str(ScoreName(metric, scope)))


def score(
    evaluation_set: EvaluationSet,
    scorer: Scorer,
    *,
    depth: int | None,
    temperature: float | None,
    seed: int,
) -> SetScores:
    """Scores a set from exact ranks; the arguments are those of `evaluate_encoder`."""
    ranked = rank_relevant(evaluation_set, scorer, temperature=temperature, seed=seed)
    return set_scores(evaluation_set, ranked, depth=depth)


def set_scores(evaluation_set: EvaluationSet, ranked: Ranked, *, depth: int | None) -> SetScores:
    """Averages the metrics of a set's rankings. Raises InputError where `depth` is below 1."""
    if depth is not None and depth < 1:
        raise InputError(f"depth: must be at least 1, or null for whole corpora, got {depth}")
    judged = judged_rankings(evaluation_set)
    pooled = judged.filter(setting="multilingual")
    places = without_self_matches(evaluation_set, ranked.places).join(
        pooled, on="query", how="semi"
    )
    excess = bias.excess_shares(ranked.relevant, places)
    rankings = _rankings(evaluation_set, ranked, judged, excess, depth=depth)
    ids = pl.Series(evaluation_set.query_ids)
    return SetScores(
        name=evaluation_set.name,
        metrics={str(name): value for name, value in _metrics(rankings, excess).items()},
        per_query=rankings.select(
            pl.lit(evaluation_set.name).alias("set"),
            "setting",
            ids.gather(rankings["query"]).alias("query_id"),
            pl.exclude("setting", "query"),
        ),
        counts=_counts(evaluation_set, rankings),
    )


def _rankings(
    evaluation_set: EvaluationSet,
    ranked: Ranked,
    judged: pl.DataFrame,
    excess: pl.DataFrame,
    *,
    depth: int | None,
) -> pl.DataFrame:
    """Returns a row a judged ranking; all settings are computed from the same ranks."""
    in_language = ranked.relevant.rename({"language_rank": "rank", "language_entropy": "entropy"})
    pooled = ranked.relevant.rename({"pool_rank": "rank", "pool_entropy": "entropy"}).with_columns(
        passage_language=pl.lit(None, dtype=pl.String)
    )
    monolingual = _measured(judged.filter(setting="monolingual"), in_language, depth=depth)
    crosslingual = _measured(judged.filter(setting="crosslingual"), in_language, depth=depth)
    multilingual = _measured(judged.filter(setting="multilingual"), pooled, depth=depth)
    for figures in _of_pool(evaluation_set, ranked, excess, depth=depth):
        multilingual = multilingual.join(figures, on="query", how="left", maintain_order="left")
    return pl.concat([monolingual, crosslingual, multilingual], how="diagonal")


def _of_pool(
    evaluation_set: EvaluationSet, ranked: Ranked, excess: pl.DataFrame, *, depth: int | None
) -> Iterator[pl.DataFrame]:
    """Computes language bias and how parallel passages are ranked, a row a query."""
    pooled = bias.PooledRanking(ranked.relevant, excess)
    questions = pl.Series(evaluation_set.questions).gather(ranked.lists["query"])
    one_pool = not evaluation_set.other_languages_only
    lists = ranked.lists.with_columns(question=questions if one_pool else None)
    parallel = ParallelRanking.of(ranked.relevant, lists, depth=depth)
    for figure in bias.BIAS.values():
        if ranked.whole or not figure.whole:
            yield figure.compute(pooled)
    for measure in PARALLEL.values():
        if ranked.whole or not measure.whole:
            yield measure.compute(parallel)


def _measured(judged: pl.DataFrame, relevant: pl.DataFrame, *, depth: int | None) -> pl.DataFrame:
    """Computes the metrics of each judged ranking, all 0 where no passage is relevant."""
    key = ["query", "passage_language"]
    found = (
        relevant.join(judged, on=key, how="semi", nulls_equal=True)
        .sort(key, maintain_order=True)
        .with_columns(ranking=pl.struct(key).rle_id().cast(pl.Int64))
    )
    metrics = retrieval_metrics(
        Rankings.of(
            *(found[column].to_numpy() for column in ("ranking", "rank", "grade")), depth=depth
        )
    )
    rankings = found.group_by("ranking", maintain_order=True).agg(
        pl.col(key).first(),
        pl.len().cast(pl.Int64).alias("relevant"),
        pl.col("entropy").mean().cast(pl.Float64).alias(CONTRASTIVE_ENTROPY),
    )
    measured = rankings.select(
        *key, "relevant", *map(pl.Series, metrics, metrics.values()), CONTRASTIVE_ENTROPY
    )
    return judged.join(
        measured, on=key, how="left", nulls_equal=True, maintain_order="left"
    ).with_columns(pl.col("relevant", *metrics).fill_null(0))


def _metrics(rankings: pl.DataFrame, excess: pl.DataFrame) -> Averages:
    return {**_averages(rankings), **_answerable(rankings), **_excess_shares(excess)}


def _averages(rankings: pl.DataFrame) -> Averages:
    """Computes macro averages over query languages, or over language pairs."""
    mean = pl.exclude(NAMES).mean()
    corpora = rankings.group_by(LANGUAGES, maintain_order=True).agg(mean).sort(LANGUAGES)
    averages: Averages = {}
    for row in corpora.group_by("setting", maintain_order=True).agg(mean).iter_rows(named=True):
        averages |= _named(row, row["setting"])
    for row in corpora.drop_nulls("passage_language").iter_rows(named=True):
        averages |= _named(row, LanguagePair(row["query_language"], row["passage_language"]))
    pooled = ScoreName(CONTRASTIVE_ENTROPY, "multilingual")
    if pooled in averages:
        averages[ScoreName(CONTRASTIVE_ENTROPY)] = averages[pooled]
    return averages


def _answerable(rankings: pl.DataFrame) -> Averages:
    """Counts the rankings without a relevant passage of each setting and pair that has some, and
    computes the means over the others."""
    without = _tallied(rankings.filter(relevant=0))
    metrics = {answerable(metric): pl.col(metric) for metric in METRICS}
    means = _averages(rankings.filter(pl.col("relevant") > 0).select(*NAMES, **metrics))
    return {name: mean for name, mean in means.items() if name.scope in without} | {
        ScoreName(WITHOUT_RELEVANT, scope): float(n) for scope, n in without.items()
    }


def _excess_shares(excess: pl.DataFrame) -> Averages:
    """Returns the excess share of each language pair, and of each passage language as the mean over
    query languages."""
    pairs = bias.pair_shares(excess)
    languages = pairs.group_by("passage_language").agg(pl.col("excess_share").mean())
    return {
        ScoreName(EXCESS_SHARE, LanguagePair(query, passage)): share
        for query, passage, share in pairs.iter_rows()
    } | {
        ScoreName(excess_share_of(language), "multilingual"): share
        for language, share in languages.sort("passage_language").iter_rows()
    }


def _tallied(rankings: pl.DataFrame) -> Counter[Scope]:
    """Counts the rankings of each setting and of each language pair."""
    tally: Counter[Scope] = Counter()
    corpora = rankings.group_by(LANGUAGES).len().sort(LANGUAGES)
    for setting, query, passage, n in corpora.iter_rows():
        tally[setting] += n
        if passage is not None:
            tally[LanguagePair(query, passage)] += n
    return tally


def _named(figures: dict[str, Any], scope: Scope) -> Averages:
    return {
        ScoreName(metric, scope): figure
        for metric, figure in figures.items()
        if metric not in NAMES and figure is not None
    }


def _counts(evaluation_set: EvaluationSet, rankings: pl.DataFrame) -> dict[str, int]:
    ranked, without = _tallied(rankings), _tallied(rankings.filter(relevant=0))
    corpora = set(evaluation_set.passage_languages)
    possible: Counter[Scope] = Counter()
    for query, n in sorted(Counter(evaluation_set.query_languages).items()):
        possible["multilingual"] += n
        for passage in sorted(
            corpora - ({query} if evaluation_set.other_languages_only else set())
        ):
            possible["monolingual" if query == passage else "crosslingual"] += n
            possible[LanguagePair(query, passage)] += n
    counts = {UNJUDGED: evaluation_set.unjudged}
    for scope, n in possible.items():
        counts[str(ScoreName(RANKED, scope))] = ranked[scope]
        counts[str(ScoreName(WITHOUT_RELEVANT, scope))] = without[scope]
        counts[str(ScoreName(SKIPPED, scope))] = n - ranked[scope]
    return counts
