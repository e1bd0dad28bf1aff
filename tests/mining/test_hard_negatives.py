from functools import partial

import numpy as np
import pytest

from lingmix.data.items import Item
from lingmix.errors import InputError
from lingmix.mining import hard_negatives as negatives
from lingmix.mining.hard_negatives import Chosen, MiningRules, choose, mine, report
from lingmix.search.exact import Hits, search
from lingmix.search.vectors import Vectors
from tests.columns import columns_of, rows_of, training_pairs
from tests.evaluation.made import unit

RULES = {
    "count": 2,
    "depth": 10,
    "skip": 0,
    "max_share": None,
    "margin": None,
    "take": "best",
    "language": "passage",
    "seed": 0,
}
ITEMS = [
    Item("cat", "", {"en": ("What purrs?",)}, {"en": ("A cat.",), "de": ("Eine Katze.",)}),
    Item("lion", "", {"en": ("what purrs",)}, {"en": ("A lion.",)}),
    Item("dog", "", {"en": ("What barks?",)}, {"en": ("A dog.",), "de": ("Ein Hund.",)}),
    Item("owl", "", {"en": ("What hoots?",)}, {"en": ("An owl.",)}),
    Item("hen", "", {"en": ("What clucks?",)}, {"en": ("A hen.",)}),
]
COLUMNS = columns_of(ITEMS)
PURRS, CAT, KATZE, LION, DOG, HUND, OWL, HEN = rows_of(
    COLUMNS,
    ["What purrs?", "A cat.", "Eine Katze.", "A lion.", "A dog.", "Ein Hund.", "An owl.", "A hen."],
).tolist()
HITS = [(KATZE, 0.9), (LION, 0.8), (DOG, 0.7), (CAT, 0.6), (OWL, 0.5), (HEN, 0.4), (HUND, 0.3)]


def chosen(hits=HITS, *, own: float = 0.6, **rules) -> Chosen:
    """For the pair of the cat, whose passage scores `own`."""
    passages, scores = zip(*hits, strict=True)
    return choose(
        Hits(np.array([passages]), np.array([scores], dtype=np.float32)),
        np.array([PURRS]),
        np.array([CAT]),
        np.array([own], dtype=np.float32),
        groups=COLUMNS.groups,
        rules=MiningRules(**RULES | rules),
        random=np.random.Generator(np.random.Philox(rules.get("seed", 0))),
    )


def taken(*args, **rules) -> list[int]:
    (passages,) = chosen(*args, **rules).passage_NC.tolist()
    return [passage for passage in passages if passage >= 0]


def test_what_says_the_same_or_answers_an_equal_query_is_never_taken():
    assert taken(count=6) == [DOG, OWL, HEN, HUND]


def test_the_best_are_taken_and_missing_ones_are_none():
    assert taken(count=2) == [DOG, OWL]
    assert chosen(count=5).passage_NC.tolist() == [[DOG, OWL, HEN, HUND, -1]]
    assert chosen(count=8).passage_NC.tolist() == [[DOG, OWL, HEN, HUND, -1, -1, -1, -1]]


def test_ranks_are_skipped_among_what_may_be_wrong():
    assert taken(skip=1) == [OWL, HEN]
    assert taken(skip=3) == [HUND]


def test_a_negative_scores_at_most_a_share_of_the_pairs_own_passage():
    assert taken(own=0.8, max_share=0.95) == [DOG, OWL]
    assert taken(own=0.8, max_share=0.8) == [OWL, HEN]
    assert taken([(OWL, 0.5), (HEN, 0.25)], own=0.5, max_share=1.0) == [OWL, HEN]
    assert taken([(OWL, 0.5), (HEN, 0.25)], own=0.5, max_share=0.5) == [HEN]


def test_a_share_of_a_negative_score_lies_below_it():
    assert taken([(OWL, -0.1), (HEN, -0.21), (DOG, -0.23)], own=-0.2, max_share=0.9) == [DOG]


def test_a_negative_scores_less_than_the_pairs_own_passage_by_a_margin():
    assert taken([(OWL, 0.5), (HEN, 0.25)], own=0.75, margin=0.25) == [OWL, HEN]
    assert taken([(OWL, 0.5), (HEN, 0.25)], own=0.75, margin=0.375) == [HEN]


def test_of_two_bounds_the_lower_one_holds():
    hits = [(OWL, 0.5), (HEN, 0.25)]
    assert taken(hits, own=0.75, margin=0.25, max_share=0.5) == [HEN]
    assert taken(hits, own=0.75, margin=0.375, max_share=1.0) == [HEN]


def test_the_skipped_are_not_those_that_score_too_high():
    assert taken(own=0.7, max_share=0.9, skip=1) == [OWL, HEN]
    assert taken(own=0.5, max_share=0.9, skip=2) == [HEN, HUND]


def test_a_sample_is_drawn_by_the_seed_of_all_that_are_left():
    drawn = [tuple(taken(take="sample", seed=seed)) for seed in range(200)]
    assert drawn[3] == tuple(taken(take="sample", seed=3))
    pairs = [(DOG, OWL), (DOG, HEN), (DOG, HUND), (OWL, HEN), (OWL, HUND), (HEN, HUND)]
    assert set(drawn) == set(pairs)
    assert all(15 <= drawn.count(pair) <= 60 for pair in pairs)
    assert taken(take="sample", count=6) == taken(take="best", count=6)


