"""The sources of training data that a configuration names, as columns on disk."""

import inspect
import json
from collections.abc import Iterable, Iterator
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import lingmix.data
from lingmix.cli.arguments import locate
from lingmix.cli.config import Config, build
from lingmix.data.columns.columns import Columns, Source, keep_columns
from lingmix.data.named_sources import named_sources
from lingmix.tracking.identity import deciding_values

PACKED = {".gz": 5, ".zst": 5, ".parquet": 5}
"""How many times larger a file of text is unpacked, by its suffix; rather too many."""


def load_columns(config: Config) -> Columns:
    """The columns of all training data, made where they are not there yet.

    A node that names several files is a source for each, so that one that is changed is read alone,
    unless pairs are combined, which may be those of an item in several files.
    """
    data = config["data"]
    sources = [
        _source(part, group, output_dir=config["output_dir"])
        for group, node in enumerate(named_sources(data).values())
        for part in ([node] if data["expand_pairs"] else _split_paths(node))
    ]
    folder = Path(config["output_dir"]) / "cache" / "columns"
    return keep_columns(sources, folder, expand_pairs=data["expand_pairs"])


def _split_paths(node: Config) -> list[Config]:
    path = node.get("path")
    return [node | {"path": one} for one in path] if isinstance(path, list) and path else [node]


def _source(node: Config, group: int, *, output_dir: str) -> Source:
    """Its digest is of the node, of the contents of the files that it names, and of the code."""
    reader = inspect.getmodule(locate(node["_target_"], at="data.train"))
    settings = deciding_values({"data": node, "output_dir": output_dir})
    decides = [settings, _code(lingmix.data), _code(reader)]
    digest = sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()
    places = [*_places(node)]
    name = str(places[0]) if places else node["_target_"].rpartition(".")[2]
    size = sum(map(_unpacked_size, _files(places)))
    return Source(name, group, digest, read=partial(build, node), size=size)


@cache
def _code(module: Any) -> str:
    """Of a module, or of a package and all below it."""
    path = Path(inspect.getsourcefile(module) or "")
    files = sorted(path.parent.rglob("*")) if path.name == "__init__.py" else [path]
    digest = sha256()
    for file in files:
        if file.suffix in (".py", ".toml"):
            digest.update(f"{file.name}:".encode() + file.read_bytes())
    return digest.hexdigest()


def _places(node: Config) -> Iterator[Path]:
    for key in ("path", "folder"):
        named = node.get(key) or []
        for one in named if isinstance(named, list) else [named]:
            yield Path(str(one)).expanduser()


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_file():
            yield place
        elif place.is_dir():
            yield from (file for file in place.rglob("*") if file.is_file())


def _unpacked_size(file: Path) -> int:
    return file.stat().st_size * PACKED.get(file.suffix, 1)
