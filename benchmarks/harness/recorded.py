"""Records complete runs with scores of each query, drawn from a known truth, without training."""

import json
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from numpy.typing import NDArray

from lingmix.evaluation.metric_names import TRAINED_ITEMS
from lingmix.tracking.identity import HASH
from lingmix.tracking.lifecycle import COMPLETE, KIND, STATE
from lingmix.tracking.pair_scores import SCORES
from lingmix.tracking.per_query import PER_QUERY
from lingmix.tracking.store.client import experiment_of, open_store

SET = "planted"
BASE = 500
"""Items trained on at scale 0."""

SETTINGS = ("monolingual", "crosslingual", "multilingual")


class Cell(NamedTuple):
    alpha: float
    scale: int
    seed: int


Scores = Callable[[Cell, pl.DataFrame], NDArray[np.float64]]
"""The scores of a run's rankings, which are rows of setting, query_id, query_language and
passage_language."""


def rankings(languages: Sequence[str], questions: int) -> pl.DataFrame:
    """Every question in every language, against the corpus of each language and of all."""
    ids = [f"q{number:05}" for number in range(questions)]
    return pl.concat(
        [
            pl.DataFrame(
                {
                    "set": SET,
                    "setting": setting,
                    "query_id": [f"{query}:{name}" for name in ids],
                    "query_language": query,
                    "passage_language": pl.Series([passage] * questions, dtype=pl.String),
                    "relevant": 1,
                }
            )
            for setting, (query, passage) in _corpora(languages)
        ]
    )


def record(
    uri: str,
    *,
    name: str,
    folder: Path,
    cells: Sequence[Cell],
    of: pl.DataFrame,
    scores: Scores,
    params: dict[str, str] | None = None,
) -> list[str]:
    """Returns the ids of the runs; their artifacts are in `folder`."""
    client = open_store(uri)
    experiment = experiment_of(client, name, output_dir=folder)
    return [
        _record(client, experiment, run_name=_name(cell),
            settings={"pairs": "all"} | (params or {}) | _settings(cell),
            table=of.with_columns(pl.Series("map", scores(cell, of))))
        for cell in cells
    ]  # fmt: skip


def _name(cell: Cell) -> str:
    return ",".join(f"{key}={value}" for key, value in cell._asdict().items())


def _settings(cell: Cell) -> dict[str, str]:
    return {
        "sampler.alpha": str(cell.alpha),
        "augmentation.scale": str(cell.scale),
        "seed": str(cell.seed),
    }


def _corpora(languages: Sequence[str]) -> list[tuple[str, tuple[str, str | None]]]:
    pairs = [*product(languages, languages)]
    return [
        *(("monolingual", pair) for pair in pairs if pair[0] == pair[1]),
        *(("crosslingual", pair) for pair in pairs if pair[0] != pair[1]),
        *(("multilingual", (language, None)) for language in languages),
    ]


def _record(
    client: MlflowClient,
    experiment: str,
    *,
    settings: dict[str, str],
    run_name: str,
    table: pl.DataFrame,
) -> str:
    run = client.create_run(experiment, run_name=run_name)
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    folder.mkdir(parents=True)
    table.write_parquet(folder / PER_QUERY)
    scores = _scores(table)
    (folder / SCORES).write_text(json.dumps(scores), "utf-8")
    metrics = [Metric(key, scores[key], 0, 0) for key in scores if "/pair/" not in key]
    metrics.append(Metric(TRAINED_ITEMS, BASE + int(settings["augmentation.scale"]), 0, 0))
    identity = repr(sorted(settings.items()))
    client.log_batch(
        run.info.run_id,
        metrics=metrics,
        params=[Param(key, value) for key, value in settings.items()],
        tags=[
            RunTag(HASH, identity),
            RunTag(KIND, "run"),
            RunTag(STATE, COMPLETE),
        ],
    )
    client.set_terminated(run.info.run_id, "FINISHED")
    return str(run.info.run_id)


def _scores(table: pl.DataFrame) -> dict[str, float]:
    """The macro averages of settings, and the means of language pairs."""
    corpora = table.group_by("setting", "query_language", "passage_language").agg(pl.mean("map"))
    settings = corpora.group_by("setting").agg(pl.mean("map"))
    pairs = corpora.drop_nulls("passage_language").drop("setting")
    return {
        **{f"test/{SET}/{setting}/map": mean for setting, mean in settings.iter_rows()},
        **{f"test/{SET}/pair/{q}-{p}/map": mean for q, p, mean in pairs.iter_rows()},
    }
