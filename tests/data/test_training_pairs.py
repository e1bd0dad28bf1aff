from hashlib import blake2b

import numpy as np
import pytest

from lingmix.data.columns import shard
from lingmix.data.items import Item, LanguagePair, Pair
from lingmix.data.training_pairs import TrainingPairs
from lingmix.errors import InputError
from tests.columns import training_pairs

CAT = Item(
    "cat", "animals", {"en": ("cat?",), "de": ("Katze?",)}, {"en": ("Cats.",), "de": ("Katzen.",)}
)
DOG = Item("dog", "animals", {"en": ("dog?", "hound?")}, {"de": ("Hunde.",)}, {"de": ("Katzen.",)})


def pairs_of(*items: Item, languages=None, pairs="all", expand_pairs=False) -> TrainingPairs:
    return training_pairs(items, languages=languages, pairs=pairs, expand_pairs=expand_pairs)


def written(pairs: TrainingPairs) -> set[tuple[str, str, str]]:
    queries, passages = pairs.texts.take(pairs.query_N), pairs.texts.take(pairs.passage_N)
    named = [str(pairs.language_pairs[n]) for n in pairs.language_pair_N]
    return {*zip(queries, passages, named, strict=True)}


def test_an_item_yields_every_query_with_every_passage():
    assert written(pairs_of(CAT)) == {
        ("cat?", "Cats.", "en-en"),
        ("cat?", "Katzen.", "en-de"),
        ("Katze?", "Cats.", "de-en"),
        ("Katze?", "Katzen.", "de-de"),
    }
    assert written(pairs_of(DOG)) == {("dog?", "Hunde.", "en-de"), ("hound?", "Hunde.", "en-de")}


def test_languages_and_pairs_filter_together():
    assert written(pairs_of(CAT, DOG, languages=["en"])) == {("cat?", "Cats.", "en-en")}
    assert pairs_of(CAT, DOG, pairs=["en-de"]).sizes == {LanguagePair("en", "de"): 3}


def test_listed_pairs_are_trained_as_listed_unless_expanded():
    listed = Item(
        "1",
        "",
        CAT.queries,
        CAT.passages,
        listed=(Pair("cat?", "Katzen.", LanguagePair("en", "de")),),
    )
    assert written(pairs_of(listed)) == {("cat?", "Katzen.", "en-de")}
    assert len(pairs_of(listed, expand_pairs=True)) == 4


def test_expanding_leaves_out_a_passage_that_holds_its_query():
    item = Item("1", "", {"en": ("a cat",)}, {"en": ("It is a cat.",), "de": ("Katze",)}, listed=())
    assert written(pairs_of(item, expand_pairs=True)) == {("a cat", "Katze", "en-de")}


def test_equal_texts_share_a_number_and_given_negatives_are_passages():
    pairs = pairs_of(CAT, DOG)
    passages = pairs.texts.take(pairs.passage_N)
    katzen = pairs.passage_N[passages.index("Katzen.")]
    (dog,) = (n for n, q in enumerate(pairs.query_N) if pairs.texts[int(q)] == "dog?")
    assert pairs.negatives(dog).tolist() == [katzen]
    assert len({*pairs.passage_N}) == len({*passages}) == 3
    of_M, negative_M = pairs.given_negatives
    assert [passages[n] for n in of_M] == ["Hunde."] * 2
    assert negative_M.tolist() == [katzen] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"languages": ["en", "fr"]}, r"languages: the training data has no fr; it has de, en"),
        ({"pairs": ["en-xx"]}, r"pairs: the training data has no xx"),
        ({"pairs": ["ende"]}, r"language pair 'ende': write"),
        ({"pairs": "none"}, r"pairs: write `all` or a list"),
        ({"pairs": ["en-de"], "languages": ["en"]}, r"none of en-de is within languages \['en'\]"),
    ],
)
def test_what_cannot_be_filtered_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        pairs_of(CAT, DOG, **arguments)


def test_a_filter_that_leaves_nothing_is_refused():
    with pytest.raises(InputError, match="none of its 1 items has a pair in de-de"):
        pairs_of(
            Item("1", "", {"en": ("a",), "de": ("b",)}, {"de": ("c",)}, listed=()), pairs=["de-de"]
        )


def test_pairs_are_shown_by_language_pair_and_item():
    pairs = pairs_of(CAT, DOG)
    dogs = np.flatnonzero([pairs.columns.item_ids[int(n)] == "dog" for n in pairs.item_N])
    assert pairs.shown(dogs) == "en-de: items dog, dog"
    assert pairs.shown(np.arange(6), most=1) == "de-de, de-en, en-de, en-en: items cat and 5 more"


def test_the_sample_of_texts_is_that_of_all_of_them_by_hash(monkeypatch):
    """In whatever batches they are read."""
    monkeypatch.setattr(shard, "ROWS", 7)
    items = [
        Item(f"{n}", "", {"en": (f"query {n % 23}",)}, {"de": (f"Satz {n}",)}, {"de": (f"N{n}",)})
        for n in range(40)
    ]
    texts = {
        t for i in items for by in (i.queries, i.passages, i.negatives) for (t,) in by.values()
    }
    by_hash = sorted(texts, key=lambda text: blake2b(text.encode(), digest_size=16).digest())
    pairs = pairs_of(*items)
    assert [*pairs.sample_texts(10_000)] == by_hash
    some = [*pairs.sample_texts(100)]
    assert some == by_hash[: len(some)]
    assert sum(map(len, some[:-1])) < 100 <= sum(map(len, some))
