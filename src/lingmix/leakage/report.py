"""The report of an audit: a row an overlap, a table of counts, and metrics of a run."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

import polars as pl

from lingmix.atomic import atomic_file
from lingmix.leakage.overlap import Kind, Overlap, Role
from lingmix.text_table import format_table

STEM = "leakage"
COLUMNS = {
    "evaluation_set": pl.String,
    "leak": pl.Boolean,
    "kind": pl.String,
    "similarity": pl.Float64,
    "source": pl.String,
    "item_id": pl.String,
    "field": pl.String,
    "text": pl.String,
    "role": pl.String,
    "evaluation_id": pl.String,
    "evaluation_text": pl.String,
}


def overlap_rows(overlaps: Iterable[Overlap]) -> pl.DataFrame:
    """A row an overlap, leaks first."""
    rows = [one._asdict() | {"leak": one.is_leak} for one in overlaps]
    frame = pl.DataFrame(rows, COLUMNS)
    return frame.sort("leak", descending=True, maintain_order=True)


def write_overlaps(overlaps: Iterable[Overlap], folder: Path) -> None:
    """Writes the rows as `leakage.parquet` and `leakage.csv`."""
    rows = overlap_rows(overlaps)
    for form, write in (("parquet", rows.write_parquet), ("csv", rows.write_csv)):
        with atomic_file(folder / f"{STEM}.{form}") as file:
            write(file)


def overlap_table(overlaps: Sequence[Overlap], sets: Sequence[str]) -> str:
    """A row for each set and role of its texts that training holds, a column for each kind; the
    counts are of evaluation texts."""
    kinds: Sequence[Kind] = get_args(Kind)
    rows = []
    for name in sets:
        for role in get_args(Role):
            found = [one for one in overlaps if (one.evaluation_set, one.role) == (name, role)]
            counts = [len({one.evaluation_id for one in found if one.kind == of}) for of in kinds]
            leaked = len({one.evaluation_id for one in found if one.is_leak})
            rows.append((name, role, *map(str, (*counts, leaked))))
    head = ("set", "role", *kinds, "leaked")
    return format_table(head, rows, figures=slice(2, None))


def audit_metrics(overlaps: Iterable[Overlap], sets: Iterable[str]) -> dict[str, float]:
    """How many texts of each set are leaked, and how many of its passages are shared without."""
    ids: dict[tuple[str, bool], set[tuple[Role, str]]] = {}
    for one in overlaps:
        found = ids.setdefault((one.evaluation_set, one.is_leak), set())
        found.add((one.role, one.evaluation_id))
    return {
        f"train/{what}/{name}": float(len(ids.get((name, leak), ())))
        for name in sets
        for what, leak in (("leaked", True), ("shared_passages", False))
    }
