"""Collects the scores of the study's complete runs from an MLflow store into `scores/`.

    python studies/model-queries/collect.py sqlite:///multirun/mlflow.db

`questions.parquet` has what each question adds to a run's score in a setting, over its languages or
pairs of languages: the mean over questions is the run's score. `untrained.json` has the scores of
encoders that are not trained here.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from mlflow import MlflowClient
from mlflow.entities import Run

from lingmix.analysis.question_scores import run_scores, with_questions
from lingmix.analysis.scored_runs import RANKING, ScoredRuns
from lingmix.evaluation.metric_names import MAP, TRAINED_ITEMS
from lingmix.tracking.history import complete_runs, experiment_named, newest_generation
from lingmix.tracking.per_query import per_query_files
from lingmix.tracking.store.client import open_store

SCORES = Path(__file__).parent / "scores"
EXPERIMENTS = {
    "queries_python_docs": ("python_docs", "static"),
    "queries_tico19": ("tico19", "static"),
    "queries_python_docs_e5": ("python_docs", "e5"),
}
"""The domain and the encoder of each."""
DOMAINS = ("python_docs", "tico19")
SET = "beir"
SETTINGS = ("monolingual", "crosslingual", "multilingual")


def main(uri: str) -> None:
    client = open_store(uri)
    found = [
        _scores(file, _axes(run, domain, encoder))
        for name, (domain, encoder) in EXPERIMENTS.items()
        for run, file in _runs(client, name)
    ]
    axes = ["domain", "encoder", "queries", "scale", "seed", "setting"]
    table = pl.concat(found, how="vertical_relaxed").sort(*axes, "question")
    table.write_parquet(SCORES / "questions.parquet", compression_level=19)
    untrained = {domain: _untrained(client, f"untrained_{domain}") for domain in DOMAINS}
    (SCORES / "untrained.json").write_text(json.dumps(untrained, indent=1) + "\n", "utf-8")


def _untrained(client: MlflowClient, name: str) -> dict[str, dict[str, float]]:
    """The mAP of each setting by the encoder's name."""
    found = complete_runs(client, experiment_named(client, name).experiment_id).values()
    return {
        Path(run.data.params["encoder.name"]).name: {
            setting: round(run.data.metrics[metric], 6)
            for setting in SETTINGS
            if (metric := f"test/{SET}/{setting}/{MAP}") in run.data.metrics
        }
        for run in sorted(found, key=lambda run: run.data.params["encoder.name"])
    }


def _runs(client: MlflowClient, name: str) -> Iterator[tuple[Run, Path]]:
    """The runs of an experiment and the files of their scores."""
    experiment = experiment_named(client, name).experiment_id
    runs = newest_generation(complete_runs(client, experiment).values())
    places = [(run.info.run_id, run.info.artifact_uri) for run in runs]
    table = pl.DataFrame(places, schema=["run_id", "artifact_uri"], orient="row")
    files = per_query_files(client, table, Path("multirun/downloads/per_query"))
    return ((run, files[run.info.run_id]) for run in runs)


def _scores(file: Path, axes: list[pl.Expr]) -> pl.DataFrame:
    rankings = with_questions(run_scores([file], SET, MAP)).collect()
    cell = pl.DataFrame({"alpha": [0.0], "scale": [0], "seed": [0]})
    scored = ScoredRuns(cell, rankings.select(RANKING), rankings["score"].to_numpy()[None])
    measured = [one for one in SETTINGS if (rankings["setting"] == one).any()]
    grids = [(setting, scored.grid(setting)) for setting in measured]
    return pl.concat(
        pl.DataFrame({"question": grid.questions_Q, "score": grid.scores_ACSQ.ravel()}).select(
            *axes, pl.lit(setting).alias("setting"), "question", pl.col("score").cast(pl.Float32)
        )
        for setting, grid in grids
    )


def _axes(run: Run, domain: str, encoder: str) -> list[pl.Expr]:
    """`items` are those trained on, and `scale` is null where it is all of them."""
    params = run.data.params
    made, scale = Path(params["data.sets.items.path"]).parent.name, params["augmentation.scale"]
    return [
        pl.lit(domain).alias("domain"),
        pl.lit(encoder).alias("encoder"),
        pl.lit(made.removeprefix(f"{domain}_")).alias("queries"),
        pl.lit(None if scale == "None" else int(scale), pl.Int64).alias("scale"),
        pl.lit(int(params["seed"]), pl.Int64).alias("seed"),
        pl.lit(int(run.data.metrics[TRAINED_ITEMS]), pl.Int64).alias("items"),
    ]


if __name__ == "__main__":
    main(sys.argv[1])
