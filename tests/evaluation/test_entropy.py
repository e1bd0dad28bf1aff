import numpy as np
import pytest

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation.entropy import NEGATIVES, negatives
from lingmix.evaluation.ranks import rank_relevant
from tests.evaluation.made import MatrixScorer, parallel_set, random_set


def entropies(
    of: EvaluationSet, scores_QP: np.ndarray, *, temperature: float = 0.05, seed: int = 0
) -> dict[str, np.ndarray]:
    scores = MatrixScorer(scores_QP.astype(np.float32))
    found = rank_relevant(of, scores, temperature=temperature, seed=seed).relevant
    return {name: found[name].to_numpy() for name in ("language_entropy", "pool_entropy")}


def test_a_scorer_that_knows_nothing_has_the_entropy_of_a_draw_from_257() -> None:
    of = parallel_set(items=20, languages=("de", "en"))
    for entropy in entropies(of, np.zeros((40, 40))).values():
        assert entropy == pytest.approx(np.log(1 + NEGATIVES), abs=1e-5)


def test_with_one_wrong_passage_the_entropy_follows_from_two_scores() -> None:
    of = parallel_set(items=2, languages=("en",))
    scores_QP = np.array([[0.3, 0.1], [0.0, 0.5]])
    expected = [np.log1p(256 * np.exp(-0.2 / 0.1)), np.log1p(256 * np.exp(-0.5 / 0.1))]
    for entropy in entropies(of, scores_QP, temperature=0.1).values():
        assert entropy == pytest.approx(expected, abs=1e-5)


def test_scores_far_apart_do_not_overflow() -> None:
    of = parallel_set(items=2, languages=("en",))
    entropy = entropies(of, np.array([[0.0, 1000.0], [-1000.0, 0.0]]), temperature=0.01)
    assert entropy["pool_entropy"] == pytest.approx([1e5 + np.log(256), 0.0], rel=1e-5)


def test_relevant_passages_are_never_negatives() -> None:
    of = random_set(np.random.default_rng(1), queries=60, passages=90)
    scores_QP = np.zeros((60, 90))
    relevant = of.grade_J > 0
    scores_QP[of.query_J[relevant], of.passage_J[relevant]] = 9
    for entropy in entropies(of, scores_QP).values():
        assert np.nanmax(entropy) < 1e-6


def test_negatives_of_a_language_are_of_that_language() -> None:
    of = parallel_set(items=9, languages=("de", "en"))
    languages = np.array(of.passage_languages)
    scores_QP = np.where(languages[None, :] == "de", 0.0, 9.0).repeat(len(of.queries), axis=0)
    found = entropies(of, scores_QP)
    assert found["language_entropy"] == pytest.approx(np.log(257), abs=1e-5)
    assert found["pool_entropy"].max() > 100


def test_where_every_passage_is_relevant_there_is_no_entropy() -> None:
    found = entropies(parallel_set(items=1, languages=("de", "en")), np.zeros((2, 2)))
    assert np.isnan(found["language_entropy"]).all()
    assert np.isnan(found["pool_entropy"]).all()


def test_negatives_are_the_same_for_every_encoder_and_others_for_another_seed() -> None:
    rng = np.random.default_rng(0)
    of = parallel_set(items=300, languages=("en",))
    scores_QP = rng.standard_normal((300, 300))
    first, again = (entropies(of, scores_QP)["pool_entropy"] for _ in range(2))
    assert (first == again).all()
    assert (entropies(of, scores_QP, seed=1)["pool_entropy"] != first).any()
    shifted = entropies(of, scores_QP + 1)["pool_entropy"]
    assert shifted == pytest.approx(first, abs=1e-3)


def test_negatives_are_drawn_evenly_from_all_that_are_not_relevant() -> None:
    draw = (np.arange(7000) + 0.5)[None, :] / 7000
    relevant = np.array([[2, 3, 5, 9, 20]])
    drawn = negatives(draw, relevant, np.array([[0]]), np.array([[12]]))[0]
    columns, times = np.unique(drawn, return_counts=True)
    assert columns.tolist() == [0, 1, 4, 6, 7, 8, 10, 11]
    assert times.min() == times.max() == 7000 / 8
    in_the_middle = negatives(draw, relevant, np.array([[3]]), np.array([[8]]))[0]
    assert set(in_the_middle.tolist()) == {4, 6, 7}
