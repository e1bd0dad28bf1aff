"""The data card: counts that can be checked by hand, and the command."""

import json

import numpy as np
import polars as pl
import pytest

from lingmix.commands.data import describe
from lingmix.data.card import data_card
from lingmix.data.items import Item
from lingmix.data.training_pairs import training_pairs
from lingmix.errors import InputError
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


def words(texts, role):
    """A token a word, and two in front of a query."""
    return [[0] * (len(text.split()) + 2 * (role == "query")) for text in texts]


def test_with_an_encoder_lengths_are_in_its_tokens_too(monkeypatch):
    columns = columns_of(ITEMS)
    pairs = training_pairs(columns, items=None, languages=None, pairs="all")
    card = data_card(columns, pairs, items=None, tokenize=words)
    assert card.texts.select("role", "language", "median_tokens", "longest_tokens").rows() == [
        ("queries", "de", 3, 3),
        ("queries", "en", 3, 5),
        ("passages", "de", 1, 1),
    ]
    monkeypatch.setattr("lingmix.data.card.SAMPLE", 1)
    once, again = (
        data_card(of, training_pairs(of, items=None, languages=None, pairs="all"), items=None,
                  tokenize=words).texts.sort("role", "language")
        for of in (columns, columns_of(ITEMS[::-1]))
    )  # fmt: skip
    assert once.equals(again.select(once.columns)), "a sample does not depend on the order"
    assert once.filter(language="en")["median_tokens"].item() in (3, 5)


def test_items_that_are_not_trained_on_are_not_counted():
    card = card_of(np.array([-1, -1, 0], np.int32))
    assert card.texts.rows() == [("queries", "de", 1, 0, 3, 3), ("passages", "de", 1, 0, 4, 4)]
    assert card.domains.rows() == [("news", 1)]


@pytest.fixture
def items(tmp_path):
    """A file, as the command takes it."""
    path = tmp_path / "items.jsonl"
    rows = [
        {"id": one.id, "domain": one.domain, "queries": one.queries, "passages": one.passages}
        for one in ITEMS
    ]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return ["data=items", f"data.path={path}", f"folder={tmp_path / 'card'}"]


def test_the_command_prints_and_writes_the_card(configure, items, tmp_path):
    folder = tmp_path / "card"
    printed = describe(configure("data", *items))
    assert "licences: none is stated" in printed
    assert ["queries", "en", "3", "1", "4", "12"] in [line.split() for line in printed.splitlines()]
    assert pl.read_csv(folder / "pairs.csv")["pairs"].sum() == 5
    assert "<svg" in (folder / "texts.svg").read_text()
    assert pl.read_parquet(folder / "leakage.parquet").is_empty()


def test_the_command_counts_the_tokens_of_an_encoder(configure, items, tmp_path):
    static = ["encoder=static", "encoder.scratch.vocabulary=300"]
    assert "longest tokens" in describe(configure("data", *items, *static))
    texts = pl.read_csv(tmp_path / "card" / "texts.csv")
    assert (texts["median_tokens"] <= texts["longest_tokens"]).all()
    assert (texts["longest_tokens"] <= texts["longest"] + 2).all()
    with pytest.raises(InputError, match="encoder: bm25 gives no vectors; name a model"):
        describe(configure("data", *items, "encoder=bm25"))


def test_the_licence_of_a_public_set_is_printed(configure):
    from lingmix.cli.config import checked
    from lingmix.commands.data import _licences

    assert _licences(checked(configure("data", "data=mkqa"), "data")) == (
        "licence of mkqa: CC-BY-SA-3.0"
    )
