"""What an experiment has measured, worked out once for all that is said of it."""

from typing import NamedTuple

import polars as pl

from lingmix.analysis.answer import Answer
from lingmix.analysis.baselines import evaluated
from lingmix.analysis.generations import generations, in_lines
from lingmix.analysis.groups import measured
from lingmix.analysis.metric_columns import evaluation_sets
from lingmix.analysis.published import with_published
from lingmix.analysis.summary import summarise
from lingmix.analysis.table import SetTables, markdown, set_tables
from lingmix.analysis.transfer_rows import transfer_said


class SetResults(NamedTuple):
    """One evaluation set: `measured`, `evaluated` and `summarise` say what their rows are; an
    answer for each group of comparable runs whose scores of each question can be read; rows of
    `transfer_rows.transfer` where the runs vary the pairs that they train on."""

    name: str
    runs: pl.DataFrame
    encoders: pl.DataFrame
    summary: pl.DataFrame
    tables: SetTables
    answers: tuple[Answer, ...] = ()
    transfer: pl.DataFrame = pl.DataFrame()


class Results(NamedTuple):
    """The rows of `history.cells` and `history.evaluations`, and each set measured in them."""

    cells: pl.DataFrame
    evaluations: pl.DataFrame
    sets: list[SetResults]


def results_of(cells: pl.DataFrame, evaluations: pl.DataFrame) -> Results:
    """Raises InputError where nothing was measured."""
    names = evaluation_sets(cells, evaluations)
    return Results(cells, evaluations, [_on_set(cells, evaluations, name) for name in names])


def _on_set(cells: pl.DataFrame, evaluations: pl.DataFrame, name: str) -> SetResults:
    runs = measured(cells, name)
    encoders = with_published(evaluated(evaluations, name), name, runs)
    summary = summarise(runs)
    return SetResults(name, runs, encoders, summary, set_tables(summary, encoders))


def in_words(results: Results) -> str:
    """The answers, for the terminal: what was found, then what was not."""
    lines = []
    for one in results.sets:
        for answer in one.answers:
            lines += ["", ", ".join(filter(None, [one.name, answer.group])), *answer.said]
            lines += [f"Not found: {line}" for line in answer.not_found]
        if told := [*transfer_said(one.transfer)]:
            lines += ["", f"{one.name}, transfer between language pairs", *told]
    return "\n".join(lines[1:])


def in_tables(results: Results) -> str:
    """The tables of all evaluation sets, for the terminal, and of what code, hardware, libraries
    and data they are."""
    sets = [f"{one.name}\n\n{markdown(one.tables)}" for one in results.sets]
    return "\n".join([*sets, *in_lines(generations(results.cells, results.evaluations))])
