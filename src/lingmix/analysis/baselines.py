"""Encoders evaluated as they are, whatever trained them."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from lingmix.analysis.generations import bears_on, generation_columns
from lingmix.analysis.metric_columns import SCORED, set_columns
from lingmix.tracking.generation import is_generation


def evaluated(evaluations: pl.DataFrame, set_name: str) -> pl.DataFrame:
    """One row an evaluation: `encoder`, `settings` (in words, what tells the evaluations of this
    encoder apart, and of which generation it is where the set's evaluations are of several) and
    the set's columns; of those alike the first, which is the newest.
    """
    params = [c for c in evaluations.columns if c.startswith("param.") and bears_on(set_name, c)]
    runs = evaluations.select(
        "encoder", pl.col(params).cast(pl.String), *set_columns(evaluations, set_name)
    ).filter(SCORED)
    apart = {
        encoder: [c for c in params if not is_generation(c) and part[c].n_unique() > 1]
        for (encoder,), part in runs.group_by("encoder")
    }
    settings = [_words(row, apart[row["encoder"]]) for row in runs.iter_rows(named=True)]
    runs = runs.with_columns(settings=pl.Series(settings, dtype=pl.String))
    runs = runs.unique(["encoder", "settings"], keep="first", maintain_order=True)
    differing = generation_columns(runs)
    told = [
        ", ".join(filter(None, [row["settings"], _words(row, differing)]))
        for row in runs.iter_rows(named=True)
    ]
    return (
        runs.drop(params, "settings")
        .insert_column(1, pl.Series("settings", told, dtype=pl.String))
        .sort("encoder", "settings")
    )


def label(row: Mapping[str, Any]) -> str:
    return ", ".join(filter(None, (row["encoder"], row["settings"])))


def _words(row: Mapping[str, Any], columns: list[str]) -> str:
    known = [c for c in columns if row[c] is not None]
    return ", ".join(f"{c.removeprefix('param.')} {row[c]}" for c in known)
