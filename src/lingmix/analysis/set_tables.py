"""The tables of scores and of language bias that an evaluation set gets."""

from typing import NamedTuple

import polars as pl

from lingmix.analysis.baselines import evaluated
from lingmix.analysis.generations import generations, in_lines
from lingmix.analysis.groups import measured
from lingmix.analysis.metric_columns import evaluation_sets
from lingmix.analysis.summary import summarise
from lingmix.analysis.table import TextTable, encoder_table, markdown_table, summary_table
from lingmix.evaluation.bias import BIAS
from lingmix.evaluation.metric_names import SETTINGS

SCORES = (*SETTINGS, "rank_distance")
ENCODERS_TITLE = "Encoders evaluated as they are"
BIAS_TITLE = "Language bias"


class SetTables(NamedTuple):
    """Without rows where nothing was measured."""

    scores: TextTable
    encoders: TextTable
    bias: TextTable
    encoder_bias: TextTable


def set_tables(runs: pl.DataFrame, encoders: pl.DataFrame) -> SetTables:
    """Of what `cells.measured` and `encoders.evaluated` hold."""
    summary = summarise(runs)
    pooled = pl.any_horizontal(pl.col([*BIAS]).is_not_null())
    return SetTables(
        scores=summary_table(summary, SCORES),
        encoders=encoder_table(encoders, SCORES),
        bias=summary_table(summary.filter(pooled), [*BIAS]),
        encoder_bias=encoder_table(encoders.filter(pooled), [*BIAS]),
    )


def markdown(tables: SetTables) -> str:
    titled = (
        ("", [tables.scores]),
        (ENCODERS_TITLE, [tables.encoders]),
        (BIAS_TITLE, [tables.bias, tables.encoder_bias]),
    )
    parts = []
    for title, some in titled:
        filled = [markdown_table(table) for table in some if table.rows]
        parts += [f"### {title}\n"] * bool(title and filled) + filled
    return "\n".join(parts)


def every_set(trained: pl.DataFrame, as_they_are: pl.DataFrame) -> str:
    """The tables of all evaluation sets, for the terminal, and of what code, hardware, libraries
    and data they are."""
    told = [
        f"{one}\n\n{markdown(set_tables(measured(trained, one), evaluated(as_they_are, one)))}"
        for one in evaluation_sets(trained, as_they_are)
    ]
    return "\n".join([*told, *in_lines(generations(trained, as_they_are))])
