"""The trade-off report: one page that stands alone, its figures and tables beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from lingmix.analysis.findings import findings
from lingmix.analysis.groups import gaps
from lingmix.analysis.metric_columns import SCORED, pair_columns
from lingmix.analysis.overview import facts, steps
from lingmix.analysis.plots.gallery import Album, Picture, albums, bias_maps
from lingmix.analysis.results import Results, SetResults
from lingmix.analysis.significance import compare, gains
from lingmix.analysis.table import (
    SetTables,
    TextTable,
    comparison_table,
    evaluation_table,
    gain_table,
    markdown,
    run_table,
)
from lingmix.atomic import atomic_file
from lingmix.evaluation.bias import BIAS

NOTE = (
    "mAP, averaged over languages or language pairs. Rank distance: how far apart the translations "
    "of one passage are ranked; lower is better."
)
SEEDS_NOTE = (
    "Mean ± one sample standard deviation over seeds (the mean alone where there is one seed); n: "
    "how many have the measure, where not all do. "
    "Bold: the best alpha of a scale, in language bias the least biased one."
)


class Section(NamedTuple):
    """What the page says of one evaluation set."""

    name: str
    findings: list[tuple[str, list[str]]]
    gaps: list[str]
    tables: SetTables
    comparisons: TextTable
    gains: TextTable
    albums: list[Album]
    bias_maps: list[Picture]

    @property
    def pictures(self) -> list[Picture]:
        return [*(one for album in self.albums for one in album.pictures), *self.bias_maps]


def write_report(
    results: Results,
    *,
    name: str,
    folder: Path,
    missing: Sequence[str] = (),
    left_out: Sequence[str] = (),
    commands: Sequence[str] = (),
) -> list[Path]:
    """Returns the files written, the page `report.html` first.

    `missing` names runs that are not complete, `left_out` complete ones that are not shown;
    `commands` makes the runs and this report again.
    """
    cells, evaluations, sets = results
    trained = steps(cells) if cells.height else ""
    sections = [_section(one, trained) for one in sets]
    page = _environment().get_template("report.html.jinja")
    html = page.render(
        name=name,
        note=_note(trained),
        bias_note=bias_note(),
        facts=facts(results),
        sections=sections,
        missing=missing,
        left_out=left_out,
        commands=commands,
        runs=run_table(cells),
        evaluations=evaluation_table(evaluations),
    )
    contents = {
        "report.html": html.encode(),
        "table.csv": _numbers(sets).write_csv().encode(),
        "table.md": _markdown(sections, name, trained).encode(),
    } | {picture.file: picture.png for section in sections for picture in section.pictures}
    folder.mkdir(parents=True, exist_ok=True)
    for file in reversed(contents):
        with atomic_file(folder / file) as stream:
            stream.write(contents[file])
    return [folder / file for file in contents]


def _section(one: SetResults, trained: str) -> Section:
    return Section(
        name=one.name,
        findings=findings(one.runs, one.summary),
        gaps=gaps(one.runs),
        tables=one.tables,
        comparisons=comparison_table(compare(one.runs)),
        gains=gain_table(gains(one.summary).filter(SCORED)),
        albums=list(albums(one.runs, one.summary, set_name=one.name, steps=trained)),
        bias_maps=bias_maps(one.runs, one.encoders, set_name=one.name),
    )


def _note(trained: str) -> str:
    return f"{NOTE} {SEEDS_NOTE}" if trained else NOTE


def bias_note() -> str:
    """What the figures of language bias are."""
    notes = (figure.note for figure in BIAS.values())
    return " ".join(["Of the multilingual setting's pooled ranking.", *notes])


def _numbers(sets: Sequence[SetResults]) -> pl.DataFrame:
    """Of cells, which have an alpha, and of encoders evaluated as they are, which have a name."""
    tables = [
        table.select(pl.lit(one.name).alias("set"), pl.exclude([*pair_columns(table.columns)]))
        for one in sets
        for table in (one.summary, one.encoders)
    ]
    return pl.concat(tables, how="diagonal_relaxed")


def _markdown(sections: Sequence[Section], name: str, trained: str) -> str:
    about = f"{trained}. {_note(trained)}" if trained else NOTE
    tables = [f"## {section.name}\n\n{markdown(section.tables)}" for section in sections]
    return "\n".join([f"# {name}\n\n{about}\n\n{bias_note()}\n", *tables])


def _environment() -> Environment:
    loader = PackageLoader("lingmix.analysis", package_path="")
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
