"""The command lingmix-data, which describes training data and what they share with evaluation
sets."""

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from omegaconf import DictConfig

from lingmix.analysis.page.figures.texts_of import texts_of_languages
from lingmix.assembly.sources import load_columns
from lingmix.atomic import atomic_file
from lingmix.cli.config import Config, build, checked, evaluation_sets
from lingmix.data.card import SAMPLE, DataCard, data_card, write_card
from lingmix.data.scales import scaled_items
from lingmix.data.training_pairs import TrainingPairs, training_pairs
from lingmix.leakage.audit import audit_leakage
from lingmix.leakage.report import overlap_table, write_overlaps
from lingmix.text_table import format_table

if TYPE_CHECKING:  # it imports torch
    from lingmix.data.tokens import Tokenize


def describe(composed: DictConfig) -> str:
    """Write the card as CSV files and a figure; return its tables."""
    config = checked(composed, "data")
    languages, folder = config["languages"], Path(config["folder"]).absolute()
    columns = load_columns(config)
    items = scaled_items(columns, **config["augmentation"])
    pairs = training_pairs(
        columns,
        items=items,
        languages=None if languages == "all" else languages,
        pairs=config["pairs"],
    )
    tokenize = None if config["encoder"] is None else _tokenizer(config, pairs)
    card = data_card(columns, pairs, items=items, tokenize=tokenize)
    sets = evaluation_sets(config["evaluation"], languages=languages)
    overlaps = audit_leakage(
        columns,
        items=items,
        evaluation_sets=sets,
        near_duplicates=config["data"]["near_duplicates"],
    )
    _write(card, folder)
    write_overlaps(overlaps, folder)
    leakage = overlap_table(overlaps, [one.name for one in sets])
    return "\n\n".join([*_tables(card), _licences(config), leakage, str(folder)])


def _tokenizer(config: Config, pairs: TrainingPairs) -> "Tokenize":
    """Of the encoder, which one from scratch learns from the pairs, as in a training."""
    from lingmix.model import unigram  # noqa: PLC0415 - seconds of imports
    from lingmix.tracking.models import model_folder  # noqa: PLC0415

    folder = model_folder(config["tracking"]["uri"], config["encoder"]["name"])
    cache = Path(config["output_dir"]) / "cache"
    encoder = build(config["encoder"] | {"name": folder})
    tokenize: Tokenize = encoder(
        texts=pairs.sample_texts(unigram.SAMPLE), cache=cache, seed=0
    ).tokenize
    return tokenize


def _write(card: DataCard, folder: Path) -> None:
    write_card(card, folder)
    with atomic_file(folder / "texts.svg") as file:
        file.write(texts_of_languages(card.texts).svg().encode())


def _tables(card: DataCard) -> list[str]:
    texts = f"{_table(card.texts, 2)}\nmedian and longest: characters"
    if "median_tokens" in card.texts.columns:
        texts += f"; tokens: as the encoder reads them, of at most {SAMPLE:,} texts a row"
    return [texts, _table(card.pairs, 2), _table(card.domains, 1)]


def _table(rows: pl.DataFrame, names: int) -> str:
    """Its first columns are names, the others figures."""
    head = [column.replace("_", " ") for column in rows.columns]
    texts = [
        [f"{value:,}" if isinstance(value, int) else value or "(none)" for value in row]
        for row in rows.rows()
    ]
    return format_table(head, texts, figures=slice(names, None))


def _licences(config: Config) -> str:
    known = config["data"]["licences"]
    lines = [f"licence of {name}: {licence}" for name, licence in known.items()]
    return "\n".join(lines) or "licences: none is stated for these data"
