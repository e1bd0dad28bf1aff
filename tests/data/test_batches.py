import numpy as np
import pytest

from lingmix.data.datamodule import HybridDataModule
from lingmix.data.items import Item
from lingmix.data.schedule import HybridSchedule
from lingmix.data.tokens import keep_tokens
from lingmix.errors import InputError
from tests.columns import training_pairs

ITEMS = [
    Item(
        f"{n}", "", {"en": (f"q{n}",)}, {"en": (f"p{n}",), "de": (f"d{n}",)},
        {"en": (f"n{n}", f"m{n}"), "de": (f"x{n}",)},
    )
    for n in range(20)
]  # fmt: skip


def letters(texts, role):
    return [[len(role), *map(ord, text)] for text in texts]


def datamodule(
    folder, negatives=0, max_steps=6, batch_size=5, *, items=ITEMS, **sampler
) -> HybridDataModule:
    pairs = training_pairs(items, languages=None, pairs="all", expand_pairs=False)
    settings = {
        "alpha": 0.5, "alpha_end": None, "alpha_schedule": "constant", "steps": max_steps,
        "batch_size": batch_size, "size_exponent": 0, "homogeneous": True, "min_size": 1, "seed": 1,
    }  # fmt: skip
    schedule = HybridSchedule(pairs, **(settings | sampler))
    return HybridDataModule(
        pairs=pairs, schedule=schedule, negatives=negatives, seed=1, tokenize=letters,
        tokenizer="letters", cache=folder, max_steps=max_steps, development=None,
    )  # fmt: skip


def texts_of(texts) -> list[str]:
    """Tokens of `letters`, read back without the role."""
    ids, at, distinct = texts.tokens.ids_T.tolist(), 0, []
    for length in texts.tokens.lengths_B.tolist():
        distinct.append("".join(map(chr, ids[at + 1 : at + length])))
        at += length
    assert len({*distinct}) == len(distinct), "each text once"
    return [distinct[place] for place in texts.place_B.tolist()]


def test_each_query_stands_beside_its_own_passage(tmp_path):
    for batch in datamodule(tmp_path).train_dataloader():
        queries, passages = texts_of(batch.queries), texts_of(batch.passages)
        assert [text[1:] for text in queries] == [text[1:] for text in passages]
        assert batch.monolingual == (passages[0][0] == "p")


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("homogeneous", [True, False, "monolingual"])
def test_translations_in_one_batch_are_no_negatives_of_each_other(tmp_path, alpha, homogeneous):
    """Six items in three languages have 36 cross-lingual pairs: mixed batches have several of one
    item."""
    languages = ("de", "en", "ru")
    items = [
        Item(f"{n}", "", {of: (f"q{of}{n}",) for of in languages},
             {of: (f"p{of}{n}",) for of in languages})
        for n in range(6)
    ]  # fmt: skip
    data = datamodule(tmp_path, items=items, alpha=alpha, homogeneous=homogeneous, batch_size=6)
    met = 0
    for step in range(6):
        batch = data.batches[step]
        item_B = data.batches.pairs.item_N[batch.pair_B.numpy()]
        same_BB = (item_B[:, None] == item_B) & ~np.eye(len(item_B), dtype=bool)
        cells_E2 = batch.false_negatives_E2.numpy()
        np.testing.assert_array_equal(cells_E2[np.lexsort(cells_E2.T[::-1])], np.argwhere(same_BB))
        met += same_BB.sum()
    mixed = homogeneous is False or (homogeneous == "monolingual" and alpha == 0)
    assert (met > 0) == mixed


def test_an_epoch_is_all_steps_each_the_batch_of_its_step(tmp_path):
    data = datamodule(tmp_path)
    seen = [batch.pair_B.tolist() for batch in data.train_dataloader()]
    assert seen == [data.batches[step].pair_B.tolist() for step in range(6)]


@pytest.mark.parametrize(("negatives", "most"), [(1, 1), (2, 2), (5, 2)])
def test_given_negatives_follow_the_passages(tmp_path, negatives, most):
    data = datamodule(tmp_path, negatives)
    for step in range(6):
        batch = data.batches[step]
        given = texts_of(batch.passages)[5:]
        assert len(given) == 5 * (most if batch.monolingual else 1)
        assert {text[1:] for text in given} == {text[1:] for text in texts_of(batch.queries)}
        assert {text[0] for text in given} <= ({"n", "m"} if batch.monolingual else {"x"})
        assert batch.passage_count == 5 + len(given)
        assert given == texts_of(data.batches[step].passages)[5:]


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_ranks_hold_every_text_of_a_batch_once_and_know_the_whole_batch(tmp_path, ranks):
    whole = datamodule(tmp_path, negatives=1).batches
    shares = [whole.of_rank(rank, ranks=ranks) for rank in range(ranks)]
    for step in range(6):
        batch, parts = whole[step], [share[step] for share in shares]
        for role in ("queries", "passages"):
            for rank, part in enumerate(parts):
                expected = texts_of(getattr(batch, role))[rank::ranks]
                assert texts_of(getattr(part, role)) == expected
        for part in parts:
            assert part.pair_B.tolist() == batch.pair_B.tolist()
            assert part.passage_count == batch.passage_count
            assert part.false_negatives_E2.tolist() == batch.false_negatives_E2.tolist()
            assert part.monolingual == batch.monolingual


def test_a_batch_too_small_for_the_ranks_is_refused_with_what_is_in_it(tmp_path):
    data = datamodule(tmp_path)
    data.refuse_starved(ranks=5, accumulated=1)
    with pytest.raises(InputError, match=r"^sampler: 6 devices.* use fewer devices"):
        data.refuse_starved(ranks=6, accumulated=1)
    short = datamodule(tmp_path, batch_size=25)
    short.refuse_starved(ranks=20, accumulated=1)
    with pytest.raises(InputError, match=r"step 0 has 20 \(en-..: items .*sampler.min_size"):
        short.refuse_starved(ranks=21, accumulated=1)


def test_a_text_that_stands_in_a_batch_several_times_is_there_once(tmp_path):
    store = keep_tokens(
        ["a", "b", "c"], "query", tokenize=letters, tokenizer="letters", folder=tmp_path
    )
    texts = store.take_distinct(np.array([2, 0, 2, 2]))
    assert texts.tokens.lengths_B.tolist() == [2, 2]
    assert texts_of(texts) == ["c", "a", "c", "c"]


@pytest.mark.parametrize("negatives", [-1, None, 1.5])
def test_given_negatives_must_be_a_whole_number(tmp_path, negatives):
    with pytest.raises(InputError, match=r"data.negatives: must be a whole number of at least 0"):
        datamodule(tmp_path, negatives=negatives)
