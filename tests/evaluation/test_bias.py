import numpy as np
import polars as pl
import pytest
from peer_measure import PEER, PEEREvaluator
from scipy import stats

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation import bias
from lingmix.evaluation.dense import DenseScorer
from lingmix.evaluation.pools import Matrix, Scorer
from lingmix.evaluation.scores import SetScores, score
from tests.evaluation.made import MatrixScorer, parallel_set, random_set, unit

LANGUAGES = ("de", "en", "th")


def relevant(*rows: tuple[int, str, str, int, float], grade: int = 1) -> pl.DataFrame:
    columns = ["query", "query_language", "passage_language", "pool_rank", "score"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(grade=pl.lit(grade))


def test_rank_distance_is_the_last_languages_rank_less_the_firsts() -> None:
    found = bias.rank_distance(
        relevant(
            (0, "en", "de", 12, 0.1),
            (0, "en", "en", 2, 0.9),
            (0, "en", "th", 7, 0.5),
            (0, "en", "th", 99, 0.0),
            (1, "en", "th", 5, 0.0),
        )
    )
    assert dict(found.rows()) == {0: 10.0, 1: None}


def test_preference_weighs_own_passages_above_others_against_those_below() -> None:
    found = bias.same_language_preference(
        relevant(
            (0, "en", "en", 1, 0.9),
            (0, "en", "de", 2, 0.5),
            (0, "en", "th", 3, 0.9),
            (0, "en", "en", 4, 0.4),
            (1, "en", "de", 1, 0.0),
        )
    )
    assert found.rows() == [(0, (1 + 0 - 1 - 1) / 4)]


def test_preference_compares_passages_of_one_grade() -> None:
    high = relevant((0, "en", "en", 1, 0.9), (0, "en", "de", 2, 0.8), grade=3)
    low = relevant((0, "en", "en", 3, 0.7), (0, "en", "de", 4, 0.6), grade=1)
    assert bias.same_language_preference(pl.concat([high, low])).rows() == [(0, 1.0)]


def test_peer_is_the_kruskal_wallis_p_value_where_nothing_irrelevant_stands_between() -> None:
    ranks = {"de": [1, 4, 6], "en": [2, 3], "th": [5, 7, 8]}
    found = bias.peer(
        relevant(*((0, "en", of, rank, 0.0) for of, held in ranks.items() for rank in held))
    )
    assert found["peer"].item() == pytest.approx(stats.kruskal(*ranks.values()).pvalue)


def test_peer_is_low_for_languages_ranked_apart_and_none_where_it_could_not_vary() -> None:
    apart = [(0, "en", of, 10 * n + i, 0.0) for n, of in enumerate(LANGUAGES) for i in range(1, 6)]
    mixed = [(1, "en", of, 3 * i + n, 0.0) for n, of in enumerate(LANGUAGES) for i in range(1, 6)]
    one_each = [(2, "en", of, n, 0.0) for n, of in enumerate(LANGUAGES)]
    found = dict(bias.peer(relevant(*apart, *mixed, *one_each)).rows())
    assert found.pop(2) is None
    assert found[0] < 0.01
    assert found[1] > 0.75


def test_peer_is_the_mean_over_grades_and_1_in_a_grade_of_one_language() -> None:
    high = {"de": [1, 4, 6], "en": [2, 3], "th": [5, 7, 8]}
    low = {"de": [9, 10, 12], "en": [11, 13]}
    grades = [
        relevant(*((0, "en", of, n, 0.0) for of, ns in ranks.items() for n in ns), grade=grade)
        for grade, ranks in ((3, high), (1, low), (2, {"de": [14, 15]}))
    ]
    p = [stats.kruskal(*ranks.values()).pvalue for ranks in (high, low)]
    assert bias.peer(pl.concat(grades))["peer"].item() == pytest.approx((*p, 1.0) @ np.ones(3) / 3)
    assert bias.peer(grades[2])["peer"].item() == 1


def test_peer_is_its_authors_code_with_equal_weights_for_the_grades_a_query_has() -> None:
    rng = np.random.default_rng(0)
    of = random_set(rng, queries=60, passages=90)
    scores_QP = rng.standard_normal((60, 90)).astype(np.float32)
    scored = score(of, MatrixScorer(scores_QP), depth=None, temperature=None, seed=0).per_query
    answerable = scored.filter(pl.col("relevant") > 0, setting="multilingual")
    ours = dict(answerable["query_id", "peer"].rows())
    position = {query: q for q, query in enumerate(of.query_ids)}
    varying = {query: value for query, value in ours.items() if value is not None}
    theirs = {
        query: authors_peer(of, position[query], scores_QP[position[query]]) for query in varying
    }
    assert len(varying) > 30
    assert list(varying.values()).count(1.0) > 3
    assert varying == pytest.approx(theirs)


def authors_peer(of: EvaluationSet, query: int, scores_P: Matrix) -> float:
    """By hltcoe/peer_measure, over the whole pool."""
    judged = of.query_J == query
    passages = [of.passage_ids[p] for p in of.passage_J[judged]]
    grades = dict.fromkeys(of.passage_ids, 0)
    grades |= zip(passages, np.maximum(of.grade_J[judged], 0).tolist(), strict=True)
    present = set(grades.values()) - {0}
    languages = dict(zip(of.passage_ids, of.passage_languages, strict=True))
    measure = PEER(weights={one: 1 / len(present) for one in present}, lang_mapping=languages)
    cut = measure @ len(scores_P)
    judge = PEEREvaluator(
        [cut], {"q": grades}, {id(languages): [(len(scores_P), cut)]}, {id(languages): languages}
    )
    run = {"q": dict(zip(of.passage_ids, scores_P.tolist(), strict=True))}
    (found,) = judge.iter_calc(run)
    return found.value


def scores_of(*, language_part: float, other_languages_only: bool = False) -> SetScores:
    """Embeddings of what an item says, to which each language adds its own direction."""
    rng = np.random.default_rng(0)
    items, dimension = 60, 32
    said = rng.standard_normal((items, dimension))
    direction = dict(zip(LANGUAGES, rng.standard_normal((3, dimension)), strict=True))
    vectors = unit(np.concatenate([said + language_part * direction[of] for of in LANGUAGES]))
    of = parallel_set(items=items, languages=LANGUAGES, other_languages_only=other_languages_only)
    scores = DenseScorer(of, vectors, vectors)
    return score(of, scores, depth=None, temperature=0.05, seed=0)


def test_a_language_blind_encoder_shows_no_bias() -> None:
    metrics = scores_of(language_part=0).metrics
    assert metrics["multilingual/rank_distance"] == len(LANGUAGES) - 1
    assert metrics["multilingual/same_language_preference"] == 0
    assert metrics["multilingual/same_language_excess"] == pytest.approx(0)
    assert metrics["multilingual/share_gap"] == pytest.approx(0)
    for of in LANGUAGES:
        assert metrics[f"multilingual/excess_share/{of}"] == pytest.approx(0)


def test_a_planted_language_direction_moves_every_figure() -> None:
    metrics = scores_of(language_part=3).metrics
    assert metrics["multilingual/rank_distance"] > 60
    assert metrics["multilingual/same_language_preference"] > 0.95
    assert metrics["multilingual/same_language_excess"] > 0.6
    assert metrics["multilingual/share_gap"] > 0.6
    assert metrics["monolingual/map"] == pytest.approx(1)
    assert metrics["multilingual/map"] < 0.6
    assert metrics["contrastive_entropy"] > metrics["monolingual/contrastive_entropy"] + 0.5


def test_queries_that_all_favour_their_own_language_favour_no_language_over_the_others() -> None:
    metrics = scores_of(language_part=3).metrics
    for of in LANGUAGES:
        assert abs(metrics[f"multilingual/excess_share/{of}"]) < 0.05


def test_a_language_that_every_query_favours_is_named() -> None:
    of = parallel_set(items=8, languages=LANGUAGES)
    passages = np.concatenate([np.eye(8, 9), np.eye(8, 9), np.eye(8, 9)])
    queries = passages.copy()
    queries[:, 8] = 1
    passages[8:16, 8] = 2
    scores = DenseScorer(of, queries.astype(np.float32), passages.astype(np.float32))
    metrics = score(of, scores, depth=None, temperature=0.05, seed=0).metrics
    assert metrics["multilingual/excess_share/en"] == pytest.approx(2 / 3)
    assert metrics["multilingual/excess_share/th"] == pytest.approx(-1 / 3)
    assert metrics["multilingual/share_gap"] == pytest.approx(2 / 3)


def uneven_corpora(rng: np.random.Generator) -> EvaluationSet:
    """20, 60 and 100 passages; each of 3 x 25 queries has one relevant in each language, at one
    grade, and two more in German at another."""
    sizes = {"de": 20, "en": 60, "th": 100}
    languages = [of for of, size in sizes.items() for _ in range(size)]
    begin = dict(zip(sizes, (0, 20, 80), strict=True))
    judged = []
    for q in range(75):
        german = rng.choice(20, size=3, replace=False).tolist()
        others = [begin[of] + int(rng.integers(sizes[of])) for of in ("en", "th")]
        judged += [(q, p, 1) for p in (german[0], *others)] + [(q, p, 2) for p in german[1:]]
    query_J, passage_J, grade_J = np.array(judged, dtype=np.int32).T
    return EvaluationSet(
        name="uneven",
        query_ids=tuple(f"q{q}" for q in range(75)),
        queries=tuple(f"query {q}" for q in range(75)),
        query_languages=tuple(LANGUAGES[q % 3] for q in range(75)),
        passage_ids=tuple(f"p{p}" for p in range(180)),
        passages=tuple(f"passage {p}" for p in range(180)),
        passage_languages=tuple(languages),
        query_J=query_J,
        passage_J=passage_J,
        grade_J=grade_J,
    )


def share_figures_of(of: EvaluationSet, scores: Scorer) -> dict[str, float]:
    metrics = score(of, scores, depth=None, temperature=None, seed=0).metrics
    names = ("share_gap", "excess_share", "same_language_excess", "same_language_preference")
    return {name: value for name, value in metrics.items() if any(one in name for one in names)}


def assert_nothing_but_chance(found: list[dict[str, float]]) -> None:
    """Each mean is within 3.5 standard errors of 0."""
    for name in found[0]:
        values = [figures[name] for figures in found]
        error = np.std(values, ddof=1) / len(values) ** 0.5
        assert np.mean(values) == pytest.approx(0, abs=3.5 * error), name


@pytest.mark.parametrize("knows", [0.0, 1.0, 3.0])
def test_rankings_blind_to_language_score_0_in_every_figure_of_their_first_places(
    knows: float,
) -> None:
    """However much they know of relevance, though corpora differ in size, German has most of the
    relevant passages and all of the higher grade, and queries are few."""
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        of = uneven_corpora(rng)
        scores_QP = rng.standard_normal((75, 180))
        scores_QP[of.query_J, of.passage_J] += knows * of.grade_J
        found.append(share_figures_of(of, MatrixScorer(scores_QP.astype(np.float32))))
    assert len(found[0]) == 3 * 3 + 3 + 3
    assert_nothing_but_chance(found)


def test_random_vectors_score_0_and_in_the_share_gap_what_is_the_luck_of_their_passages() -> None:
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        of = uneven_corpora(rng)
        queries, passages = (unit(rng.standard_normal((n, 64))) for n in (75, 180))
        found.append(share_figures_of(of, DenseScorer(of, queries, passages)))
    gap = np.mean([figures.pop("multilingual/share_gap") for figures in found])
    assert abs(gap) < 0.02
    assert_nothing_but_chance(found)


def test_random_rankings_score_one_half_in_peer_and_a_known_rank_distance() -> None:
    """A p-value is uniform; the first and last of L places among P are (L - 1) / (L + 1) of P + 1
    apart."""
    rng = np.random.default_rng(0)
    ranks = np.stack([1 + rng.permutation(500)[:24] for _ in range(2000)])
    found = relevant(
        *(
            (q, "en", LANGUAGES[n % 3], rank, 0.0)
            for q, row in enumerate(ranks.tolist())
            for n, rank in enumerate(row)
        )
    )
    assert bias.peer(found)["peer"].mean() == pytest.approx(0.5, abs=3.5 * (1 / 12 / 2000) ** 0.5)
    one_each = found.filter(pl.int_range(pl.len()).over("query") < 3)
    distance = bias.rank_distance(one_each)["rank_distance"]
    error = distance.std() / len(distance) ** 0.5
    assert distance.mean() == pytest.approx((3 - 1) / (3 + 1) * 501, abs=3.5 * error)


def test_figures_of_the_own_language_are_not_given_where_it_is_left_out() -> None:
    metrics = scores_of(language_part=1, other_languages_only=True).metrics
    assert "multilingual/rank_distance" in metrics
    assert not {name for name in metrics if "same_language" in name or "monolingual" in name}
