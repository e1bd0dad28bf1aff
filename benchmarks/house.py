"""How the code itself measures: sizes, branches, documentation, repetition, imports, and how far it
is from the command to the training loop. Beside it stand the figures before version 0.2.
"""

import ast
import csv
import re
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import starmap
from pathlib import Path

import numpy as np

from benchmarks.harness.comparison import Row
from benchmarks.harness.source import (
    Definition,
    Function,
    Module,
    code_lines,
    complexity,
    cycles,
    lines_of,
    modules,
    repeated,
)

ROOT = Path(__file__).parents[1]
RECORDED = ROOT / "docs" / "figures" / "house.csv"
REPEATED_LINES = 8
MORE_IS_BETTER = ("documented",)


def compare() -> list[Row]:
    before = recorded()
    return [
        Row(
            case=figure,
            ours=value,
            unit="",
            peer=before.get(figure),
            peer_name="before 0.2",
            more_is_better=any(word in figure for word in MORE_IS_BETTER),
        )
        for figure, value in figures(ROOT).items()
    ]


def recorded() -> dict[str, float]:
    """The figures before version 0.2."""
    lines = RECORDED.read_text("utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("# "))
    return {row["figure"]: float(row["before"]) for row in rows}


def figures(root: Path) -> dict[str, float]:
    """Of a checkout."""
    package = modules(root / "src")
    every = [*package, *modules(root / "tests"), *modules(root / "benchmarks")]
    functions = [one for module in package for one in module.functions]
    sizes = {
        "lines of a file": [module.lines for module in package],
        "lines of a function": [lines_of(one) for one in functions],
        "complexity of a function": [complexity(one) for one in functions],
    }
    public = [one for module in package for one in module.public_functions]
    return {
        "files": len(package),
        **{
            f"{name}, {which}": float(np.quantile(values, share, method="nearest"))
            for name, values in sizes.items()
            for which, share in (("median", 0.5), ("p90", 0.9), ("largest", 1.0))
        },
        "public functions documented, %": _share(public),
        "imported by another room and documented, %": _share(list(imported_elsewhere(package))),
        f"places repeating {REPEATED_LINES} lines or more": len(repeated(every, REPEATED_LINES)),
        "import cycles": len(cycles(package)),
        "code lines from command to loop": sum(starmap(code_lines, command_to_loop(package))),
        **touched(root),
        "README lines": len((root / "README.md").read_text("utf-8").splitlines()),
    }


def touched(root: Path) -> dict[str, float]:
    """Files that each recipe of CONTRIBUTING.md adds or edits, the test among them."""
    recipes = root / "CONTRIBUTING.md"
    sections = recipes.read_text("utf-8").split("\n### ")[1:] if recipes.is_file() else []
    titles = {
        section.splitlines()[0]: set(re.findall(r'^```.*title="([^"]+)"', section, re.MULTILINE))
        for section in sections
    }
    return {
        f"files touched: {name[0].lower()}{name[1:]}": len(files) + 1
        for name, files in titles.items()
        if files
    }


def _share(nodes: Sequence[Definition]) -> float:
    """In percent, of those that have a docstring."""
    return 100 * sum(ast.get_docstring(one) is not None for one in nodes) / len(nodes)


def imported_elsewhere(package: Sequence[Module]) -> Iterator[Definition]:
    """Functions and classes that a module of another room imports."""
    by_name = {module.name: module for module in package}
    found = {
        (source, name)
        for module in package
        for source, name in module.imported.values()
        if source in by_name and by_name[source].room != module.room
    }
    for source, name in sorted(found):
        if name in by_name[source].definitions:
            yield by_name[source].definitions[name]


def command_to_loop(package: Sequence[Module]) -> Iterator[tuple[Module, Function, int]]:
    """The shortest chain of functions from the one that `lingmix-train` starts to the one that
    calls Lightning's `fit`; each with the line where it calls the next."""
    by_name = {module.name: module for module in package}
    first = next(name for name in ("lingmix.commands.train", "lingmix.train") if name in by_name)
    waiting: deque[list[tuple[str, str, int]]] = deque([[(first, "train", 0)]])
    passed: set[tuple[str, str]] = set()
    while waiting:
        path = waiting.popleft()
        module, name = by_name[path[-1][0]], path[-1][1]
        function = module.definitions.get(name)
        if not isinstance(function, Function) or (module.name, name) in passed:
            continue
        passed.add((module.name, name))
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "trainer.fit":
                calls = [*(line for _, _, line in path[1:]), node.lineno]
                yield from _chain(by_name, path, calls)
                return
        names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
        for node in sorted(names, key=lambda one: (one.lineno, one.col_offset)):
            source, attribute = module.imported.get(node.id, (module.name, node.id))
            if source in by_name:
                waiting.append([*path, (source, attribute, node.lineno)])
    raise LookupError("no function that the command leads to calls trainer.fit")


def _chain(
    by_name: Mapping[str, Module], path: Sequence[tuple[str, str, int]], calls: Sequence[int]
) -> Iterator[tuple[Module, Function, int]]:
    for (source, name, _), line in zip(path, calls, strict=True):
        function = by_name[source].definitions[name]
        assert isinstance(function, Function)
        yield by_name[source], function, line


if __name__ == "__main__":
    for figure, value in figures(Path(sys.argv[1])).items():
        print(f"{figure}: {value:g}")
