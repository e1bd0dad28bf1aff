"""What the page says of one evaluation set."""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from lingmix.analysis.answer import Answer, contests
from lingmix.analysis.answer_tables import AnswerTables, answer_tables
from lingmix.analysis.gains import gains
from lingmix.analysis.groups import gaps
from lingmix.analysis.metric_columns import SCORED, pair_columns
from lingmix.analysis.page.figures.figure import Figure
from lingmix.analysis.page.figures.gallery import (
    Album,
    AnswerFigures,
    albums,
    answer_figures,
    bias_maps,
    slug,
    transfer_maps,
)
from lingmix.analysis.results import SetResults
from lingmix.analysis.table import SetTables, TextTable, contest_table, gain_table
from lingmix.analysis.transfer_rows import TRANSFER_CAPTION, transfer_said, transfer_table


class Export(NamedTuple):
    """A table for other programs: its numbers, and as it is printed."""

    stem: str
    caption: str
    numbers: pl.DataFrame
    text: TextTable


class Shown(NamedTuple):
    """An answer with what it is read off."""

    answer: Answer
    figures: AnswerFigures
    tables: AnswerTables


class Section(NamedTuple):
    name: str
    gaps: list[str]
    tables: SetTables
    contests: TextTable
    gains: TextTable
    albums: list[Album]
    bias_maps: list[Figure]
    exports: list[Export]
    answers: list[Shown]
    transfer: list[Figure]
    transfer_said: list[str]

    @property
    def figures(self) -> list[Figure]:
        return [
            *self.transfer,
            *(one for shown in self.answers for part in shown.figures for one in part),
            *(one for album in self.albums for one in album.figures),
            *self.bias_maps,
        ]

    def choices(self, *columns: str) -> list[str]:
        """The values of these columns that a reader can choose from."""
        found = {
            value: None
            for figure in self.figures
            for column in columns
            if column in figure.data.columns
            for value in figure.data[column].unique(maintain_order=True)
        }
        return [*found]


def section_of(one: SetResults, trained: str) -> Section:
    """`trained` says for how long."""
    compared, gained = contests(one.answers), gains(one.summary).filter(SCORED)
    contest_rows, gain_rows = contest_table(compared), gain_table(gained)
    answers = [_shown(answer, number) for number, answer in enumerate(one.answers, start=1)]
    tables = [
        ("scores", f"mAP ({trained})", one.summary, one.tables.scores),
        ("encoders", "mAP of encoders evaluated as they are", one.encoders, one.tables.encoders),
        ("differences", "an alpha minus another", compared, contest_rows),
        ("gains", "mAP of hybrids minus that of the better pure strategy", gained, gain_rows),
        ("transfer", TRANSFER_CAPTION, one.transfer, transfer_table(one.transfer)),
        ("bias", "Language bias", one.summary, one.tables.bias),
        ("encoder-bias", "Language bias of encoders", one.encoders, one.tables.encoder_bias),
        *(table for number, shown in enumerate(answers, start=1) for table in _of(shown, number)),
    ]
    return Section(
        name=one.name,
        gaps=gaps(one.runs),
        tables=one.tables,
        contests=contest_rows,
        gains=gain_rows,
        albums=list(albums(one.runs, one.summary, set_name=one.name, steps=trained)),
        bias_maps=bias_maps(one.runs, one.encoders, set_name=one.name),
        exports=[_export(one.name, *table) for table in tables if table[-1].rows],
        answers=answers,
        transfer=transfer_maps(one.transfer, set_name=one.name),
        transfer_said=[*transfer_said(one.transfer)],
    )


def _shown(answer: Answer, number: int) -> Shown:
    return Shown(answer, answer_figures(answer, number=number), answer_tables(answer))


def _of(shown: Shown, number: int) -> Iterator[tuple[str, str, pl.DataFrame, TextTable]]:
    for what, table in shown.tables._asdict().items():
        name = what.replace("_", "-")
        yield f"answer-{number}-{name}", f"{table.title}. {table.note}", table.numbers, table.text


def _export(
    set_name: str, what: str, caption: str, numbers: pl.DataFrame, text: TextTable
) -> Export:
    numbers = numbers.select(pl.exclude([*pair_columns(numbers.columns)]))
    return Export(f"{slug(set_name)}-{what}", f"{set_name}: {caption}", numbers, text)
