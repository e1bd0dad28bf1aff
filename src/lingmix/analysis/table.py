"""Numbers as text: the tables of the report and of the terminal."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import polars as pl

from lingmix.analysis.baselines import label
from lingmix.analysis.generations import generation_columns
from lingmix.analysis.groups import keys, scale_name
from lingmix.analysis.metric_columns import LABELS, measures
from lingmix.evaluation.bias import BIAS
from lingmix.evaluation.metric_names import SETTINGS
from lingmix.tracking.generation import column_label

ABSENT = "—"
SCORES = (*SETTINGS, "rank_distance")
ENCODERS_TITLE = "Encoders evaluated as they are"
BIAS_TITLE = "Language bias"
Row = dict[str, Any]
Numeral = Callable[[float, int], str]
"""Formats a number to some digits."""


class Entry(NamedTuple):
    text: str
    best: bool = False


class TextTable(NamedTuple):
    header: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]


class SetTables(NamedTuple):
    """Without rows where nothing was measured."""

    scores: TextTable
    encoders: TextTable
    bias: TextTable
    encoder_bias: TextTable


def set_tables(summary: pl.DataFrame, encoders: pl.DataFrame) -> SetTables:
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


def summary_table(summary: pl.DataFrame, columns: Sequence[str]) -> TextTable:
    def entries(row: Row) -> list[Entry]:
        return [
            Entry(str(row["seeds"])),
            *(Entry(estimate(row, column), best=row[f"{column}_best"]) for column in columns),
        ]

    return _rows(summary, ("seeds", *_labels(columns)), entries)


def encoder_table(encoders: pl.DataFrame, columns: Sequence[str]) -> TextTable:
    lines = [
        [label(row), *(_shown(row, column) for column in columns)]
        for row in encoders.iter_rows(named=True)
    ]
    return text_table(("encoder", *_labels(columns)), lines)


def contest_table(contests: pl.DataFrame) -> TextTable:
    """Of rows of `contests`: the differences of each setting with their intervals."""
    groups = contests["group"].n_unique() > 1 if contests.height else False
    lines = [
        [
            *([row["group"]] if groups else []),
            *_place(row),
            f"{row['against']:g}",
            *(ranged(row, setting, number=signed) for setting in SETTINGS),
        ]
        for row in contests.iter_rows(named=True)
    ]
    head = (*(["runs"] if groups else []), "scale", "alpha", "against alpha")
    return text_table((*head, *(LABELS[s] for s in SETTINGS)), lines)


def gain_table(gains: pl.DataFrame) -> TextTable:
    def entry(row: Row, setting: str) -> Entry:
        over = row[f"{setting}_over"]
        return Entry(ABSENT if over is None else f"{signed(row[setting])} over alpha {over}")

    return _rows(
        gains,
        tuple(LABELS[s] for s in SETTINGS),
        lambda row: [entry(row, s) for s in SETTINGS],
    )


def run_table(cells: pl.DataFrame) -> TextTable:
    apart = generation_columns(cells)
    rows = cells.sort("run_name", "run_id").iter_rows(named=True)
    lines = [
        [row["run_name"], row["run_id"], row["pairs"], *_place(row), str(row["seed"])]
        + [row[column] or ABSENT for column in apart]
        for row in rows
    ]
    head = ("run", "MLflow id", "pairs", "scale", "alpha", "seed", *map(column_label, apart))
    return text_table(head, lines)


def evaluation_table(evaluations: pl.DataFrame) -> TextTable:
    apart = generation_columns(evaluations)
    rows = evaluations.sort("encoder", maintain_order=True).iter_rows(named=True)
    lines = [
        [row["encoder"], row["run_id"], *(row[column] or ABSENT for column in apart)]
        for row in rows
    ]
    return text_table(("encoder", "MLflow id", *map(column_label, apart)), lines)


def text_table(header: tuple[str, ...], lines: Iterable[Iterable[str]]) -> TextTable:
    """Makes a table in which nothing is the best."""
    return TextTable(header, tuple(tuple(map(Entry, line)) for line in lines))


def markdown_table(table: TextTable) -> str:
    """The best in bold."""
    lines = [table.header, ["---"] * len(table.header)]
    lines += [[f"**{e.text}**" if e.best else e.text for e in row] for row in table.rows]
    return "\n".join("| " + " | ".join(map(_one_cell, line)) + " |" for line in lines) + "\n"


def estimate(row: Row, measure: str) -> str:
    """`mean ± spread`, or the mean alone where one seed tells no spread; ` (n 2)` after what fewer
    seeds have than the row."""
    spread = row[f"{measure}_spread"]
    told = "" if row[measure] is None or spread is None else f" ± {_size(spread, measure)}"
    return f"{_shown(row, measure)}{told}{_fewer(row, measure)}"


def score(value: float, digits: int = 3) -> str:
    """As papers print them: .227, and 1.000."""
    text = f"{value:z.{digits}f}".replace("-", "−")
    return text.replace("0.", ".", 1) if abs(value) < 1 and "1." not in text else text


def signed(value: float | None, digits: int = 3) -> str:
    if value is None:
        return ABSENT
    text = score(value, digits)
    return text if text.startswith("−") else f"+{text}"


def ranged(row: Row, name: str, digits: int = 3, *, number: Numeral = score) -> str:
    """A value with its interval: `.70 (.69 to .71)`."""
    if row.get(name) is None:
        return ABSENT
    value, low, high = (number(row[f"{name}{end}"], digits) for end in ("", "_low", "_high"))
    return f"{value} ({low} to {high})"


def p_value(p: float | None) -> str:
    if p is None:
        return ABSENT
    return "below .01" if p < 0.01 else score(p, 2)


def _fewer(row: Row, measure: str) -> str:
    seeds = row[f"{measure}_seeds"]
    return f" (n {seeds})" if 0 < seeds < row["seeds"] else ""


def _labels(columns: Sequence[str]) -> list[str]:
    known = measures()
    return [known[column].label for column in columns]


def _shown(row: Row, column: str) -> str:
    value = row[column]
    if value is None:
        return ABSENT
    return signed(value) if measures()[column].signed else _size(value, column)


def _size(value: float, column: str) -> str:
    """A share, or a number of places, which keeps its leading zero."""
    digits = measures()[column].digits
    return score(value, digits) if digits > 1 else f"{value:.{digits}f}"


def _rows(
    frame: pl.DataFrame, header: Sequence[str], entries: Callable[[Row], Iterable[Entry]]
) -> TextTable:
    """Lines led by what differs: keys with one value over all are left out."""
    shown = [c for c in keys(frame) if frame[c].n_unique() > 1]
    rows = tuple(
        (*(Entry(str(row[c])) for c in shown), *map(Entry, _place(row)), *entries(row))
        for row in frame.iter_rows(named=True)
    )
    names = [c.removeprefix("param.") for c in shown]
    return TextTable((*names, "scale", "alpha", *header), rows)


def _place(row: Row) -> tuple[str, str]:
    return scale_name(row["scale"]), f"{row['alpha']:g}"


def _one_cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
