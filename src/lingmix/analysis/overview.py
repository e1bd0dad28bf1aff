"""What was compared, in words."""

from collections.abc import Iterable, Sequence

import polars as pl

from lingmix.analysis.generations import APART, generations
from lingmix.analysis.groups import STEPS, keys, scale_name
from lingmix.analysis.metric_columns import pair_columns
from lingmix.analysis.results import Results, SetResults
from lingmix.evaluation.metric_names import MAP
from lingmix.tracking.generation import is_generation


def facts(results: Results) -> list[tuple[str, str]]:
    """Labels and their words."""
    cells, evaluations, sets = results
    told = _of_training(cells, sets) if cells.height else []
    if evaluations.height:
        encoders = evaluations["encoder"].unique().sort()
        told.append(("Evaluated as they are", _listed("encoder", encoders)))
    return [*told, *generations(cells, evaluations)] + [
        (f"Evaluated on {one.name}", _listed("language", _languages(one))) for one in sets
    ]


def _of_training(cells: pl.DataFrame, sets: Sequence[SetResults]) -> list[tuple[str, str]]:
    keyed = {c for one in sets for c in keys(one.runs) if not is_generation(c)}
    differing = sorted(keyed - {"pairs", STEPS})
    return [
        ("Runs", f"{cells.height} complete; {_listed('seed', _values(cells, 'seed'))}"),
        ("Training", _training(cells)),
        ("Trained on pairs", "; ".join(_values(cells, "pairs"))),
        ("Alpha", ", ".join(f"{alpha:g}" for alpha in cells["alpha"].unique().sort())),
        ("Scale", ", ".join(map(scale_name, cells["scale"].unique().sort(nulls_last=True)))),
        *(
            (f"{column.removeprefix('param.')} differs", _apart(_values(cells, column)))
            for column in differing
        ),
        *((column.removeprefix("param."), _values(cells, column)[0]) for column in _common(cells)),
    ]


def steps(cells: pl.DataFrame) -> str:
    """How long the runs trained: `300 steps`, or that it differs."""
    values = _values(cells, STEPS)
    return f"{values[0]} steps" if len(values) == 1 else "steps differ"


def _training(cells: pl.DataFrame) -> str:
    values = _values(cells, STEPS)
    if len(values) == 1:
        return f"every run trained for {values[0]} steps"
    return f"runs trained for different numbers of steps ({', '.join(values)})"


def _common(cells: pl.DataFrame) -> list[str]:
    """Params told although all runs share them."""
    return [
        column
        for column in cells.columns
        if column.startswith("param.")
        and column != STEPS
        and not is_generation(column)
        and cells[column].n_unique() == 1
    ]


def _apart(values: list[str]) -> str:
    return f"{', '.join(values)}; {APART}"


def _languages(one: SetResults) -> list[str]:
    columns = pair_columns([*one.runs.columns, *one.encoders.columns])
    pairs = [pair for metric, pair in columns.values() if metric == MAP]
    return sorted({language for pair in pairs for language in (pair.query, pair.passage)})


def _values(cells: pl.DataFrame, column: str) -> list[str]:
    """Distinct ones, numbers in their order."""
    values = cells.select(pl.col(column).unique())
    number = pl.col(column).cast(pl.Float64, strict=False)
    return values.sort(number, column)[column].cast(pl.String).fill_null("—").to_list()


def _listed(what: str, values: Iterable[str]) -> str:
    values = list(values)
    return f"{len(values)} {what}{'s' * (len(values) != 1)} ({', '.join(values)})"
