"""The code stays within its own limits; `make bench NAME=house` prints all of its figures."""

import ast
from pathlib import Path

import pytest
from benchmarks.harness.source import Module, complexity, lines_of, modules, repeated
from benchmarks.house import ROOT, compare, imported_elsewhere

LONGEST_FILE, LONGEST_FUNCTION, MOST_PATHS, README_LINES, REPEATED_LINES = 250, 40, 13, 130, 8
PACKAGE = modules(ROOT / "src")
FUNCTIONS = [(module, one) for module in PACKAGE for one in module.functions]


def test_files_are_short():
    assert [f"{one.name}: {one.lines}" for one in PACKAGE if one.lines > LONGEST_FILE] == []


def test_functions_are_short():
    sizes = [(lines_of(one), module.name, one.name) for module, one in FUNCTIONS]
    assert [found for found in sizes if found[0] > LONGEST_FUNCTION] == []


def test_functions_have_few_paths():
    paths = [(complexity(one), module.name, one.name) for module, one in FUNCTIONS]
    assert [found for found in paths if found[0] > MOST_PATHS] == []


def test_nothing_is_written_twice():
    every = [*PACKAGE, *modules(ROOT / "tests"), *modules(ROOT / "benchmarks")]
    assert repeated(every, REPEATED_LINES) == []


def test_what_another_room_imports_is_documented():
    assert [one.name for one in imported_elsewhere(PACKAGE) if not ast.get_docstring(one)] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= README_LINES


def test_each_figure_stands_beside_that_of_before():
    rows = {row.case: row for row in compare()}
    assert rows["files"].peer == 153
    assert [case for case, row in rows.items() if row.peer is None] == []
    assert rows["import cycles"].ratio is None


@pytest.fixture
def made(tmp_path: Path):
    def write(text: str, name: str = "made") -> Module:
        path = tmp_path / f"{name}.py"
        path.write_text(text, "utf-8")
        return Module(name, path)

    return write


LOOP = """
def {name}({rows}):
    {found} = []
    for {row} in {rows}:
        {size} = len({row})
        if {size} > {least}:
            {found}.append({size})
        else:
            raise ValueError({row})
    return sorted({found})
"""
NAMES = {"rows": "rows", "row": "row", "found": "found", "size": "size", "name": "first"}
OTHERS = {"rows": "texts", "row": "text", "found": "kept", "size": "width", "name": "second"}


def test_a_run_with_other_names_is_repeated(made):
    one = made(LOOP.format(**NAMES, least=1), "one")
    other = made("# later\n" + LOOP.format(**OTHERS, least=20), "other")
    assert repeated([one, other], 8) == [f"{one.path}:2 ~ {other.path}:3"]


def test_a_run_that_swaps_two_names_is_not_repeated(made):
    one = made(LOOP.format(**NAMES, least=1), "one")
    swapped = LOOP.format(**NAMES, least=1).replace("append(size)", "append(row)")
    assert repeated([one, made(swapped, "other")], 8) == []


def test_complexity_counts_the_paths_of_a_function(made):
    branches = "def f(a, b):\n    if a and b:\n        return [x for x in a if x]\n    return b\n"
    assert complexity(next(made(branches).functions)) == 4  # 1, `if`, `and`, the filter
