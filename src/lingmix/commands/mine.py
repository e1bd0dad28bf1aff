"""The command lingmix-mine, which adds hard negatives, by any encoder, to training pairs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from omegaconf import DictConfig

from lingmix.assembly.encoding import load_cached_encoder
from lingmix.assembly.sources import load_columns
from lingmix.cli.config import Config, build, checked
from lingmix.data.columns.numbering import Rows
from lingmix.data.row_file import refuse_unwritable, write_rows
from lingmix.data.scales import scaled_items
from lingmix.data.training_pairs import TrainingPairs, training_pairs
from lingmix.errors import InputError
from lingmix.mining.hard_negatives import MiningRules, mine, report
from lingmix.mining.pair_file import rows_with_negatives
from lingmix.search.vectors import Vectors
from lingmix.tracking.flat_config import leaves
from lingmix.tracking.models import model_folder


def mine_negatives(composed: DictConfig) -> str:
    """Write the pairs with their hard negatives; return how many were found and left out."""
    config = checked(composed, "mine")
    languages, path = config["languages"], Path(config["path"]).absolute()
    rules = MiningRules(**config["mining"])
    refuse_unwritable(path)
    require_other_file(path, {key: config[key] for key in ("data", "encoder")})
    columns = load_columns(config)
    pairs = training_pairs(
        columns,
        items=scaled_items(columns, **config["augmentation"]),
        languages=None if languages == "all" else languages,
        pairs=config["pairs"],
    )
    encode = load_cached_encoder(config, encoder_folder(config))
    mined = mine(
        pairs,
        vectors_of(pairs, pairs.query_N, partial(encode, role="query")),
        vectors_of(
            pairs,
            np.concatenate([pairs.passage_N, pairs.given_negatives[1]]),
            partial(encode, role="passage"),
        ),
        build(config["search"]),
        rules=rules,
    )
    write_rows(rows_with_negatives(pairs, mined.passage_NC), path=path)
    return f"{report(mined)}\n{path}"


def vectors_of(
    pairs: TrainingPairs, text_N: Rows, encode: Callable[[Sequence[str]], Vectors]
) -> Vectors:
    """Vectors by text, of those texts alone."""
    text_U = np.unique(text_N)
    found = encode(pairs.texts.take(text_U))
    row_T = np.full(len(pairs.texts), -1)
    row_T[text_U] = found.row_N
    return Vectors(found.distinct_UD, row_T)


def require_other_file(path: Path, read: Config) -> None:
    """Raise InputError where `path` is a file that is read, or in a folder that is."""
    for key, value in leaves(read).items():
        for name in value if isinstance(value, list) else [value]:
            if (
                name
                and isinstance(name, str)
                and any(_is_same(path, file) for file in _files(name))
            ):
                raise InputError(f"path: {path} is read by {key}={name}; name another file")


def _is_same(path: Path, other: Path) -> bool:
    """Whether both paths are the same file, also by a hard or symbolic link."""
    linked = path.exists() and other.exists() and path.samefile(other)
    return linked or path.resolve() == other.resolve()


def _files(name: str) -> Iterator[Path]:
    path = Path(name)
    with suppress(OSError, ValueError):  # a text that cannot be the name of a file
        yield path
        yield from path.rglob("*")


def encoder_folder(config: Config) -> str:
    return model_folder(config["tracking"]["uri"], config["encoder"]["name"])
