"""Encoders evaluated as they are, whatever trained them."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from lingmix.analysis.measures import SCORED, measures


def evaluated(evaluations: pl.DataFrame, set_name: str) -> pl.DataFrame:
    """One row an evaluation: `encoder`, `settings` (in words, what tells the evaluations of this
    encoder apart) and `measures`; of those alike the first, which is the newest.
    """
    params = [c for c in evaluations.columns if c.startswith("param.") and _bears_on(set_name, c)]
    runs = evaluations.select(
        "encoder", pl.col(params).cast(pl.String), *measures(evaluations, set_name)
    ).filter(SCORED)
    apart = {
        encoder: [c for c in params if part[c].n_unique() > 1]
        for (encoder,), part in runs.group_by("encoder")
    }
    settings = [
        ", ".join(
            f"{c.removeprefix('param.')} {row[c]}"
            for c in apart[row["encoder"]]
            if row[c] is not None
        )
        for row in runs.iter_rows(named=True)
    ]
    return (
        runs.drop(params)
        .insert_column(1, pl.Series("settings", settings, dtype=pl.String))
        .unique(["encoder", "settings"], keep="first", maintain_order=True)
        .sort("encoder", "settings")
    )


def label(row: Mapping[str, Any]) -> str:
    return ", ".join(filter(None, (row["encoder"], row["settings"])))


def _bears_on(set_name: str, param: str) -> bool:
    """What another evaluation set was read from changes nothing here."""
    place = "param.evaluation."
    return not param.startswith(place) or param.startswith(f"{place}{set_name}.")
