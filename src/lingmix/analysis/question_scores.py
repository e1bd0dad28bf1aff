"""The table of scores: one row a ranking of a question, made of MLflow and `per_query.parquet`.

The sampling unit is the question, whose translations have one name.
"""

from pathlib import Path

import polars as pl

from lingmix.analysis.groups import keys, measured
from lingmix.analysis.metric_columns import evaluation_sets
from lingmix.analysis.scored_runs import RANKING
from lingmix.data.question_names import question_name
from lingmix.evaluation.metric_names import MAP
from lingmix.tracking.history import experiment_named
from lingmix.tracking.per_query import per_query_files
from lingmix.tracking.run_table import cell_table
from lingmix.tracking.store.client import open_store

FILE = "file"


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
    of_run = pl.DataFrame(
        {"run_id": [*files], FILE: [*map(str, files.values())]},
        schema={"run_id": pl.String, FILE: pl.String},
    )
    return pl.concat(
        [
            _of_set(set_name, measured(cells, set_name).join(of_run, on="run_id"), metric)
            for set_name in evaluation_sets(cells)
        ],
        how="diagonal",
    )


def _of_set(set_name: str, runs: pl.DataFrame, metric: str) -> pl.LazyFrame:
    """One scan of all files, as that of a file each would hold them all in memory."""
    texts = pl.col(pl.String).exclude(FILE)
    columns = [*keys(runs), "scale", "alpha", "seed", "run_id"]
    axes = runs.select(pl.lit(set_name).alias("set"), *columns, FILE).with_columns(
        texts.cast(pl.Categorical)
    )
    scores = with_questions(run_scores([Path(file) for file in runs[FILE]], set_name, metric))
    return scores.join(axes.lazy(), on=FILE).select("set", *columns, *RANKING, "score")


def run_scores(files: list[Path], set_name: str, metric: str) -> pl.LazyFrame:
    """Returns the scores of runs on one evaluation set, with the ids and languages of queries, and
    the file in the column `FILE`."""
    texts = ["set", "setting", "query_id", "query_language", "passage_language"]
    scores = pl.scan_parquet(
        files,
        schema=dict.fromkeys(texts, pl.String()) | {metric: pl.Float64()},
        extra_columns="ignore",
        missing_columns="insert",
        include_file_paths=FILE,
    )
    chosen = scores.filter(pl.col("set") == set_name, pl.col(metric).is_not_null())
    return chosen.select(*texts[1:], FILE, pl.col(metric).cast(pl.Float32).alias("score"))


def question_count(file: Path, set_name: str, metric: str) -> int:
    """Returns how many questions a run has scores of; 0 where its file cannot be read."""
    questions = with_questions(run_scores([file], set_name, metric)).select("question").unique()
    try:
        return questions.collect().height
    except (OSError, pl.exceptions.PolarsError):
        return 0


def with_questions(scores: pl.LazyFrame) -> pl.LazyFrame:
    """Puts `RANKING` in the place of the ids and languages of queries."""
    query, passage = pl.col("query_language"), pl.col("passage_language")
    return scores.select(
        "setting",
        pl.when(passage.is_not_null()).then(query + "-" + passage).alias("pair"),
        query.alias("language"),
        question_name(pl.col("query_id"), query).alias("question"),
        pl.exclude("setting", "query_id", "query_language", "passage_language"),
    )
