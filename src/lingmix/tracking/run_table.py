"""Complete runs as the rows of a table."""

import ast
from collections.abc import Collection, Sequence

import polars as pl
from mlflow import MlflowClient
from mlflow.entities import Run

from lingmix.evaluation.metric_names import TEST, TRAINED_ITEMS, parsed
from lingmix.tracking.deciding import decides
from lingmix.tracking.generation import generation, is_generation
from lingmix.tracking.history import complete_runs, newest_generation
from lingmix.tracking.lifecycle import KIND
from lingmix.tracking.pair_scores import with_pair_scores

NAMED_PARAMS = ("sampler.alpha", "augmentation.scale", "seed", "pairs")
"""Params that are columns of `CELL_COLUMNS` and not `param.<key>`."""

CELL_COLUMNS = pl.Schema(
    {
        "run_id": pl.String,
        "run_name": pl.String,
        "artifact_uri": pl.String,
        "alpha": pl.Float64,
        "scale": pl.Int64,
        "seed": pl.Int64,
        "pairs": pl.String,
        "items": pl.Int64,
    }
)
EVALUATION_COLUMNS = pl.Schema({"run_id": pl.String, "encoder": pl.String})
"""Columns of the tables, also of empty ones."""

ALWAYS_SHOWN = (
    "param.sampler.alpha_end",
    "param.trainer.max_steps",
    "param.languages",
    "param.encoder.name",
)


def cell_table(
    client: MlflowClient, experiment: str, pair_metrics: Collection[str] = ()
) -> pl.DataFrame:
    """Return a row for each complete run with an alpha: its settings and its test metrics.

    Params in which the runs differ are columns `param.<key>`. Runs of the largest scale also have
    `pair_metrics` of each language pair.
    """
    complete = newest_generation(complete_runs(client, experiment).values())
    rows = [_cell(run) for run in complete if _has_alpha(run)]
    table = _table(CELL_COLUMNS, with_pair_scores(client, rows, pair_metrics))
    same = [
        name
        for name in table.columns
        if name.startswith("param.")
        and not is_generation(name)
        and (name not in ALWAYS_SHOWN or table[name][0] == "None")
        and table[name].n_unique() == 1
    ]
    return table.drop(same)


def without_alpha(client: MlflowClient, experiment: str) -> list[str]:
    """Return a line on the trainings that `cell_table` leaves out: their samplers have no alpha."""
    complete = complete_runs(client, experiment).values()
    trained = [run for run in complete if "sampler._target_" in run.data.params]
    count = sum(not _has_alpha(run) for run in trained)
    return [f"{count} runs of samplers without an alpha"] if count else []


def _has_alpha(run: Run) -> bool:
    return run.data.params.get("sampler.alpha", "None") != "None"


def evaluation_table(
    client: MlflowClient, experiment: str, pair_metrics: Collection[str] = ()
) -> pl.DataFrame:
    """Return a row for each complete evaluation of an encoder, the newest first.

    Columns are the encoder's name, `param.<key>` for all else that decides the result, the test
    metrics, and `pair_metrics` of each language pair.
    """
    complete = newest_generation(complete_runs(client, experiment).values())
    rows = [_evaluation(run) for run in complete if run.data.tags.get(KIND) == "evaluation"]
    return _table(EVALUATION_COLUMNS, with_pair_scores(client, rows, pair_metrics))


def _cell(run: Run) -> dict[str, object]:
    params = run.data.params
    scale = params.get("augmentation.scale", "0")
    return {
        "run_id": run.info.run_id,
        "run_name": run.info.run_name,
        "artifact_uri": run.info.artifact_uri,
        "alpha": float(params["sampler.alpha"]),
        "scale": None if scale == "None" else int(scale),
        "seed": int(params["seed"]),
        "pairs": _sorted_list(params.get("pairs", "all")),
        "items": int(items) if (items := run.data.metrics.get(TRAINED_ITEMS)) else None,
        **_params(run, besides=NAMED_PARAMS),
        **_test_metrics(run),
    }


def _evaluation(run: Run) -> dict[str, object]:
    return {
        "run_id": run.info.run_id,
        "encoder": run.data.params["encoder.name"],
        **_params(run, besides=("encoder.name",)),
        **_test_metrics(run),
    }


def _params(run: Run, *, besides: Sequence[str]) -> dict[str, str]:
    """The params that decide a result, and the generation."""
    deciding = {key: value for key, value in run.data.params.items() if decides(key)}
    if "languages" in deciding:
        deciding["languages"] = _sorted_list(deciding["languages"])
    params = {f"param.{key}": deciding[key] for key in deciding if key not in besides}
    return params | generation(run.data.tags)


def _test_metrics(run: Run) -> dict[str, float]:
    metrics = run.data.metrics
    return {str(name): metrics[str(name)] for name in parsed(metrics) if name.split == TEST}


def _table(columns: pl.Schema, rows: list[dict[str, object]]) -> pl.DataFrame:
    found = pl.DataFrame(rows, infer_schema_length=None)
    return pl.concat([pl.DataFrame(schema=columns), found], how="diagonal_relaxed")


def _sorted_list(choices: str) -> str:
    """A list in sorted order, as `languages` and `pairs` have none.

    MLflow stores it as Python text, and a very long one cut, which is left as it is.
    """
    listed = choices.startswith("[") and choices.endswith("]")
    return f"[{','.join(sorted({*map(str, ast.literal_eval(choices))}))}]" if listed else choices
