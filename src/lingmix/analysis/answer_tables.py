"""An answer's numbers as text, with marks where they differ for certain."""

from typing import Any

import polars as pl

from lingmix.analysis.answer import Answer
from lingmix.analysis.contest_rows import UNDECIDED
from lingmix.analysis.groups import scale_name
from lingmix.analysis.metric_columns import LABELS
from lingmix.analysis.table import ABSENT, Entry, TextTable, score, signed

FRONTIER_NOTE = (
    "In brackets: intervals over seeds and questions. *: differs from the largest alpha of its "
    "scale, as the interval of the difference leaves out 0. Front, best: probabilities of being on "
    "the Pareto front and of being best by the preference."
)
VERDICT_NOTE = "*: told apart after correction for the number of language pairs (max-T step-down)."
Row = dict[str, Any]


def frontier_table(answer: Answer) -> TextTable:
    """Returns a line per scale and alpha."""
    settings = [setting for setting in LABELS if setting in answer.frontier.columns]
    marked = _marked(answer)
    header = ("scale", "alpha", *(LABELS[setting] for setting in settings), "front", "best")
    return TextTable(
        header,
        tuple(
            (
                Entry(scale_name(row["scale"])),
                Entry(f"{row['alpha']:g}"),
                *(
                    Entry(_estimate(row, s) + "*" * ((s, row["scale"], row["alpha"]) in marked))
                    for s in settings
                ),
                *(Entry(_share(row[name])) for name in ("front", "best")),
            )
            for row in answer.frontier.iter_rows(named=True)
        ),
    )


def verdict_table(answer: Answer) -> TextTable:
    """Returns a line per scale, contest and language pair."""
    lines = [
        (
            row["pair"],
            scale_name(row["scale"]),
            f"{row['alpha']:g}",
            f"{row['against']:g}",
            f"{signed(row['difference'])}{'*' * (row['verdict'] != UNDECIDED)}",
            f"{signed(row['difference_low'])} to {signed(row['difference_high'])}",
            row["verdict"],
        )
        for row in answer.comparisons.iter_rows(named=True)
    ]
    header = ("pair", "scale", "alpha", "against", "difference", "interval", "verdict")
    return TextTable(header, tuple(tuple(map(Entry, line)) for line in lines))


def _marked(answer: Answer) -> set[tuple[str, int | None, float]]:
    """Setting, scale and alpha of what differs from the scale's largest alpha."""
    contests = answer.components.filter(
        pl.col("against") == pl.col("against").max().over("scale"),
        (pl.col("mean_low") > 0) | (pl.col("mean_high") < 0),
    )
    return {*contests.select("setting", "scale", "alpha").iter_rows()}


def _estimate(row: Row, name: str) -> str:
    if row[name] is None:
        return ABSENT
    return f"{score(row[name])} ({score(row[f'{name}_low'])} to {score(row[f'{name}_high'])})"


def _share(value: float | None) -> str:
    return ABSENT if value is None else score(value, 2)
