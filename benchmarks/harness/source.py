"""The package's code as data: modules, functions, imports, repeated runs of lines."""

import ast
import io
import keyword
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef

LAYOUT = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)
BRANCHES = (ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler, ast.Assert, ast.match_case)
"""What adds a path through a function, beside the filters of comprehensions and `and`, `or`."""

LEAST_SHAPES = 5
"""Of the lines of a repeated run: a table of like lines is data and no repeated logic."""


@dataclass(frozen=True)
class Module:
    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def room(self) -> str:
        """The package below `lingmix` that it lies in; the root's own files are one room."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 2 else ""

    @property
    def definitions(self) -> dict[str, Definition]:
        return {node.name: node for node in self.tree.body if isinstance(node, Definition)}

    @property
    def functions(self) -> Iterator[Function]:
        """Of every depth."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    @property
    def public_functions(self) -> Iterator[Function]:
        """Of the module, and methods of its public classes."""
        for node in self.definitions.values():
            if not node.name.startswith("_"):
                body = node.body if isinstance(node, ast.ClassDef) else [node]
                yield from (
                    one
                    for one in body
                    if isinstance(one, Function) and not one.name.startswith("_")
                )

    @cached_property
    def imported(self) -> dict[str, tuple[str, str]]:
        """Module and name of each local name that a `from` import binds, at any depth of the code,
        unless a type checker alone reads it."""
        unread = {
            id(node)
            for guard in ast.walk(self.tree)
            if isinstance(guard, ast.If) and ast.unparse(guard.test) == "TYPE_CHECKING"
            for node in ast.walk(guard)
        }
        return {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom) and id(node) not in unread
            for alias in node.names
        }


def modules(folder: Path) -> list[Module]:
    """All below `folder` that are not empty."""
    return [
        Module(".".join(path.relative_to(folder).with_suffix("").parts), path)
        for path in sorted(folder.rglob("*.py"))
        if path.stat().st_size
    ]


def lines_of(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def code_lines(module: Module, function: Function, until: int) -> int:
    """From its first line to line `until`, without blank lines, comments and docstrings."""
    documented = {
        line
        for node in ast.walk(function)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lines = module.text.splitlines()[function.lineno - 1 : until]
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in documented
        for number, line in enumerate(lines, function.lineno)
    )


def complexity(function: Function) -> int:
    """McCabe's: paths through it, those of functions within it among them."""
    nodes = list(ast.walk(function))
    return 1 + sum(
        isinstance(node, BRANCHES)
        + (len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0)
        + (len(node.ifs) if isinstance(node, ast.comprehension) else 0)
        for node in nodes
    )


def repeated(modules: Sequence[Module], least: int) -> list[str]:
    """Pairs of places of `least` lines or more that are alike, but for the names in them (one name
    for one, throughout), strings, numbers, comments, docstrings and white space."""
    windows: dict[tuple[str, ...], list[tuple[Module, int]]] = defaultdict(list)
    lines = {module: _lines(module) for module in modules}
    for module, tokens in lines.items():
        for start in range(len(tokens) - least + 1):
            shapes = _renamed([line for _, line in tokens[start : start + least]])
            if len(set(shapes)) >= LEAST_SHAPES:
                windows[tuple(shapes)].append((module, start))
    pairs = {
        (one, other)
        for places in windows.values()
        for one, other in combinations(places, 2)
        if one[0] is not other[0] or abs(one[1] - other[1]) >= least
    }
    return sorted(
        f"{one.path}:{lines[one][a][0]} ~ {other.path}:{lines[other][b][0]}"
        for (one, a), (other, b) in pairs
        if ((one, a - 1), (other, b - 1)) not in pairs  # else a run that began before
    )


def _lines(module: Module) -> list[tuple[int, list[tuple[int, str]]]]:
    """The tokens of each line of code, with its number; without what is no logic: imports,
    docstrings, fields that are declared and no more, and the parameters of functions."""
    passed: set[int] = set()
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Import | ast.ImportFrom)
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
            or (isinstance(node, ast.AnnAssign) and node.value is None)
        ):
            passed |= {*range(node.lineno, (node.end_lineno or node.lineno) + 1)}
        elif isinstance(node, Function):
            passed |= {*range(node.lineno + 1, node.body[0].lineno)}
    tokens: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type not in LAYOUT and token.start[0] not in passed:
            tokens[token.start[0]].append((token.type, token.string))
    return [
        (number, line)
        for number, line in sorted(tokens.items())
        if any(text[0].isalnum() or text[0] in "_\"'" for _, text in line)
    ]


def _renamed(lines: Sequence[Sequence[tuple[int, str]]]) -> list[str]:
    """Each name as the place of its first use."""
    names: dict[str, str] = {}

    def shape(kind: int, text: str) -> str:
        if kind == tokenize.NAME and not keyword.iskeyword(text):
            return names.setdefault(text, f"n{len(names)}")
        return {tokenize.NUMBER: "0", tokenize.STRING: "s"}.get(kind, text)

    return [" ".join(shape(*token) for token in line) for line in lines]


def cycles(modules: Sequence[Module]) -> list[set[str]]:
    """Groups of modules that import each other, by way of others or not."""
    known = {module.name for module in modules}
    reached = {module.name: _imports(module, known) for module in modules}
    for middle in known:
        for name, into in reached.items():
            if middle in into:
                reached[name] = into | reached[middle]
    groups = {frozenset(two for two in reached[one] if one in reached[two]) for one in known}
    return [set(group) for group in groups if group]


def _imports(module: Module, known: set[str]) -> set[str]:
    return {
        name
        for source, attribute in module.imported.values()
        for name in (source, f"{source}.{attribute}")
        if name in known
    }
