"""The critical batch sizes of a sweep over batch sizes, from its recorded validation curves."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from lingmix.analysis.frontier_rows import Row, bounded
from lingmix.analysis.groups import key_words, scale_name
from lingmix.analysis.inference.critical_batch import critical_batches, growth, steps_to
from lingmix.analysis.table import score
from lingmix.tracking.validation_curves import Curve

BATCH = "param.sampler.batch_size"
FOLLOWS_BATCH = (BATCH, "param.trainer.max_steps", "param.trainer.val_check_interval")
"""Settings that may differ within a sweep over batch sizes: they do not bear on the steps to a
target."""


class Reached(NamedTuple):
    """The runs of a scale that have reached the target, and how many had by their first validation
    already."""

    alpha: float
    scale: int | None
    items: int | None
    batches: Sequence[int]
    steps: Sequence[float]
    unreached: int
    target: float


def batch_sizes(cells: pl.DataFrame, curves: Mapping[str, Curve], *, level: float) -> pl.DataFrame:
    """Returns a row for each `group` of settings, alpha and scale with three runs or more that
    differ in seed and batch size alone, and of which two batch sizes reach the target: `runs`,
    `unreached`, `target`, `critical_batch` with bounds, and `growth` with bounds, its exponent as a
    power of the data's size; null where the runs do not tell them.

    The target is the lowest of the runs' best scores, so that it does not favour a batch size. A
    run `unreached` was above it by its first validation.
    """
    rows: list[Row] = []
    for words, runs in _sweeps(cells):
        scales = (part for _, part in runs.group_by("scale", maintain_order=True))
        reached = [found for part in scales if (found := _reached(part, curves))]
        grown = _growth(reached, level)
        rows += [{"group": words} | _row(found, level) | grown for found in reached]
    return pl.DataFrame(rows, infer_schema_length=None)


def critical_batches_in_words(found: pl.DataFrame) -> list[str]:
    """The critical batch sizes, and how they grow with the data, in sentences."""
    if found.is_empty():
        return [
            "Not found: the critical batch size, as no three runs of two sizes, alike but for seed "
            "and batch size, come to a common score after their first validation; lower "
            "trainer.val_check_interval."
        ]
    lines = [
        f"At {_place(row)} and scale {scale_name(row['scale'])} the critical batch size is "
        f"{_told(row)}, by {row['runs']} runs to a score of {score(row['target'])}"
        f"{_left_out(row['unreached'])}."
        for row in found.iter_rows(named=True)
    ]
    lines += [
        f"At {_place(row)} it grows as the data's size to the power of "
        f"{score(row['growth'], 2)} ({score(row['growth_low'], 2)} to "
        f"{score(row['growth_high'], 2)})."
        for row in found.unique(["group", "alpha"], maintain_order=True).iter_rows(named=True)
        if row["growth_low"] is not None and row["growth_high"] is not None
    ]
    return lines


def swept(cells: pl.DataFrame) -> bool:
    """Whether the runs are of several batch sizes."""
    return BATCH in cells.columns and cells[BATCH].n_unique() > 1


def _sweeps(cells: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Runs alike but for seed, batch size and scale, and the words that tell them from others."""
    params = [c for c in cells.columns if c.startswith("param.") and c not in FOLLOWS_BATCH]
    params = [c for c in params if cells[c].to_list() != cells["seed"].cast(pl.String).to_list()]
    keys = ["pairs", *params]
    apart = [key for key in keys if cells[key].n_unique() > 1]
    for _, runs in cells.group_by(["alpha", *keys], maintain_order=True):
        yield key_words(runs.row(0, named=True), apart), runs.sort("scale", nulls_last=True)


def _reached(runs: pl.DataFrame, curves: Mapping[str, Curve]) -> Reached | None:
    known = [
        (curves[run], int(size))
        for run, size in runs.select("run_id", BATCH).iter_rows()
        if run in curves
    ]
    if not known:
        return None
    target = min(max(curve.scores) for curve, _ in known)
    steps = [(size, steps_to(target, *curve)) for curve, size in known]
    told = [(size, step) for size, step in steps if step is not None]
    if len(told) < 3 or len({size for size, _ in told}) < 2:
        return None
    alpha, scale, items = runs.select("alpha", "scale", "items").row(0)
    batches, reached = [size for size, _ in told], [step for _, step in told]
    return Reached(alpha, scale, items, batches, reached, len(steps) - len(told), target)


def _row(found: Reached, level: float) -> Row:
    critical = critical_batches(found.batches, np.array([found.steps]), level=level)
    size, low, high = (float(of_N[0]) for of_N in critical)
    row: Row = {"alpha": found.alpha, "scale": found.scale, "runs": len(found.steps)}
    row |= {"unreached": found.unreached, "target": found.target}
    told = low > 0 and np.isfinite(high)
    return row | bounded("critical_batch", size if told else np.nan, low or np.nan, high)


def _growth(scales: Sequence[Reached], level: float) -> Row:
    known = [(items, found) for found in scales if (items := found.items) is not None]
    if len({items for items, _ in known}) < 2:
        return bounded("growth", np.nan, np.nan, np.nan)
    log_sizes_M = np.concatenate([np.full(len(f.steps), np.log(items)) for items, f in known])
    batches = [batch for _, found in known for batch in found.batches]
    steps_M = np.array([step for _, found in known for step in found.steps])
    return bounded("growth", *growth(log_sizes_M, batches, steps_M, level=level))


def _place(row: Row) -> str:
    return ", ".join(filter(None, [row["group"], f"alpha {row['alpha']:g}"]))


def _told(row: Row) -> str:
    low, high = row["critical_batch_low"], row["critical_batch_high"]
    if row["critical_batch"] is not None:
        return f"{row['critical_batch']:,.0f} ({low:,.0f} to {high:,.0f})"
    if low is None and high is None:
        return "not identifiable"
    return f"above {low:,.0f}" if high is None else f"below {high:,.0f}"


def _left_out(unreached: int) -> str:
    return f" ({unreached} more had passed it by their first validation)" if unreached else ""
