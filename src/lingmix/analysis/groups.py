"""Which runs may be averaged, compared and drawn together."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import polars as pl

from lingmix.analysis.generations import UNKNOWN, bears_on, generations_differ
from lingmix.analysis.metric_columns import SCORED, set_columns
from lingmix.tracking.generation import is_generation

STEPS = "param.trainer.max_steps"


def measured(cells: pl.DataFrame, set_name: str) -> pl.DataFrame:
    """One row a seed: `run_id`, the keys (see `keys`), `scale`, `alpha`, `seed` and the
    `set_columns`; of runs alike the first, which is the newest.

    Code, libraries, hardware and data are keys where they differ: what is of several generations is
    told apart and never averaged.
    """
    params = [c for c in cells.columns if c.startswith("param.") and bears_on(set_name, c)]
    runs = cells.select(
        "run_id",
        "pairs",
        pl.col(params).cast(pl.String).fill_null(UNKNOWN),
        pl.col("scale").cast(pl.Int64),
        pl.col("alpha").cast(pl.Float64),
        "seed",
        *set_columns(cells, set_name),
    ).filter(SCORED)
    same = [c for c in keys(runs) if c != "pairs" and not _tells_runs_apart(runs, c)]
    runs = runs.drop(same)
    axes = [*keys(runs), "scale", "alpha", "seed"]
    in_order = [e for c in axes for e in _order(runs, c)]
    return runs.unique(axes, keep="first", maintain_order=True).sort(in_order, nulls_last=True)


def keys(runs: pl.DataFrame) -> list[str]:
    """Columns that tell runs apart besides scale, alpha and seed."""
    return [c for c in runs.columns if c == "pairs" or c.startswith("param.")]


def groups(runs: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Rows that may share a figure, with the words that tell them from the rest ("" if all may).

    A key that follows the scale, such as steps that grow with it, does not part a curve.
    """
    apart = [c for c in keys(runs) if not _follows_scale(runs, c)]
    by_scale = runs.sort("scale", nulls_last=True, maintain_order=True)
    if not apart:
        yield "", by_scale
        return
    for _, group in by_scale.group_by(apart, maintain_order=True):
        yield key_words(group.row(0, named=True), apart), group


def curves(group: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Rows of one scale, with its name."""
    differing = [c for c in keys(group) if group[c].n_unique() > 1]
    for _, curve in group.group_by(["scale", *differing], maintain_order=True):
        row = curve.row(0, named=True)
        words = [f"scale {scale_name(row['scale'])}", key_words(row, differing)]
        yield ", ".join(filter(None, words)), curve


def gaps(runs: pl.DataFrame) -> list[str]:
    """Cells of the grid that no run fills, named."""
    absent = []
    for words, group in groups(runs):
        seeds = set(group["seed"])
        scales = group["scale"].unique().sort(nulls_last=True)
        filled = {
            (scale, alpha): set(part["seed"])
            for (scale, alpha), part in group.group_by(["scale", "alpha"])
        }
        for scale, alpha in product(scales, group["alpha"].unique().sort()):
            lost = seeds - filled.get((scale, alpha), set())
            which = f", seed {', '.join(map(str, sorted(lost)))}" if lost < seeds else ""
            if lost:
                cell = f"scale {scale_name(scale)}, alpha {alpha:g}{which}"
                absent.append(f"{words}: {cell}" if words else cell)
    return absent


def scale_name(scale: int | None) -> str:
    return "all" if scale is None else f"{scale:,}"


SCALE_NAMES = pl.col("scale").map_elements(scale_name, pl.String, skip_nulls=False)


def key_words(row: Mapping[str, Any], columns: list[str]) -> str:
    return ", ".join(f"{c.removeprefix('param.')} {row[c]}" for c in columns)


def _order(runs: pl.DataFrame, column: str) -> list[pl.Expr]:
    """Numbers by their value, generations by their age: that of the newest run comes first."""
    if is_generation(column):
        return [pl.col(column).cast(pl.Enum(runs[column].unique(maintain_order=True)))]
    return [pl.col(column).cast(pl.Float64, strict=False), pl.col(column)]


def _tells_runs_apart(runs: pl.DataFrame, column: str) -> bool:
    """False for what is the same everywhere, and for a copy of the seed."""
    if is_generation(column):
        return generations_differ(runs, column)
    copies_seed = (runs[column] == runs["seed"].cast(pl.String)).all()
    return runs[column].n_unique() > 1 and not copies_seed


def _follows_scale(runs: pl.DataFrame, column: str) -> bool:
    """Never a generation: scales that other code has run make no curve."""
    if is_generation(column):
        return False
    return runs.group_by("scale").agg(pl.col(column).n_unique())[column].max() == 1
