"""The table of scores: one row a ranking of a question, made of MLflow and `per_query.parquet`.

The sampling unit is the question. Its translations are questions of one name, as the ids of
queries are `<language>:<name>`; an id of another form is a question of its own.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from lingmix.analysis.groups import keys, measured
from lingmix.analysis.metric_columns import evaluation_sets
from lingmix.analysis.scored_runs import RANKING
from lingmix.evaluation.metric_names import MAP
from lingmix.tracking.history import experiment_named
from lingmix.tracking.per_query import per_query_files
from lingmix.tracking.run_table import cell_table
from lingmix.tracking.store.client import open_store


def question_scores(
    name: str,
    *,
    uri: str,
    metric: str = MAP,
    downloads: Path = Path("multirun/downloads/per_query"),
) -> pl.LazyFrame:
    """Returns the scores of an experiment's complete runs, a row a ranking.

    Columns: set, the keys of `groups.keys`, scale, alpha, seed, run_id, setting, pair (null where
    languages are pooled), language (the query's), question and score. Artifacts that are not on
    this machine are fetched into `downloads`, once a run.
    """
    client = open_store(uri)
    cells = cell_table(client, experiment_named(client, name).experiment_id)
    files = per_query_files(client, cells, downloads)
    return pl.concat(
        [
            with_questions(run_scores(files[run["run_id"]], set_name, metric)).select(
                _categorical("set", set_name), *_of_run(run, runs), *RANKING, "score"
            )
            for set_name in evaluation_sets(cells)
            for runs in [measured(cells, set_name)]
            for run in runs.iter_rows(named=True)
            if run["run_id"] in files
        ],
        how="diagonal",
    )


def run_scores(file: Path, set_name: str, metric: str) -> pl.LazyFrame:
    """Returns a run's scores of one evaluation set, with the ids and languages of queries."""
    return (
        pl.scan_parquet(file)
        .filter(pl.col("set") == set_name, pl.col(metric).is_not_null())
        .select(
            "setting", "query_id", "query_language", "passage_language",
            pl.col(metric).cast(pl.Float32).alias("score"),
        )
    )  # fmt: skip


def with_questions(scores: pl.LazyFrame) -> pl.LazyFrame:
    """Puts `RANKING` in the place of the ids and languages of queries."""
    query, passage = pl.col("query_language"), pl.col("passage_language")
    return scores.select(
        "setting",
        pl.when(passage.is_not_null()).then(query + "-" + passage).alias("pair"),
        query.alias("language"),
        pl.col("query_id").str.strip_prefix(query + ":").alias("question"),
        pl.exclude("setting", "query_id", "query_language", "passage_language"),
    )


def _of_run(run: Mapping[str, Any], runs: pl.DataFrame) -> Iterable[pl.Expr]:
    for column in (*keys(runs), "scale", "alpha", "seed", "run_id"):
        if runs[column].dtype == pl.String:
            yield _categorical(column, run[column])
        else:
            yield pl.lit(run[column], dtype=runs[column].dtype).alias(column)


def _categorical(column: str, value: str) -> pl.Expr:
    return pl.lit(value).cast(pl.Categorical).alias(column)
