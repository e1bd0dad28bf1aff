"""Reference pages of the configuration, made from `conf/` and the types of `lingmix.cli` at each
build: a page a group, a table a choice, a row a key."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from lingmix.cli import arguments, launching, schema, settings

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
INCLUDED = {"extending.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
FOLDER = "reference/configuration"
COMMANDS = {name: f"lingmix-{name}" for name in settings.COMMANDS}
KEY = re.compile(r"( *)(- )?([\w/@.]+):(?: +([^ #].*?))?(?: +# (.*))?")
HYDRA = re.compile(r"hydra\.(output_subdir|run|sweep|help)\b")
"""Hydra's own settings, which are no user's."""
EXTENDED = re.compile(r"(?:override )?(?:([\w/]+)(?:@([\w.]+))?: )?(\w+)")
"""An entry of a defaults list: group, package, choice."""
COMMENT = re.compile(r" *# (.*)")


@dataclass(frozen=True)
class Key:
    """A line of a YAML file: a dotted key, its value as written, and its comment."""

    name: str
    value: str
    comment: str


@dataclass(frozen=True)
class Choice:
    """A YAML file: what its first comment says, the files it extends, the keys that it states."""

    name: str
    about: str
    extends: tuple[str, ...]
    keys: tuple[Key, ...]
    text: str


def on_config(config: "MkDocsConfig") -> None:
    """Called by MkDocs: the pages follow each other under "Configuration"."""
    reference = next(entry["Reference"] for entry in config.nav or [] if "Reference" in entry)
    for entry in reference:
        if "Configuration" in entry:
            entry["Configuration"] = list(pages())


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Called by MkDocs."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - of the extra `docs`

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: "Page", **_: object) -> str:
    """Called by MkDocs: some pages are files of the repository's root."""
    file = INCLUDED.get(page.file.src_uri)
    return (ROOT / file).read_text("utf-8").replace("](docs/", "](") if file else markdown


@cache
def pages() -> dict[str, str]:
    """Markdown by its path below `docs/`."""
    folders = sorted({path.parent for path in CONF.glob("*/**/*.yaml")})
    groups = [folder.relative_to(CONF).as_posix() for folder in folders]
    return {
        f"{FOLDER}/index.md": _commands_page(groups),
        **{f"{FOLDER}/{_file(group)}": _group_page(group) for group in groups},
    }


@cache
def read(path: Path) -> Choice:
    about, extends, keys = [], [], []
    parents: list[tuple[int, str]] = []
    items: dict[str, int] = {}
    in_defaults = False
    for line in path.read_text("utf-8").splitlines():
        comment, matched = COMMENT.fullmatch(line), KEY.fullmatch(line)
        if comment and keys and line.startswith("  "):
            keys[-1] = replace(keys[-1], comment=f"{keys[-1].comment} {comment[1]}".strip())
        elif comment:
            about += [] if keys or "@package" in line else [comment[1]]
        elif line == "defaults:":
            in_defaults = True
        elif in_defaults and line.startswith("  - "):
            extends.append(line.removeprefix("  - ").partition(" #")[0].strip())
        elif matched:
            in_defaults = False
            indent, item, name, value, said = matched.groups()
            depth = len(indent)
            while parents and parents[-1][0] >= depth + (1 if item else 0):
                parents.pop()
            if item:
                above = ".".join(name for _, name in parents)
                items[above] = items.get(above, -1) + 1
                parents = [one for one in parents if one[0] < depth]
                parents.append((depth + 1, str(items[above])))
                depth += 2
            dotted = ".".join([*(name for _, name in parents), name])
            parents.append((depth, name))
            keys.append(Key(dotted, value or "", said or ""))
        elif line.strip() and keys:
            keys[-1] = replace(keys[-1], value=f"{keys[-1].value} {line.strip()}")
    return Choice(path.stem, " ".join(about), tuple(extends), tuple(keys), path.read_text("utf-8"))


def _file(group: str) -> str:
    return f"{group.replace('/', '-')}.md"


