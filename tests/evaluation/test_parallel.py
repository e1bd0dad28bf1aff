"""How parallel passages are ranked: by hand, against scipy, and whatever the ranking."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import rankdata, spearmanr

from lingmix.evaluation import parallel
from lingmix.evaluation.parallel import ParallelRanking
from lingmix.evaluation.scores import score
from tests.evaluation.made import MatrixScorer, parallel_set, random_set

LANGUAGES = ("de", "en", "th")
CASES = [
    "first_relevant_own",
    "first_relevant_other",
    "first_irrelevant_own",
    "first_irrelevant_other",
]


def ranking(
    *relevant: tuple[int, str, str, int],
    lists: list[tuple[int, str, str, int]] | None = None,
    questions: dict[int, int] | None = None,
    depth: int | None = None,
) -> ParallelRanking:
    """Relevant passages: query, its language, the passage's, rank. Lists, in order: query, its
    language, the passage's, passage."""
    languages = ["query", "query_language", "passage_language"]
    listed = pl.DataFrame(lists or [], schema=[*languages, "passage"], orient="row")
    return ParallelRanking.of(
        pl.DataFrame(relevant, schema=[*languages, "pool_rank"], orient="row").with_columns(
            score=-pl.col("pool_rank").cast(pl.Float64), grade=pl.lit(1, pl.Int32)
        ),
        listed.with_columns(
            place=1 + pl.int_range(pl.len()).over("query"),
            question=pl.col("query").replace_strict(questions or {}, default=None),
        ),
        depth=depth,
    )


def figures(frame: pl.DataFrame) -> dict[int, Any]:
    return dict(frame.sort("query").rows())


TWO = ranking(
    (0, "en", "en", 4), (0, "en", "de", 1), (0, "en", "th", 30),
    (1, "de", "en", 20), (1, "de", "de", 2),
    (2, "de", "en", 5), (2, "de", "en", 9),
    (3, "th", "en", 3), (3, "th", "de", 6),
)  # fmt: skip


def test_max_at_r_is_the_last_rank_where_relevant_passages_are_in_several_languages() -> None:
    assert figures(parallel.max_rank(TWO)) == {0: 30, 1: 20, 3: 6}


def test_complete_at_k_is_whether_the_last_stands_within_k_and_the_depth() -> None:
    assert figures(parallel.complete(TWO, k=20)) == {0: 0, 1: 1, 3: 1}
    assert figures(parallel.complete(TWO, k=100)) == {0: 1, 1: 1, 3: 1}
    assert figures(parallel.complete(TWO._replace(depth=19), k=100)) == {0: 0, 1: 0, 3: 1}


def test_the_language_preferred_is_that_of_the_relevant_passage_ahead_and_ties_share() -> None:
    assert figures(parallel.language_preference(TWO)) == {0: 0, 1: 1}
    tied = TWO._replace(in_own_and_other=TWO.in_own_and_other.with_columns(score=pl.lit(0.5)))
    assert figures(parallel.language_preference(tied)) == {0: 1 / 3, 1: 1 / 2}


def test_lang_ndcg_doubles_the_gain_of_the_querys_language() -> None:
    found = figures(parallel.lang_ndcg(TWO, k=10))
    log = np.log2
    first = (1 / log(2) + 2 / log(5)) / (2 / log(2) + 1 / log(3) + 1 / log(4))
    second = (2 / log(3)) / (2 / log(2) + 1 / log(3))
    assert found == pytest.approx({0: first, 1: second})


def test_of_the_first_passage_content_and_language_are_right_or_wrong() -> None:
    ranked = ranking(
        *((query, "en", of, rank) for query, own, other in
          ((0, 1, 9), (1, 9, 1), (2, 5, 9), (3, 5, 9), (4, 1, 9))
          for of, rank in (("en", own), ("de", other))),
        lists=[(0, "en", "en", 7), (1, "en", "de", 8), (2, "en", "en", 7), (3, "en", "th", 6),
               (4, "en", "en", 5), (4, "en", "de", 6)],
    )  # fmt: skip
    frames = [
        parallel.first_passage(ranked, relevant=relevant, own=own)
        for relevant in (True, False)
        for own in (True, False)
    ]
    found = [figures(frame) for frame in frames]
    cases = [max(range(4), key=lambda case, query=query: found[case][query]) for query in range(5)]
    assert cases == [0, 1, 2, 3, 0]
    assert [frame.columns[1] for frame in frames] == CASES


def lists_of(*passages_of: list[int]) -> ParallelRanking:
    rows = [(q, LANGUAGES[q], "en", p) for q, listed in enumerate(passages_of) for p in listed]
    return ranking(lists=rows, questions=dict.fromkeys(range(len(passages_of)), 7))


