from pathlib import Path

import numpy as np
import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.errors import InputError
from lingmix.evaluation import dense, pools
from lingmix.evaluation.dense import DenseScorer
from lingmix.evaluation.ranks import Ranked, rank_relevant
from tests.evaluation.made import MatrixScorer, parallel_set, random_set, unit


def ranked_of(of: EvaluationSet, scores_QP: np.ndarray) -> Ranked:
    scores = MatrixScorer(scores_QP.astype(np.float32))
    return rank_relevant(of, scores, temperature=0.05, seed=0)


def same(one: Ranked, other: Ranked) -> bool:
    return all(a.equals(b) for a, b in zip(one[:3], other[:3], strict=True))


def one_query(ids: list[str], languages: list[str], relevant: int) -> EvaluationSet:
    return EvaluationSet(
        name="one",
        query_ids=("q",),
        queries=("query",),
        query_languages=("en",),
        passage_ids=tuple(ids),
        passages=tuple(ids),
        passage_languages=tuple(languages),
        query_J=np.array([0], dtype=np.int32),
        passage_J=np.array([relevant], dtype=np.int32),
        grade_J=np.array([1], dtype=np.int32),
    )


@pytest.mark.parametrize(
    ("relevant", "in_language", "in_pool"), [(0, 3, 4), (1, 1, 1), (2, 2, 3), (3, 1, 2)]
)
def test_equal_scores_stand_by_passage_id_descending(
    relevant: int, in_language: int, in_pool: int
) -> None:
    of = one_query(["a10", "z", "a9", "b"], ["en", "en", "en", "de"], relevant)
    found = ranked_of(of, np.zeros((1, 4))).relevant.row(0, named=True)
    assert (found["language_rank"], found["pool_rank"]) == (in_language, in_pool)


def test_a_higher_score_stands_ahead_whatever_the_ids() -> None:
    of = one_query(["a", "b", "c", "d"], ["en", "en", "de", "de"], 0)
    found = ranked_of(of, np.array([[0.0, -1.0, 1.0, 2.0]])).relevant.row(0, named=True)
    assert (found["language_rank"], found["pool_rank"]) == (1, 3)


def test_equal_vectors_tie_even_for_a_single_query_where_a_matrix_product_rounds_unevenly() -> None:
    rng = np.random.default_rng(0)
    ids = [f"{i:04}" for i in range(997)]
    vectors = unit(rng.standard_normal((997, 768)))
    vectors[::2] = vectors[0]
    of = one_query(ids, ["en"] * 997, 0)
    query = unit(rng.standard_normal((1, 768)))
    found = rank_relevant(of, DenseScorer(of, query, vectors), temperature=None, seed=0).relevant
    ahead = ((query @ vectors[1::2].T) > (query @ vectors[0])).sum()
    assert found["pool_rank"].item() == ahead + 499


def test_ranks_and_entropies_are_the_same_however_queries_are_chunked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    of = random_set(rng, queries=50, passages=80)
    scores_QP = rng.standard_normal((50, 80)).round(1)
    whole = ranked_of(of, scores_QP)
    monkeypatch.setattr(pools, "CHUNK_SCORES", 7 * 80)
    assert same(ranked_of(of, scores_QP), whole)


@pytest.mark.parametrize("width", [1, 7, 64, 79])
@pytest.mark.parametrize("other_languages_only", [False, True])
def test_a_pool_in_blocks_gives_what_it_gives_whole(width: int, other_languages_only: bool) -> None:
    rng = np.random.default_rng(width)
    of = random_set(rng, queries=50, passages=80, other_languages_only=other_languages_only)
    scores_QP = rng.standard_normal((50, 80)).round(1).astype(np.float32)
    in_blocks = MatrixScorer(scores_QP, width=width)
    whole = ranked_of(of, scores_QP)
    assert same(rank_relevant(of, in_blocks, temperature=0.05, seed=0), whole)


def test_vectors_on_disk_rank_as_in_memory_and_equal_ones_tie_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    of = random_set(rng, queries=30, passages=700)
    vectors = unit(rng.standard_normal((700, 48)))
    vectors[rng.integers(700, size=300)] = vectors[0]
    queries = unit(rng.standard_normal((30, 48)))
    whole = rank_relevant(of, DenseScorer(of, queries, vectors), temperature=None, seed=0)
    np.save(tmp_path / "vectors.npy", vectors)
    on_disk = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    monkeypatch.setattr(dense, "WHOLE", 100)
    monkeypatch.setattr(dense, "BLOCK", 64)
    blocks = rank_relevant(of, DenseScorer(of, queries, on_disk), temperature=None, seed=0)
    ranks = ["query", "passage_language", "language_rank", "pool_rank"]
    assert blocks.relevant[ranks].equals(whole.relevant[ranks])
    assert blocks.places.equals(whole.places)


def test_a_result_list_is_in_the_order_of_trec_eval_also_where_ties_go_beyond_its_end() -> None:
    ids = [f"p{number:02}" for number in range(30)]
    of = one_query(ids, ["de", "en", "th"] * 10, 0)
    scores_1P = np.zeros((1, 30))
    scores_1P[0, [4, 7]] = 1, 2
    found = ranked_of(of, scores_1P).lists
    descending = [29, 28, 27, 26, 25, 24, 23, 22]
    assert found["passage"].to_list() == [7, 4, *descending]
    assert found["place"].to_list() == list(range(1, 11))
    expected = [of.passage_languages[p] for p in (7, 4, *descending)]
    assert found["passage_language"].to_list() == expected


def test_the_first_places_are_shared_out_among_those_tied_for_them() -> None:
    of = one_query(["a", "b", "c", "d"], ["de", "de", "en", "fr"], 0)
    shares = dict(
        ranked_of(of, np.array([[1.0, 1.0, 1.0, 0.0]])).places["passage_language", "share"].rows()
    )
    assert shares == pytest.approx({"de": 2 / 3, "en": 1 / 3, "fr": 0})


def test_a_query_is_not_ranked_against_its_own_language_where_that_is_left_out() -> None:
    of = parallel_set(items=5, languages=("de", "en", "th"), other_languages_only=True)
    ranked = ranked_of(of, np.eye(15))
    for frame in (ranked.relevant, ranked.places):
        assert frame.filter(frame["query_language"] == frame["passage_language"]).is_empty()
    assert ranked.relevant["pool_rank"].to_numpy().max() <= 10
    assert len(ranked.relevant) == 15 * 2


def test_a_set_without_any_relevant_passage_is_refused() -> None:
    of = random_set(np.random.default_rng(0), queries=4, passages=8)
    of.grade_J[:] = 0
    with pytest.raises(InputError, match="random: no query has a relevant passage"):
        ranked_of(of, np.zeros((4, 8)))