def _group_page(group: str) -> str:
    choices = [read(path) for path in sorted((CONF / group).glob("*.yaml"))]
    readers = [
        f"`{title}`" + (f" (default: `{default}`)" if default not in ("null", "none") else "")
        for command, title in COMMANDS.items()
        if (default := _default(command, group)) is not None
    ]
    by = f"Read by {', '.join(readers)}." if readers else "Chosen by files of other groups."
    lines = [f"# `{group}`", "", by, ""]
    for choice in choices:
        lines += [f"## `{group}={choice.name}`", "", choice.about, ""]
        local = [one for one in choice.extends if one in {other.name for other in choices}]
        other = [one.removeprefix("override ") for one in choice.extends if ": " in one]
        if local:
            links = ", ".join(f"[`{group}={one}`](#{group.replace('/', '')}{one})" for one in local)
            lines += [f"Extends {links}; it differs in these keys:", ""]
        if other:
            lines += ["Selects " + ", ".join(f"`{one.strip('/')}`" for one in other) + ".", ""]
        lines += _table(choice, group=group)
        lines += [f'??? note "conf/{group}/{choice.name}.yaml"', "", "    ```yaml"]
        lines += [f"    {line}".rstrip() for line in choice.text.splitlines()] + ["    ```", ""]
    return "\n".join(lines)


def _commands_page(groups: Sequence[str]) -> str:
    lines = [
        "# Configuration",
        "",
        "A group is a set of choices: `sampler=hybrid` reads `conf/sampler/hybrid.yaml`. Any key of"
        " any choice can be set on the command line: `sampler.alpha=0.3`. `null` means that nothing"
        " is chosen, `???` that the user must say it. These pages are made from `conf/` itself.",
        "",
        "| group | choices |",
        "|---|---|",
        *(
            f"| [`{group}`]({_file(group)}) | "
            + ", ".join(f"`{path.stem}`" for path in sorted((CONF / group).glob("*.yaml")))
            + " |"
            for group in groups
        ),
        "",
        "Beside the groups, each command has keys of its own.",
        "",
    ]
    files = sorted(CONF.glob("*.yaml"), key=lambda path: list(COMMANDS).index(path.stem)
                   if path.stem in COMMANDS else -1)  # fmt: skip
    for path in files:
        choice = read(path)
        title = f"`{COMMANDS[path.stem]}`" if path.stem in COMMANDS else "Every command"
        lines += [f"## {title}", "", choice.about, "", *_table(choice, group="")]
    return "\n".join(lines)


def _default(command: str, group: str, file: str | None = None) -> str | None:
    """What a command chooses of a group, in its own file or one that it extends."""
    for line in read(CONF / f"{file or command}.yaml").extends:
        name, _, choice = line.partition(": ")
        if name == group:
            return choice
        if not choice and (CONF / f"{name}.yaml").is_file():
            above = _default(command, group, name)
            if above is not None:
                return above
    return None


def described(choice: Choice) -> list[Key]:
    """The keys that a table has a row of: no copies of a node, as `{<<: *node, ...}`."""
    return [
        key
        for key in choice.keys
        if not _is_above(key, choice)
        and not HYDRA.match(key.name)
        and not key.value.startswith("{<<")
    ]


def _table(choice: Choice, *, group: str) -> list[str]:
    keys = described(choice)
    if not keys:
        return []
    lines = ["| key | value | type | meaning |", "|---|---|---|---|"]
    for key in keys:
        placed = key.name if "@package _global_" in choice.text or not group else None
        name = placed or f"{group.replace('/', '.')}.{key.name}"
        value = f"`{key.value}`" if key.value else ""
        rule = type_of(name, choice=choice, key=key.name, group=group)
        lines.append(_row(f"`{key.name}`", value, rule, meaning(key, choice, group=group)))
    return [*lines, ""]


def _is_above(key: Key, choice: Choice) -> bool:
    """Whether other keys stand below it; its comment is then theirs."""
    return key.value[:1] in ("", "&") and any(
        one.name.startswith(f"{key.name}.") for one in choice.keys
    )


def meaning(key: Key, choice: Choice, *, group: str) -> str:
    """What the file's comments say of a key or of a key above it; else what those of its group, or
    of the group that it sets, say of one of that name."""
    for one in choice.keys:
        if one.comment and f"{key.name}.".startswith(f"{one.name}."):
            return one.comment
    names = key.name.removeprefix("hydra.sweeper.params.").split(".")
    folders = [CONF / name for name in (group.partition("/")[0], names[0]) if name]
    files = [path for folder in folders for path in sorted(folder.rglob("*.yaml"))]
    known = [one for path in [*files, *sorted(CONF.glob("*.yaml"))] for one in read(path).keys]
    for name in reversed(names):
        for one in known:
            if one.comment and one.name.rpartition(".")[2] == name:
                return one.comment
    return ""


