"""What the numbers say, in plain words."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from lingmix.analysis.groups import curves, groups
from lingmix.analysis.metric_columns import LABELS
from lingmix.analysis.significance import compare, gains
from lingmix.analysis.table import estimate, signed
from lingmix.evaluation.metric_names import SETTINGS

Row = dict[str, Any]


def findings(runs: pl.DataFrame, summary: pl.DataFrame) -> list[tuple[str, list[str]]]:
    """For each group of comparable runs (see `groups.groups`): what the best hybrid reaches at each
    scale, what that costs at the largest, and how the gain moves with the scale.
    """
    both = zip(groups(runs), groups(summary), strict=True)
    return [(words, list(_sentences(group, means))) for (words, group), (_, means) in both]


def _sentences(group: pl.DataFrame, summary: pl.DataFrame) -> Iterable[str]:
    cost = None
    for (name, curve), (_, means) in zip(curves(group), curves(summary), strict=True):
        measure = next(m for m in reversed(SETTINGS) if curve[m].count())
        rows = means.drop_nulls(measure).to_dicts()
        hybrids = [row for row in rows if 0 < row["alpha"] < 1]
        pure = sorted((r for r in rows if r["alpha"] in (0, 1)), key=lambda r: -r["alpha"])
        if not hybrids or not pure:
            yield f"{_place(name)}, {LABELS[measure]} mAP is {_listed(rows, measure)}."
            continue
        best = max(hybrids, key=lambda row: row[measure])
        differences = compare(curve).filter(alpha=best["alpha"]).drop_nulls(measure).to_dicts()
        choice = f" (the best of {len(hybrids)} hybrids)" if len(hybrids) > 1 else ""
        yield (
            f"{_place(name)}, alpha {best['alpha']:g}{choice} reaches {LABELS[measure]} mAP "
            f"{estimate(best, measure)}, against {_listed(pure, measure)}: "
            f"{_difference(differences, measure)}."
        )
        cost = _cost(best["alpha"], name, differences, measure)
    yield from filter(None, [cost, _trend(summary)])


def _place(curve: str) -> str:
    return f"Without augmentation ({curve})" if curve.startswith("scale 0") else f"At {curve}"


def _difference(differences: list[Row], measure: str) -> str:
    """To the closest pure strategy, and whether the seeds can tell it from none."""
    if not differences:
        return "no seed is shared, so the difference is not tested"
    closest = min(differences, key=lambda row: row[measure])
    told = f"{signed(closest[measure])} against alpha {closest['against']:g}"
    low, high = closest[f"{measure}_low"], closest[f"{measure}_high"]
    if low is None:
        return f"{told} (one seed, so it may be noise)"
    doubt = "" if low > 0 or high < 0 else ", so it may be noise"
    interval = f"{signed(low)} to {signed(high)}"
    return f"{told}, 95% interval {interval} over {closest[f'{measure}_seeds']} seeds{doubt}"


def _cost(alpha: float, place: str, differences: list[Row], main: str) -> str | None:
    others = [
        f"{_and(parts)} against alpha {row['against']:g}"
        for row in differences
        if (
            parts := [
                f"{signed(row[s])} {LABELS[s]}"
                for s in SETTINGS
                if s != main and row[s] is not None
            ]
        )
    ]
    if not others:
        return None
    return f"In the other settings alpha {alpha:g} means, at {place}: {'; '.join(others)}."


def _trend(summary: pl.DataFrame) -> str | None:
    """How the gain of one alpha, the best at the largest scale, moves with the scale."""
    gained = gains(summary)
    measure = next((m for m in reversed(SETTINGS) if gained[m].count()), None)
    if measure is None:
        return None
    known = gained.drop_nulls(measure)
    largest = known.filter(pl.col("scale").eq_missing(known["scale"][-1]))
    alpha = largest.sort(measure)["alpha"][-1]
    moves = [
        f"{signed(part[measure][0])} at {name}" for name, part in curves(known.filter(alpha=alpha))
    ]
    if len(moves) < 2:
        return None
    return (
        f"The gain of alpha {alpha:g} over the better pure strategy in {LABELS[measure]} mAP is "
        f"{_and(moves)}."
    )


def _listed(rows: list[Row], measure: str) -> str:
    return _and([f"{estimate(row, measure)} (alpha {row['alpha']:g})" for row in rows])


def _and(parts: list[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
