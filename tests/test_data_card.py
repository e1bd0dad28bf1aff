"""The data card: counts that can be checked by hand, and the command."""

import json

import numpy as np
import polars as pl

from lingmix.commands.data import describe
from lingmix.data.card import data_card
from lingmix.data.items import Item
from lingmix.data.training_pairs import training_pairs
from tests.columns import columns_of

ITEMS = [
    Item("a", "law", {"en": ("Why?", "Who are you?")}, {"de": ("Darum.",)}),
    Item("b", "law", {"en": ("why",)}, {"de": ("x" * 9, "y")}),
    Item("c", "news", {"de": ("Wo?",)}, {"de": ("Hier",)}),
]


def card_of(items=None):
    columns = columns_of(ITEMS)
    pairs = training_pairs(columns, items=items, languages=None, pairs="all")
    return data_card(columns, pairs, items=items)


def test_a_card_counts_texts_lengths_repetitions_pairs_and_domains():
    card = card_of()
    assert card.texts.rows() == [
        ("queries", "de", 1, 0, 3, 3),
        ("queries", "en", 3, 1, 4, 12),
        ("passages", "de", 4, 0, 4, 9),
    ]
    assert card.pairs.rows() == [("de", "de", 1), ("en", "de", 4)]
    assert card.domains.rows() == [("law", 2), ("news", 1)]


def test_items_that_are_not_trained_on_are_not_counted():
    card = card_of(np.array([-1, -1, 0], np.int32))
    assert card.texts.rows() == [("queries", "de", 1, 0, 3, 3), ("passages", "de", 1, 0, 4, 4)]
    assert card.domains.rows() == [("news", 1)]


def test_the_command_prints_and_writes_the_card(configure, tmp_path):
    path = tmp_path / "items.jsonl"
    rows = [
        {"id": one.id, "domain": one.domain, "queries": one.queries, "passages": one.passages}
        for one in ITEMS
    ]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    folder = tmp_path / "card"
    printed = describe(configure("data", "data=items", f"data.path={path}", f"folder={folder}"))
    assert "licences: none is stated" in printed
    assert ["queries", "en", "3", "1", "4", "12"] in [line.split() for line in printed.splitlines()]
    assert pl.read_csv(folder / "pairs.csv")["pairs"].sum() == 5
    assert "<svg" in (folder / "texts.svg").read_text()
    assert pl.read_parquet(folder / "leakage.parquet").is_empty()


def test_the_licence_of_a_public_set_is_printed(configure):
    from lingmix.cli.config import checked
    from lingmix.commands.data import _licences

    assert _licences(checked(configure("data", "data=mkqa"), "data")) == (
        "licence of mkqa: CC-BY-SA-3.0"
    )
