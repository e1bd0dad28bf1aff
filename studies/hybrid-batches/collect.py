"""Collects the scores of the study's complete runs from an MLflow store into `scores/`.

    python studies/hybrid-batches/collect.py sqlite:///multirun/mlflow.db

`runs.parquet` has a row a run and evaluation set, `questions.parquet` one a question: its score is
the mean over the languages in which it was asked, and, where the corpus has one language, a pair's.
"""

import json
import sys
from pathlib import Path

import polars as pl
from mlflow import MlflowClient
from mlflow.entities import Run

from lingmix.evaluation.metric_names import SETTINGS, TEST, parsed
from lingmix.tracking.history import complete_runs, newest_generation
from lingmix.tracking.per_query import per_query_files

SCORES = Path(__file__).parent / "scores"
STUDIES = ("hybrid_centring", "hybrid_adaptive", "hybrid_negatives", "hybrid_scale")
QUESTIONS_OF = ("hybrid_centring",)
"""Studies whose answers are over questions; those of the others are over seeds."""


def main(uri: str) -> None:
    client = MlflowClient(uri)
    runs, questions = [], []
    for study in STUDIES:
        experiment = client.get_experiment_by_name(study)
        if experiment is None:
            continue
        complete = complete_runs(client, experiment.experiment_id).values()
        for run in newest_generation([run for run in complete if _measured(run)]):
            axes = {"study": study} | _axes(run)
            file = _file(client, run)
            runs += [axes | row for row in _of_sets(file.with_name("scores.json"))]
            if study in QUESTIONS_OF:
                questions.append(_questions(file, axes))
    pl.DataFrame(runs, infer_schema_length=None).sort(
        "study", "set", "sampler", "alpha", "seed"
    ).write_parquet(SCORES / "runs.parquet")
    pl.concat(questions).write_parquet(SCORES / "questions.parquet", compression_level=19)


def _measured(run: Run) -> bool:
    return any(name.split == TEST for name in parsed(run.data.metrics))


def _axes(run: Run) -> dict[str, object]:
    params = run.data.params
    target = params.get("sampler._target_", "untrained").rpartition(".")[2]
    scale = params.get("augmentation.scale")
    return {
        "sampler": {"HybridSchedule": "constant", "AdaptiveSchedule": "adaptive"}.get(
            target, target
        ),
        "alpha": float(params["sampler.alpha"]) if "sampler.alpha" in params else None,
        "scale": int(scale) if scale not in (None, "None") else None,
        "seed": int(params["seed"]) if "sampler.alpha" in params else None,
        "homogeneous": params.get("sampler.homogeneous"),
        "mask": params.get("loss.mask_false_negatives"),
    }


def _file(client: MlflowClient, run: Run) -> Path:
    table = pl.DataFrame({"run_id": [run.info.run_id], "artifact_uri": [run.info.artifact_uri]})
    (file,) = per_query_files(client, table, Path("multirun/downloads/per_query")).values()
    return file


def _of_sets(file: Path) -> list[dict[str, object]]:
    """From the file of all scores: MLflow has those of centred sets in part."""
    scores = json.loads(file.read_text("utf-8"))
    rows: dict[str, dict[str, object]] = {}
    for name in parsed(scores):
        score = name.score
        if name.split != TEST or score.scope is None or str(score.scope) not in SETTINGS:
            continue
        column = str(score.scope) if score.metric == "map" else score.metric
        if score.metric == "map" or score.scope == "multilingual":
            rows.setdefault(name.set, {"set": name.set})[column] = scores[str(name)]
    return list(rows.values())


def _questions(file: Path, axes: dict[str, object]) -> pl.DataFrame:
    query, passage = pl.col("query_language"), pl.col("passage_language")
    return (
        pl.read_parquet(file)
        .select(
            "set",
            "setting",
            pl.when(passage.is_not_null()).then(query + "-" + passage).alias("pair"),
            pl.col("query_id").str.strip_prefix(query + ":").alias("question"),
            pl.col("map").cast(pl.Float32).alias("score"),
        )
        .group_by("set", "setting", "pair", "question", maintain_order=True)
        .agg(pl.col("score").mean())
        .select(
            *(pl.lit(axes[key]).alias(key) for key in ("sampler",)),
            *(pl.lit(axes[key], pl.Float64).alias(key) for key in ("alpha",)),
            *(pl.lit(axes[key], pl.Int64).alias(key) for key in ("seed",)),
            pl.all().exclude("score"),
            "score",
        )
        .sort("set", "setting", "pair", "question")
    )


if __name__ == "__main__":
    main(sys.argv[1])