def test_correlation_is_1_for_equal_lists_and_minus_1_for_reversed_ones() -> None:
    found = figures(parallel.rank_correlation(lists_of([1, 2, 3], [1, 2, 3], [3, 2, 1])))
    assert found == pytest.approx({0: 0, 1: 0, 2: -1})


def test_correlation_of_lists_that_share_one_passage_by_hand() -> None:
    """Over 1, 2, 3 the lists 1 2 and 1 3 give the places 1 2 3 and 1 3 2."""
    found = figures(parallel.rank_correlation(lists_of([1, 2], [1, 3])))
    assert found == pytest.approx({0: 0.5, 1: 0.5})


def test_a_question_asked_in_one_language_has_no_correlation() -> None:
    assert figures(parallel.rank_correlation(lists_of([1, 2, 3]))) == {}


def test_correlation_is_scipys_over_the_passages_of_either_list() -> None:
    rng = np.random.default_rng(0)
    listed = [rng.permutation(size)[:10].tolist() for size in (10, 15, 40)]
    listed[2] = [100 + p for p in listed[2][:5]] + listed[0][:5]
    expected: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for one, other in combinations(range(3), 2):
        either = sorted({*listed[one], *listed[other]})
        places = [
            rankdata([of.index(p) if p in of else 10 for p in either])
            for of in (listed[one], listed[other])
        ]
        for query in (one, other):
            expected[query].append(spearmanr(*places).statistic)
    found = figures(parallel.rank_correlation(lists_of(*listed)))
    assert found == pytest.approx({query: np.mean(of) for query, of in expected.items()})


@pytest.mark.parametrize("seed", range(5))
def test_figures_of_any_ranking_keep_their_bounds_and_agree_with_each_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    of = random_set(rng, queries=40, passages=60)
    scorer = MatrixScorer(rng.standard_normal((40, 60)).round(1).astype(np.float32))
    frame = score(of, scorer, depth=None, temperature=None, seed=0).per_query
    pooled = frame.filter(pl.col("max_rank").is_not_null(), setting="multilingual")
    assert len(pooled) > 10
    assert pooled.filter(pl.col("max_rank") < pl.col("relevant")).is_empty()
    assert pooled.filter(pl.col("max_rank") < 1 + pl.col("rank_distance")).is_empty()
    assert pooled.filter(pl.col("complete_at_20") != (pl.col("max_rank") <= 20)).is_empty()
    cases = pooled.drop_nulls("first_relevant_own").select(pl.sum_horizontal(CASES)).to_series()
    assert len(cases) > 5
    assert (cases == 1).all()
    for name in ("language_preference", "lang_ndcg_at_10"):
        assert pooled[name].drop_nulls().is_between(0, 1 + 1e-12).all()


def test_an_encoder_blind_to_language_answers_a_question_alike_in_all_languages() -> None:
    """Item i scores alike whatever the languages: ties stand by id, for every query the same."""
    of = parallel_set(items=8, languages=LANGUAGES)
    said_II = np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)
    scorer = MatrixScorer(np.tile(said_II, (3, 3)))
    metrics = score(of, scorer, depth=None, temperature=None, seed=0).metrics
    assert metrics["multilingual/rank_correlation_at_10"] == pytest.approx(1)
    assert metrics["multilingual/language_preference"] == pytest.approx(1 / 3)


def test_queries_of_one_number_ask_one_question_where_a_passage_answers_them_all() -> None:
    """As MIRACL numbers the questions of each language, which are no translations."""
    of = parallel_set(items=2, languages=LANGUAGES)
    ids = tuple(f"{language}:1" for language in LANGUAGES)
    three = replace(
        of,
        query_ids=ids,
        queries=ids,
        query_languages=LANGUAGES,
        query_J=np.array([0, 0, 1, 1, 2], np.int32),
        passage_J=np.array([0, 2, 2, 0, 4], np.int32),
        grade_J=np.array([1, 1, 2, 1, 1], np.int32),
    )
    first, second, third = three.questions
    assert first == second != third
    assert len(set(of.questions)) == 2


def test_queries_that_are_ranked_against_different_pools_have_no_correlation() -> None:
    of = parallel_set(items=8, languages=LANGUAGES, other_languages_only=True)
    scorer = MatrixScorer(np.eye(24, dtype=np.float32))
    frame = score(of, scorer, depth=None, temperature=None, seed=0).per_query
    assert frame["rank_correlation_at_10"].is_null().all()
    assert frame["max_rank"].count() == 24
