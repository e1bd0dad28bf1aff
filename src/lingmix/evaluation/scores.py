"""What an evaluation set says of an encoder: metrics a query, and their macro averages."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import polars as pl

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.items import LanguagePair
from lingmix.errors import InputError
from lingmix.evaluation import bias
from lingmix.evaluation.metrics import Rankings, retrieval_metrics
from lingmix.evaluation.ranks import Ranked, Scores, rank_relevant

LANGUAGES = ["setting", "query_language", "passage_language"]
NAMES = [*LANGUAGES, "query"]


@dataclass(frozen=True, eq=False, kw_only=True)
class SetScores:
    """`metrics`: `<setting>/<metric>`, `pair/<en-de>/<metric>` and `contrastive_entropy`.

    `per_query` has a row a ranking: set, setting, query_id, query_language, passage_language (null
    where languages are pooled), then metrics, null where one does not apply. `counts`: of rankings
    a setting or pair has (`ranked`), and lacks for want of a relevant passage (`skipped`); of the
    source's queries that nobody judged (`unjudged`), which are not in the set.
    """

    name: str
    metrics: dict[str, float]
    per_query: pl.DataFrame
    counts: dict[str, int]


def score(
    evaluation_set: EvaluationSet,
    scores: Scores,
    *,
    depth: int | None,
    temperature: float | None,
    seed: int,
) -> SetScores:
    """From exact ranks; see `evaluate`."""
    ranked = rank_relevant(evaluation_set, scores, temperature=temperature, seed=seed)
    return set_scores(evaluation_set, ranked, depth=depth)


def set_scores(evaluation_set: EvaluationSet, ranked: Ranked, *, depth: int | None) -> SetScores:
    if depth is not None and depth < 1:
        raise InputError(f"depth must be at least 1, or null for whole corpora, got {depth}")
    excess = bias.excess_shares(ranked.relevant, ranked.places)
    rankings = _rankings(ranked, excess, depth=depth)
    ids = pl.Series(evaluation_set.query_ids)
    return SetScores(
        name=evaluation_set.name,
        metrics={**_averages(rankings), **bias.share_figures(excess)},
        per_query=rankings.select(
            pl.lit(evaluation_set.name).alias("set"),
            "setting",
            ids.gather(rankings["query"]).alias("query_id"),
            pl.exclude("setting", "query"),
        ),
        counts=_counts(evaluation_set, rankings),
    )


def _rankings(ranked: Ranked, excess: pl.DataFrame, *, depth: int | None) -> pl.DataFrame:
    """A row a ranking; every setting is read off the same ranks."""
    own = pl.col("query_language") == pl.col("passage_language")
    in_language = ranked.relevant.rename({"language_rank": "rank", "language_entropy": "entropy"})
    pooled = ranked.relevant.rename({"pool_rank": "rank", "pool_entropy": "entropy"}).with_columns(
        passage_language=pl.lit(None, dtype=pl.String)
    )
    multilingual = _measured("multilingual", pooled, depth=depth)
    figures = [bias.same_language_preference(ranked.relevant), bias.same_language_excess(excess)]
    if ranked.whole:
        figures += [bias.rank_distance(ranked.relevant), bias.peer(ranked.relevant)]
    for figure in figures:
        multilingual = multilingual.join(figure, on="query", how="left", maintain_order="left")
    return pl.concat(
        [
            _measured("monolingual", in_language.filter(own), depth=depth),
            _measured("crosslingual", in_language.filter(~own), depth=depth),
            multilingual,
        ],
        how="diagonal",
    )


def _measured(setting: str, relevant: pl.DataFrame, *, depth: int | None) -> pl.DataFrame:
    of = ["query", "query_language", "passage_language"]
    found = relevant.sort("query", "passage_language", maintain_order=True).with_columns(
        ranking=pl.struct(of).rle_id().cast(pl.Int64)
    )
    metrics = retrieval_metrics(
        Rankings.of(
            *(found[column].to_numpy() for column in ("ranking", "rank", "grade")), depth=depth
        )
    )
    rankings = found.group_by("ranking", maintain_order=True).agg(
        pl.col(of).first(), contrastive_entropy=pl.col("entropy").mean().cast(pl.Float64)
    )
    return rankings.select(
        pl.lit(setting).alias("setting"),
        *of,
        *map(pl.Series, metrics, metrics.values()),
        "contrastive_entropy",
    )


def _averages(rankings: pl.DataFrame) -> dict[str, float]:
    """Macro over query languages, or over language pairs."""
    mean = pl.exclude(NAMES).mean()
    corpora = rankings.group_by(LANGUAGES, maintain_order=True).agg(mean).sort(LANGUAGES)
    averages: dict[str, float] = {}
    for row in corpora.group_by("setting", maintain_order=True).agg(mean).iter_rows(named=True):
        averages |= _prefixed(row["setting"], row)
    for row in corpora.drop_nulls("passage_language").iter_rows(named=True):
        pair = LanguagePair(row["query_language"], row["passage_language"])
        averages |= _prefixed(f"pair/{pair}", row)
    if "multilingual/contrastive_entropy" in averages:
        averages["contrastive_entropy"] = averages["multilingual/contrastive_entropy"]
    return averages


def _prefixed(prefix: str, figures: dict[str, Any]) -> dict[str, float]:
    return {
        f"{prefix}/{name}": figure
        for name, figure in figures.items()
        if name not in NAMES and figure is not None
    }


def _counts(evaluation_set: EvaluationSet, rankings: pl.DataFrame) -> dict[str, int]:
    ranked = Counter(rankings.select(LANGUAGES).iter_rows())
    queries = Counter(evaluation_set.query_languages)
    corpora = set(evaluation_set.passage_languages)
    possible: dict[tuple[str, str, str | None], int] = {}
    for query, n in queries.items():
        possible["multilingual", query, None] = n
        for passage in corpora - ({query} if evaluation_set.other_languages_only else set()):
            setting = "monolingual" if query == passage else "crosslingual"
            possible[setting, query, passage] = n
    counts: Counter[str] = Counter()
    for corpus in sorted(possible, key=str):
        setting, of, language = corpus
        pairs = [] if language is None else [f"pair/{LanguagePair(of, language)}"]
        for name in (setting, *pairs):
            counts[f"{name}/ranked"] += ranked[corpus]
            counts[f"{name}/skipped"] += possible[corpus] - ranked[corpus]
    return {"unjudged": evaluation_set.unjudged, **counts}