def _row(*parts: str) -> str:
    return "| " + " | ".join(part.replace("|", "\\|") for part in parts) + " |"


def type_of(name: str, *, choice: Choice, key: str, group: str) -> str:
    """The rule of a key in words: of `lingmix.cli`'s types, else of what its `_target_` takes."""
    last = key.rpartition(".")[2]
    if last in ("_target_", "_partial_"):
        return {"_target_": "class or function", "_partial_": "true or false"}[last]
    rules = dict.fromkeys(schema.words(rule) for rule in _declared(name))
    wider = [one for one in rules if f"{one}, or null" not in rules]
    rule = "; ".join(wider) or _of_target(key, choice, group)
    for reader in choice.keys:
        if not rule and reader.value == f"${{{name}}}":
            rule = _of_target(reader.name, choice, group)
    if not rule and name == key:  # of a file that sets keys of other groups
        rule = _of_group(*name.split(".", 1)) if "." in name else ""
    return rule.replace("keys with their values", "a mapping")


def _of_group(group: str, key: str) -> str:
    if group == "hydra":
        return "values to sweep over" if key.startswith("sweeper.params.") else ""
    for path in sorted((CONF / group).glob("*.yaml")):
        choice = read(path)
        if any(one.name == key for one in choice.keys):
            return type_of(f"{group}.{key}", choice=choice, key=key, group=group)
    return ""


def _declared(name: str) -> list[Any]:
    if name.startswith("hydra.launcher."):
        types: list[Any] = list(launching.LAUNCHERS.values())
    elif name.startswith("hydra.sweeper."):
        types = [launching.Study]
    else:
        types = [settings.Command, *settings.COMMANDS.values()]
    keys = name.removeprefix("hydra.launcher.").removeprefix("hydra.sweeper.").split(".")
    for one in types:
        if found := _at(one, keys):
            return found
    return []


def _at(rule: Any, keys: Sequence[str]) -> list[Any]:
    rules = [rule]
    for key in keys:
        rules = [below for one in rules for below in _below(one, key)]
    return rules


def _below(rule: Any, part: str) -> Iterator[Any]:
    """The types that may stand at `part` of a mapping, list or model."""
    origin, inner = get_origin(rule), get_args(rule)
    if origin is Annotated:
        yield from _below(inner[0], part)
    elif origin in (Union, UnionType):
        for one in inner:
            yield from _below(one, part)
    elif isinstance(rule, type) and issubclass(rule, BaseModel):
        for name, field in rule.model_fields.items():
            if part == (field.alias or name):
                marks = tuple(field.metadata)
                yield Annotated[field.annotation, *marks] if marks else field.annotation
    elif origin is dict or (origin is list and part.isdecimal()):
        yield inner[-1]


def _of_target(key: str, choice: Choice, group: str) -> str:
    """As the signature has it; of an entry of a mapping, what the mapping holds."""
    place, _, name = key.rpartition(".")
    above, _, mapping = place.rpartition(".")
    for at, argument in ((place, name), (above, mapping)):
        if target := _target(at, choice, group):
            built = arguments.locate(target, at=key)
            hints = get_type_hints(
                built.__init__ if isinstance(built, type) else built, include_extras=True
            )
            if argument in hints:
                hint = hints[argument]
                return _words(hint if at == place else get_args(hint)[-1])
    return "a text" if name in ("url", "checksum") else ""


def _target(place: str, choice: Choice, group: str) -> str | None:
    """Of the mapping at `place`, in the file of the choice or in one that it extends there."""
    for key in choice.keys:
        if key.name == f"{place}._target_".lstrip("."):
            return key.value
    for extended in choice.extends:
        matched = EXTENDED.fullmatch(extended)
        if matched:
            other, package, name = matched.groups()
            folder = CONF / group / other.lstrip("/") if other else CONF / group
            folder = CONF / other.lstrip("/") if other and other.startswith("/") else folder
            below = "" if package in (None, "_here_") else package
            below = below.removeprefix("_global_.").removeprefix(f"{group}.")
            file = folder / f"{name}.yaml"
            if place.startswith(below) and file.is_file():
                rest = place.removeprefix(below).lstrip(".")
                if target := _target(rest, read(file), folder.relative_to(CONF).as_posix()):
                    return target
    return None


def _words(hint: Any) -> str:
    """As the settings' own rules are said."""
    inner = get_args(hint)
    if hint is Path or Path in inner:
        return "a path, or null" if NoneType in inner else "a path"
    return schema.words(hint)
