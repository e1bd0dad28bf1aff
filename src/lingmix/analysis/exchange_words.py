"""What a cross-lingual point costs in monolingual ones, in words."""

from collections.abc import Iterator

import polars as pl

from lingmix.analysis.frontier_rows import Row
from lingmix.analysis.table import ranged, signed

UNDEFINED, UNTOLD = "undefined", "cannot be told"


def rate(row: Row) -> str:
    """Returns the rate with its bounds, undefined where nothing is gained; it cannot be told where
    the interval of what is gained holds 0, as by Fieller's condition its own is unbounded, or comes
    near (`frontier_rows.SURE_GAIN`)."""
    if row["rate"] is not None:
        return ranged(row, "rate", 2, number=_plain)
    return UNDEFINED if row["gained_high"] <= 0 else UNTOLD


def exchange_said(rows: pl.DataFrame) -> Iterator[str]:
    """Yields the rate of each step between alphas that has one; `rows` are of `Answer.exchange`."""
    for row in rows.iter_rows(named=True):
        if row["rate"] is None:
            continue
        step = f"From alpha {row['alpha_from']:g} to {row['alpha_to']:g}"
        gained, paid = (_plain(100 * row[name], 1) for name in ("gained", "paid"))
        if row["paid_high"] <= 0:
            yield f"{step}, {gained} cross-lingual points are gained and no monolingual ones paid."
            continue
        cost, bounds = rate(row).split(" ", 1)
        yield (
            f"{step}, each cross-lingual point gained costs {cost} monolingual points {bounds}: "
            f"{gained} are gained, {paid} paid."
        )


def exchange_not_found(rows: pl.DataFrame) -> Iterator[str]:
    """Yields the steps that have no rate, and why."""
    for row in rows.iter_rows(named=True):
        if row["rate"] is not None:
            continue
        step = f"from alpha {row['alpha_from']:g} to {row['alpha_to']:g}"
        gained, paid = (ranged(row, name, number=signed) for name in ("gained", "paid"))
        yield (
            f"The exchange rate {step}: {rate(row)}, as the cross-lingual gain itself, {gained}, "
            f"{_least(row)}; the monolingual loss is {paid}."
        )


def _least(row: Row) -> str:
    if rate(row) == UNDEFINED:
        return "is none"
    return "may be 0" if row["gained_low"] <= 0 else "may be nearly 0"


def _plain(value: float, digits: int) -> str:
    return f"{value:z.{digits}f}".replace("-", "−")
