"""An answer's numbers as text, with marks where they differ for certain."""

from typing import NamedTuple

import polars as pl

from lingmix.analysis.answer import Answer
from lingmix.analysis.contest_rows import UNDECIDED
from lingmix.analysis.exchange_words import UNTOLD, rate
from lingmix.analysis.frontier_rows import Row
from lingmix.analysis.groups import scale_name
from lingmix.analysis.metric_columns import LABELS
from lingmix.analysis.predictor_rows import PREDICTORS
from lingmix.analysis.scale_tables import (
    BEST_NOTE,
    LAW_NOTE,
    MOVES_NOTE,
    best_alpha_table,
    law_table,
    moves_table,
)
from lingmix.analysis.table import (
    ABSENT,
    Entry,
    TextTable,
    p_value,
    ranged,
    score,
    signed,
    text_table,
)

FRONTIER_NOTE = (
    "In brackets: intervals over seeds and questions. *: differs from the largest alpha of its "
    "scale, as the interval of the difference leaves out 0. Front, best: probabilities of being on "
    "the Pareto front and of being best by the preference."
)
VERDICT_NOTE = "*: told apart after correction for the number of language pairs (max-T step-down)."
EXCHANGE_NOTE = (
    "Rate: monolingual points paid for each cross-lingual point gained, with Fieller's interval; "
    "undefined where nothing is gained. It cannot be told where what is gained may be 0, or a "
    "tenth of what it seems."
)
PREDICTOR_NOTE = (
    "What language pairs with a property gain beyond others, or for twice as much of it, all "
    "properties considered. *: differs from 0. An association is no cause. It cannot be told where "
    "the languages are too few to tell the property from those above it."
)


class AnswerTable(NamedTuple):
    """A table with what it shows."""

    title: str
    note: str
    numbers: pl.DataFrame
    text: TextTable


class AnswerTables(NamedTuple):
    """Without rows where there is nothing to say."""

    frontier: AnswerTable
    exchange: AnswerTable
    pairs: AnswerTable
    predictors: AnswerTable
    laws: AnswerTable
    best_alphas: AnswerTable
    moves: AnswerTable


def answer_tables(answer: Answer) -> AnswerTables:
    """Returns an answer's frames as they are printed."""
    return AnswerTables(
        AnswerTable("Frontier", FRONTIER_NOTE, answer.frontier, frontier_table(answer)),
        AnswerTable("Exchange rates", EXCHANGE_NOTE, answer.exchange, exchange_table(answer)),
        AnswerTable("Language pairs", VERDICT_NOTE, answer.comparisons, verdict_table(answer)),
        AnswerTable(
            "Why some pairs gain more", PREDICTOR_NOTE, answer.predictors, predictor_table(answer)
        ),
        AnswerTable("Laws of scale", LAW_NOTE, answer.laws, law_table(answer)),
        AnswerTable("Best alpha", BEST_NOTE, answer.best_alphas, best_alpha_table(answer)),
        AnswerTable("Whether the best alpha moves", MOVES_NOTE, answer.moves, moves_table(answer)),
    )


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
                    Entry(ranged(row, s) + "*" * ((s, row["scale"], row["alpha"]) in marked))
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
            *_contest(row),
            f"{signed(row['difference'])}{'*' * (row['verdict'] != UNDECIDED)}",
            f"{signed(row['difference_low'])} to {signed(row['difference_high'])}",
            row["verdict"],
        )
        for row in answer.comparisons.iter_rows(named=True)
    ]
    header = ("pair", "scale", "alpha", "against", "difference", "interval", "verdict")
    return text_table(header, lines)


def exchange_table(answer: Answer) -> TextTable:
    """Returns a line per scale and step between neighbouring alphas."""
    lines = [
        (
            scale_name(row["scale"]),
            *(f"{row[alpha]:g}" for alpha in ("alpha_from", "alpha_to")),
            *(ranged(row, name, number=signed) for name in ("gained", "paid")),
            rate(row),
        )
        for row in answer.exchange.iter_rows(named=True)
    ]
    header = ("scale", "from alpha", "to", "cross-lingual gained", "monolingual paid", "rate")
    return text_table(header, lines)


def predictor_table(answer: Answer) -> TextTable:
    """Returns a line per scale, contest and property of language pairs."""
    lines = [
        (
            f"pairs {PREDICTORS[row['predictor']].words}",
            *_contest(row),
            _effect(row, answer.level),
            p_value(row["p"]),
        )
        for row in answer.predictors.iter_rows(named=True)
    ]
    return text_table(("property", "scale", "alpha", "against", "gain more", "p"), lines)


def _effect(row: Row, level: float) -> str:
    if row["p"] is None:
        return UNTOLD
    return f"{ranged(row, 'effect', number=signed)}{'*' * (row['p'] <= 1 - level)}"


def _contest(row: Row) -> tuple[str, str, str]:
    return scale_name(row["scale"]), f"{row['alpha']:g}", f"{row['against']:g}"


def _marked(answer: Answer) -> set[tuple[str, int | None, float]]:
    """Setting, scale and alpha of what differs from the scale's largest alpha."""
    contests = answer.components.filter(
        pl.col("against") == pl.col("against").max().over("scale"),
        (pl.col("mean_low") > 0) | (pl.col("mean_high") < 0),
    )
    return {*contests.select("setting", "scale", "alpha").iter_rows()}


def _share(value: float | None) -> str:
    return ABSENT if value is None else score(value, 2)
