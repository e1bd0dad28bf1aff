"""lingmix-mine: training data, any encoder -> the same pairs with hard negatives."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from omegaconf import DictConfig

from lingmix.assembly.encoding import encoding_of
from lingmix.cli.config import Config, build, checked
from lingmix.data.content_groups import content_groups
from lingmix.data.scales import scaled_items
from lingmix.data.training_pairs import training_pairs
from lingmix.errors import InputError
from lingmix.mining.hard_negatives import MiningRules, mine, report
from lingmix.mining.pair_file import refuse_unwritable, rows_with_negatives, write_rows
from lingmix.tracking.flat_config import leaves
from lingmix.tracking.models import model_folder


def mine_negatives(composed: DictConfig) -> str:
    """Writes the pairs with their negatives; says how many there are and what was passed over."""
    config = checked(composed, "mine")
    data, languages, path = config["data"], config["languages"], Path(config["path"]).absolute()
    rules = MiningRules(**config["mining"])
    refuse_unwritable(path)
    refuse_input(path, {key: config[key] for key in ("data", "encoder")})
    items = [item for source in build(data["train"]) for item in source]
    mined_items = scaled_items(items, **config["augmentation"])
    pairs = training_pairs(
        mined_items,
        languages=None if languages == "all" else languages,
        pairs=config["pairs"],
        expand_pairs=data["expand_pairs"],
    )
    encode = encoding_of(config, folder_of(config))
    mined = mine(
        pairs,
        content_groups(items, queries=pairs.queries, passages=pairs.passages),
        encode(pairs.queries, "query"),
        encode(pairs.passages, "passage"),
        build(config["search"]),
        rules=rules,
    )
    write_rows(rows_with_negatives(mined_items, pairs, mined.passage_NC), path=path)
    return f"{report(mined)}\n{path}"


def refuse_input(path: Path, read: Config) -> None:
    """Whether it is one of the files that are read, or in a folder that is, by any name."""
    for key, value in leaves(read).items():
        for one in value if isinstance(value, list) else [value]:
            if one and isinstance(one, str) and any(_is_same(path, file) for file in _files(one)):
                raise InputError(f"path: {path} is what is read ({key}={one}); name another file")


def _is_same(path: Path, other: Path) -> bool:
    """A file has several names by links, hard or symbolic."""
    there = path.exists() and other.exists() and path.samefile(other)
    return there or path.resolve() == other.resolve()


def _files(name: str) -> Iterator[Path]:
    place = Path(name)
    with suppress(OSError, ValueError):  # a text that can be no name of a file
        yield place
        yield from place.rglob("*")


def folder_of(config: Config) -> str:
    return model_folder(config["tracking"]["uri"], config["encoder"]["name"])
