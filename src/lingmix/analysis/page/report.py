"""The report: one page that stands alone, its figures and tables beside it."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from lingmix.analysis.metric_columns import pair_columns
from lingmix.analysis.overview import facts, steps
from lingmix.analysis.page.figures.figure import png
from lingmix.analysis.page.latex import latex
from lingmix.analysis.page.script import page_script
from lingmix.analysis.page.section import Section, section_of
from lingmix.analysis.results import Results, SetResults
from lingmix.analysis.table import evaluation_table, markdown, run_table
from lingmix.atomic import atomic_file
from lingmix.evaluation.bias import BIAS

PAGE = "report.html"
NOTE = (
    "mAP, averaged over languages or language pairs. Rank distance: how far apart the translations "
    "of one passage are ranked; lower is better."
)
SEEDS_NOTE = (
    "Mean ± one sample standard deviation over seeds (the mean alone where there is one seed); n: "
    "how many have the measure, where not all do. "
    "Bold: the best alpha of a scale, in language bias the least biased one."
)


def write_report(
    results: Results,
    *,
    name: str,
    folder: Path,
    missing: Sequence[str] = (),
    left_out: Sequence[str] = (),
    commands: Sequence[str] = (),
    cache: Path | None = None,
) -> list[Path]:
    """Files written, the page first.

    `missing` names runs that are not complete, `left_out` counts complete ones that are not shown;
    `commands` is what to type to make all this again, `cache` a folder for what pages share.
    """
    trained = steps(results.cells) if results.cells.height else ""
    sections = [section_of(one, trained) for one in results.sets]
    stills = {one.stem: one.svg() for section in sections for one in section.figures}
    html = _template().render(
        name=name,
        note=_note(trained),
        bias_note=bias_note(),
        facts=facts(results),
        sections=sections,
        stills=stills,
        missing=missing,
        left_out=left_out,
        commands=commands,
        runs=run_table(results.cells),
        evaluations=evaluation_table(results.evaluations),
        script=page_script(cache),
    )
    contents = {
        PAGE: html.encode(),
        "table.csv": _numbers(results.sets).write_csv().encode(),
        "table.md": _markdown(sections, name, trained).encode(),
        **dict(file for section in sections for file in _files(section, stills)),
    }
    _write(folder, contents)
    return [folder / file for file in contents]


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    """The page last, so that whatever it links to is there."""
    for file in reversed(contents):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as stream:
            stream.write(contents[file])


def _files(section: Section, stills: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    for figure in section.figures:
        yield f"figures/{figure.stem}.svg", stills[figure.stem].encode()
        yield f"figures/{figure.stem}.png", png(stills[figure.stem])
        yield f"figures/{figure.stem}.csv", figure.data.write_csv().encode()
    for table in section.exports:
        printed = latex(table.text, caption=table.caption, label=table.stem)
        yield f"tables/{table.stem}.csv", table.numbers.write_csv().encode()
        yield f"tables/{table.stem}.tex", printed.encode()


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


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("lingmix.analysis.page", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda text: base64.b64encode(text.encode()).decode()
    return environment.get_template("report.html.jinja")
