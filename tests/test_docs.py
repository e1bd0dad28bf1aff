"""The README and the documentation say what is there: commands, paths, recorded figures."""

import csv
import re
import shlex
from itertools import zip_longest
from pathlib import Path
from tomllib import loads

import pytest
from docs import configuration_pages
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from omegaconf import OmegaConf

from lingmix.cli.config import CONF, checked
from lingmix.cli.failures import input_errors
from lingmix.cli.reading import arguments
from lingmix.errors import InputError

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PACKAGE = ROOT / "src" / "lingmix"
FIGURES = ROOT / "docs" / "figures"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md") if (ROOT / name).is_file()),
    *sorted((ROOT / "docs").rglob("*.md")),
]
GENERATED = "docs/reference/configuration/"
SCRIPTS = loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
LEAST_COMMANDS = 40
"""Fewer would mean that they are no longer found in the text."""


BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def commands(page: Path) -> list[list[str]]:
    """Words of each command in code, inline or in a block of its own."""
    text = page.read_text("utf-8")
    blocks = BLOCK.findall(text)
    inline = re.findall(r"`([^`]+)`", BLOCK.sub("", text))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    found = [re.sub("<[^>]+>", "x", " ".join(line.split())) for line in [*lines, *inline]]
    return [
        shlex.split(line, comments=True)
        for line in found
        if re.match(r"(lingmix-[a-z]+|make)( |$)", line) and "..." not in line
    ]


TYPED = {" ".join(words): (page_name(page), words) for page in PAGES for words in commands(page)}
TRIED = {line: words for line, (_, words) in TYPED.items() if words[0] != "make"}


def test_the_pages_show_commands():
    assert len(TYPED) >= LEAST_COMMANDS


@pytest.mark.parametrize("line", sorted(TYPED))
def test_a_command_exists(line):
    page, (name, *given) = TYPED[line]
    if name != "make":
        assert name in SCRIPTS, page
        return
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    benchmarks = [path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py")]
    for word in given:
        key, _, value = word.partition("=")
        assert (value in benchmarks) if key == "NAME" else (word in targets), page


def values_of(override: Override) -> list[str]:
    """The override with each value that a sweep would give it."""
    key = override.input_line.partition("=")[0]
    if not override.is_sweep_override():
        return [override.input_line]
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [f"{key}={value.start}"]
    return [f"{key}={one}" for one in override.sweep_string_iterator()]


def test_its_overrides_compose_to_settings_that_the_command_takes():
    """Each value of a sweep is tried, beside the first ones of the other keys."""
    failed = []
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for line, (name, *given) in TRIED.items():
            command = name.removeprefix("lingmix-")
            if re.search(r" (-sc|--help|--cfg|--config-dir=)", line):
                continue  # shows something, or reads a folder of the user's
            overrides = arguments([word for word in given if not word.startswith("-")])
            parsed = OverridesParser.create().parse_overrides(overrides)
            if any(one.key_or_group == "sweep" for one in parsed) and "-m" not in given:
                failed.append(f"{line}: a sweep without -m")
            first, *others = [*zip_longest(*map(values_of, parsed))] or [()]
            for row in [first, *others]:
                chosen = [one or usual for one, usual in zip(row, first, strict=True)]
                if command in ("evaluate", "mine") and not any("encoder" in one for one in chosen):
                    chosen.append("encoder.name=folder")
                if command == "augment" and not any("passages.path" in one for one in chosen):
                    chosen.append("passages.path=passages.jsonl")
                try:
                    with input_errors(command):
                        config = compose(command, chosen, return_hydra_config=True)
                        config = OmegaConf.masked_copy(config, [*set(config) - {"hydra"}])
                        checked(config, command)
                except InputError as error:
                    failed.append(f"{line}: {error}")
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_what_a_page_links_to_exists(page):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    for target in targets:
        if "://" not in target:
            path = (page.parent / target).resolve().relative_to(ROOT).as_posix()
            assert path.startswith(GENERATED) or (ROOT / path).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_the_files_that_a_page_names_exist(page):
    """Of the repository, or of the package."""
    code = re.findall(r"`([\w.*-]+/[\w./*-]*)`", page.read_text("utf-8"))
    first = {path.name for folder in (ROOT, PACKAGE) for path in folder.iterdir()} - {"multirun"}
    for path in code:
        if path.partition("/")[0] in first:
            assert any(True for folder in (ROOT, PACKAGE) for _ in folder.glob(path)), path


def tables(page: Path) -> list[tuple[str, list[list[str]]]]:
    """Each table that cites a file of figures, as rows of cells without emphasis."""
    found = re.findall(
        r"<!-- figures: (\S+) -->\n\n((?:\|.*\n)+)", page.read_text("utf-8"), re.MULTILINE
    )
    return [
        (
            file,
            [
                [re.sub(r"\*\*|`", "", cell).strip() for cell in line.strip("|").split("|")]
                for line in table.splitlines()
                if not re.fullmatch(r"[|: -]+", line)
            ],
        )
        for file, table in found
    ]


def recorded(file: str) -> list[list[str]]:
    """Rows of a file of figures; its first lines are the commands that made them."""
    lines = (FIGURES / file).read_text("utf-8").splitlines()
    assert lines[0].startswith("# ")
    return list(csv.reader(line for line in lines if not line.startswith("# ")))


@pytest.mark.parametrize("page", [page for page in PAGES if tables(page)], ids=page_name)
def test_a_table_shows_the_recorded_figures(page):
    for file, rows in tables(page):
        assert rows == recorded(file), file


def test_every_recorded_figure_is_cited():
    cited = {file for page in PAGES for file, _ in tables(page)}
    assert cited == {path.name for path in FIGURES.iterdir()}


def test_what_the_readme_says_of_the_demo_is_in_its_answer():
    """Which the demo's report begins with; what is left out is marked."""
    answer = (ROOT / "docs" / "demo-answer.txt").read_text("utf-8")
    quoted = " ".join(line[2:] for line in README.splitlines() if line.startswith("> "))
    parts = [part.strip() for part in quoted.split("[...]")]
    assert len(parts) > 1
    assert [part for part in parts if part not in answer.replace("\n", " ")] == []


def test_the_bold_scores_of_a_scale_are_its_best():
    """The report marks them; the least distance is the best."""
    table = re.search(r"<!-- figures: demo.csv -->\n\n((?:\|.*\n)+)", README)[1]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]
    ]
    for column, best in ((2, max), (3, max), (4, max), (5, min)):
        for scale in {row[0] for row in rows}:
            cells = [row[column] for row in rows if row[0] == scale]
            means = [float(cell.strip("*").split()[0]) for cell in cells]
            assert [cell.startswith("**") for cell in cells] == [
                mean == best(means) for mean in means
            ]


def test_the_reference_has_every_key_with_its_type_and_its_meaning():
    """The meaning is the comment of a file in `conf/`."""
    pages = configuration_pages.pages()
    rows = [
        (path, line)
        for path, text in pages.items()
        for line in text.splitlines()
        if re.match(r"\| `(?!_target_|_partial_|[\w.]+\._target_|[\w.]+\._partial_)", line)
        and line.count(" | ") > 1
    ]
    assert len(rows) > 300
    assert [row for row in rows if re.fullmatch(r"\| `[^`]+` \| (`.*`)? ?\| +\|.*", row[1])] == []
    assert [row for row in rows if re.search(r"\| +\|$", row[1])] == []
    sampler = pages["reference/configuration/sampler.md"]
    assert "| `batch_size` | `64` | a whole number of at least 1 | pairs |" in sampler