def test_what_was_not_found_is_not_taken():
    assert taken([(OWL, 0.5), (-1, -np.inf)]) == [OWL]


def test_every_candidate_is_counted_once():
    assert list(chosen(own=0.8, max_share=0.6, skip=1).counts.values()) == [2, 1, 1, 1, 2]


def test_the_report_says_what_became_of_the_candidates_and_what_pairs_got():
    one = chosen(own=0.8, max_share=0.6, skip=1)
    both = Chosen(np.array([[3, 5], [3, -1], [2, 1]]), one.counts)
    lines = [line.rsplit(maxsplit=1) for line in report(both).splitlines()]
    assert [int(number) for _, number in lines] == [7, 2, 1, 1, 1, 2, 3, 1, 2]
    assert [name.strip() for name, _ in lines][-2:] == ["with 1 negatives", "with 2 negatives"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"depth": 4, "count": 3, "skip": 2}, r"mining\.depth: must be .* skip = 5, got 4"),
        ({"max_share": 0.0}, r"mining\.max_share: must be in \(0, 1\], or null, got 0\.0"),
        ({"max_share": 1.1}, r"mining\.max_share: must be in \(0, 1\], or null, got 1\.1"),
        ({"margin": -0.1}, r"mining\.margin: must be in \[0, 2\), or null, got -0\.1"),
        ({"count": 0}, r"mining\.count: must be a whole number of at least 1, got 0"),
        ({"skip": 1.5}, r"mining\.skip: must be a whole number of at least 0, got 1\.5"),
        ({"take": "worst"}, r"mining\.take: must be best or sample, got 'worst'"),
        ({"language": "de"}, r"mining\.language: must be passage or any, got 'de'"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(wrong, says):
    with pytest.raises(InputError, match=says):
        MiningRules(**RULES | wrong)


def mined(*, items=ITEMS, dimension: int = 4, **rules) -> tuple[set[tuple[str, str, str]], Chosen]:
    """Query, own passage and negative of each, of vectors at random."""
    pairs = training_pairs(items, languages=None, pairs="all", expand_pairs=False)
    rng = np.random.default_rng(0)
    query_vectors, passage_vectors = (
        Vectors(unit(rng.normal(size=(len(pairs.texts), dimension))), np.arange(len(pairs.texts)))
        for _ in range(2)
    )
    found = mine(
        pairs,
        query_vectors,
        passage_vectors,
        partial(search, shard_mib=1),
        rules=MiningRules(**RULES | rules),
    )
    rows = zip(pairs.query_N, pairs.passage_N, found.passage_NC.tolist(), strict=True)
    return {
        tuple(pairs.texts.take(np.array([query, own, negative])))
        for query, own, taken in rows
        for negative in taken
        if negative >= 0
    }, found


def test_negatives_are_in_the_language_of_the_pairs_own_passage():
    triples, _ = mined(count=7)
    german = {
        ("What purrs?", "Eine Katze.", "Ein Hund."),
        ("What barks?", "Ein Hund.", "Eine Katze."),
    }
    assert {triple for triple in triples if triple[1] in ("Eine Katze.", "Ein Hund.")} == german
    assert ("What hoots?", "An owl.", "A lion.") in triples
    assert ("What purrs?", "A cat.", "A lion.") not in triples


def test_negatives_of_any_language_are_all_that_may_be_wrong():
    triples, _ = mined(count=7, language="any")
    of_owl = {negative for _, own, negative in triples if own == "An owl."}
    passages = {text for item in ITEMS for texts in item.passages.values() for text in texts}
    assert of_owl == passages - {"An owl."}
    of_katze = {negative for _, own, negative in triples if own == "Eine Katze."}
    assert of_katze == {"A dog.", "Ein Hund.", "An owl.", "A hen."}


def test_of_equal_texts_one_is_taken():
    items = [*ITEMS, Item("owl 2", "", {"en": ("Who?",)}, {"en": ("an OWL",)})]
    triples, _ = mined(items=items, count=7)
    of_hen = {negative for _, own, negative in triples if own == "A hen."}
    assert of_hen == {"A cat.", "A lion.", "A dog.", "An owl."}
    owls = {"An owl.", "an OWL"}
    assert not any({own, negative} <= owls for _, own, negative in triples)


def test_negatives_that_the_data_came_with_are_candidates():
    given = Item("fox", "", {"en": ("What yaps?",)}, {"en": ("A fox.",)}, {"en": ("A wolf.",)})
    triples, _ = mined(items=[*ITEMS, given], count=9)
    assert ("What hoots?", "An owl.", "A wolf.") in triples


def test_what_is_mined_does_not_depend_on_how_much_is_looked_at_at_once(monkeypatch):
    whole, at_once = mined(count=2, language="any", max_share=0.9)
    monkeypatch.setattr(negatives, "QUERIES", 2)
    monkeypatch.setattr(negatives, "BLOCK", 1)
    parts, one_by_one = mined(count=2, language="any", max_share=0.9)
    assert parts == whole
    assert one_by_one.counts == at_once.counts
    assert at_once.counts.total() == 7 * 7


def test_no_candidate_for_any_pair_is_refused():
    with pytest.raises(InputError, match=r"no pair has a candidate left: of 4 candidates 4 say"):
        mined(items=ITEMS[:1], count=1, depth=5, language="any")
