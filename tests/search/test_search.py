import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lingmix.errors import InputError
from lingmix.evaluation.result_lists import best_columns
from lingmix.search.approximate import hnsw, ivf_pq, scalar
from lingmix.search.exact import Hits, Searcher, merge_hits, recall_against_exact, search
from lingmix.search.shards import inner_products
from lingmix.search.vectors import Vectors
from tests.evaluation.made import unit

CONF = Path(__file__).parents[2] / "conf" / "search"
KIB = 2**-10
"""In shards of one, 64 rows of 4 components or 16 of 16."""

IVF_PQ = partial(
    ivf_pq,
    lists=16,
    probes=4,
    subquantisers=8,
    bits=6,
    candidates=4,
    training_sample=1500,
    seed=0,
    shard_mib=KIB * 32,
)
HNSW = partial(hnsw, links=16, construction_ef=40, ef=64, shard_mib=KIB * 32)
SCALAR = partial(
    scalar, precision="int8", candidates=2, training_sample=1500, seed=0, shard_mib=KIB * 32
)
EXACT = partial(search, shard_mib=KIB * 32)
APPROXIMATE = {"ivf_pq": IVF_PQ, "hnsw": HNSW, "scalar": SCALAR}


@pytest.fixture
def one_thread():
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(threads)


def clustered(n: int, *, seed: int, dimension: int = 32) -> np.ndarray:
    centres = np.random.default_rng(0).standard_normal((50, dimension))
    rng = np.random.default_rng(seed)
    return unit(centres[rng.integers(0, 50, n)] + 0.6 * rng.standard_normal((n, dimension)))


def by_sorting(queries: np.ndarray, passages: np.ndarray, depth: int) -> Hits:
    scores = (queries.astype(np.float64) @ passages.astype(np.float64).T).astype(np.float32)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    return Hits(order, np.take_along_axis(scores, order, axis=1))


def assert_same(hits: Hits, expected: Hits) -> None:
    np.testing.assert_array_equal(hits.passage_QK, expected.passage_QK)
    np.testing.assert_array_equal(hits.score_QK, expected.score_QK)


@pytest.mark.parametrize("shard_mib", [KIB, 3 * KIB, 1.0])
@pytest.mark.parametrize("queries", [1, 30])
def test_hits_are_those_of_sorting_every_score_whatever_the_shards(shard_mib, queries):
    vectors, passages = (
        clustered(queries, seed=1, dimension=16),
        clustered(700, seed=2, dimension=16),
    )
    hits = search(vectors, passages, depth=10, shard_mib=shard_mib)
    assert_same(hits, by_sorting(vectors, passages, 10))


@pytest.mark.parametrize("shard_mib", [KIB, 1.0])
@pytest.mark.parametrize("depth", [3, 10, 100])
def test_equal_scores_stand_by_position_across_shards_and_where_the_list_ends(depth, shard_mib):
    rng = np.random.default_rng(0)
    queries, passages = (rng.integers(-2, 3, (n, 8)).astype(np.float32) for n in (30, 200))
    hits = search(queries, passages, depth=depth, shard_mib=shard_mib)
    assert (hits.passage_QK == best_columns(queries @ passages.T, depth)).all()


@pytest.mark.parametrize("dimension", [31, 384])
def test_equal_vectors_tie_exactly_wherever_they_lie(dimension):
    rng = np.random.default_rng(0)
    passages = unit(rng.standard_normal((501, dimension)))
    copies = np.sort(rng.choice(501, size=60, replace=False))
    passages[copies] = passages[copies[0]]
    queries = unit(passages[copies[0]] + 0.1 * rng.standard_normal((40, dimension)))
    hits = search(queries, passages, depth=50, shard_mib=137 * dimension * 4 / 2**20)
    assert (hits.passage_QK == copies[:50]).all()
    assert (hits.score_QK == hits.score_QK[:, :1]).all()


@pytest.mark.parametrize("searcher", [EXACT, HNSW])
def test_hits_do_not_depend_on_how_many_queries_are_held_at_once(monkeypatch, searcher):
    queries, passages = clustered(50, seed=1), clustered(1000, seed=2)
    passages[::2] = queries[::3] = passages[0]
    together = searcher(queries, passages, depth=10)
    for module in ("exact", "approximate"):
        monkeypatch.setattr(f"lingmix.search.{module}.SCORES", 300)
    assert_same(searcher(queries, passages, depth=10), together)


def test_a_collapsed_encoder_is_ranked_by_its_last_bits():
    rng = np.random.default_rng(0)
    passages = unit(1 + 1e-4 * rng.standard_normal((600, 64)))
    queries = unit(1 + 1e-4 * rng.standard_normal((20, 64)))
    expected = by_sorting(queries, passages, 10)
    assert len(np.unique(expected.score_QK)) < 10
    assert_same(search(queries, passages, depth=10, shard_mib=25 * KIB), expected)


def test_a_passage_better_by_its_last_bits_is_found_in_a_later_shard():
    passages, queries = clustered(600, seed=2), clustered(100, seed=1)
    first = by_sorting(queries, passages, 1).passage_QK[:, 0]
    twins = (passages[first] * np.float32(1 + 2e-7)).astype(np.float32)
    passages = np.concatenate([passages, twins])
    expected = by_sorting(queries, passages, 1)
    assert (expected.passage_QK >= 600).sum() > 50
    assert_same(search(queries, passages, depth=1, shard_mib=25 * KIB), expected)


def test_a_score_depends_on_its_two_vectors_alone():
    queries, passages = clustered(2, seed=1, dimension=37), clustered(1000, seed=2, dimension=37)
    query, passage = np.repeat([0, 1], 1000), np.tile(np.arange(1000), 2)
    scores = inner_products(queries, passages, query, passage)
    alone = [
        inner_products(queries, passages[p:], query[[q]], np.array([0]))[0]
        for q in (0, 1000)
        for p in range(1000)
    ]
    assert (scores == alone).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_passages_on_disk_are_found_as_those_in_memory(tmp_path, dtype):
    queries, passages = clustered(20, seed=1), clustered(3000, seed=2).astype(dtype)
    np.save(tmp_path / "passages.npy", passages)
    stored = np.load(tmp_path / "passages.npy", mmap_mode="r")
    expected = by_sorting(queries, passages, 10)
    for of in (stored, stored[:], np.asarray(stored)):
        assert_same(search(queries, of, depth=10, shard_mib=KIB * 32), expected)
    assert_same(
        search(queries, stored[100:900], depth=10, shard_mib=KIB * 32),
        by_sorting(queries, passages[100:900], 10),
    )


def test_unsaved_changes_to_a_private_memory_map_survive_a_search(tmp_path):
    np.save(tmp_path / "passages.npy", clustered(3000, seed=2))
    private = np.load(tmp_path / "passages.npy", mmap_mode="c")
    private[:] = -private
    kept = np.array(private)
    search(clustered(2, seed=1), private, depth=1, shard_mib=KIB * 32)
    assert (private == kept).all()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("searcher", [EXACT, SCALAR])
def test_pages_of_a_searched_file_do_not_stay_in_memory(tmp_path, searcher):
    def resident_mib() -> float:
        status = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith("RssFile")) / 1024

    stored = np.lib.format.open_memmap(
        tmp_path / "passages.npy", mode="w+", dtype=np.float32, shape=(2**19, 32)
    )
    stored[:] = np.random.default_rng(0).standard_normal(stored.shape, dtype=np.float32)
    stored.flush()
    del stored
    stored = np.load(tmp_path / "passages.npy", mmap_mode="r")
    searcher(clustered(2, seed=1), stored[:2000], depth=10)
    before = resident_mib()
    searcher(clustered(2, seed=1), stored, depth=10, shard_mib=4)
    assert stored.nbytes == 64 * 2**20
    assert resident_mib() - before < 8


@pytest.mark.parametrize("searcher", [EXACT, HNSW, SCALAR])
def test_no_more_hits_than_passages(searcher):
    hits = searcher(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), depth=10)
    assert hits.passage_QK.tolist() == [[0, 1], [1, 0]]
    assert hits.score_QK.tolist() == [[1, 0], [1, 0]]


def test_no_queries_have_no_hits():
    hits = EXACT(np.empty((0, 32), np.float32), clustered(5, seed=1), depth=3)
    assert hits.passage_QK.shape == hits.score_QK.shape == (0, 3)


@pytest.mark.parametrize("name", APPROXIMATE)
def test_an_approximate_search_finds_most_and_scores_what_it_finds_exactly(name):
    queries, passages = clustered(100, seed=1), clustered(3000, seed=2)
    hits = APPROXIMATE[name](queries, passages, depth=10)
    scores = (queries.astype(np.float64) @ passages.astype(np.float64).T).astype(np.float32)
    assert (hits.score_QK == np.take_along_axis(scores, hits.passage_QK, axis=1)).all()
    recall = recall_against_exact(hits, queries, passages, sample=100, seed=0, shard_mib=1)
    assert recall == pytest.approx(
        np.mean(
            [
                np.isin(ours, exact).mean()
                for ours, exact in zip(
                    hits.passage_QK, EXACT(queries, passages, depth=10)[0], strict=True
                )
            ]
        )
    )
    assert 0.9 < recall <= 1


@pytest.mark.parametrize(
    ("searcher", "worse", "better"),
    [
        (IVF_PQ, {"probes": 1}, {"probes": 16}),
        (IVF_PQ, {"candidates": 1}, {"candidates": 16}),
        (IVF_PQ, {"subquantisers": 1}, {"subquantisers": 16}),
        (IVF_PQ, {"bits": 1}, {"bits": 8}),
        (HNSW, {"ef": 1, "links": 2}, {"ef": 1, "links": 16}),
        (HNSW, {"ef": 1}, {"ef": 500}),
        (SCALAR, {"precision": "int8", "candidates": 1}, {"precision": "fp16", "candidates": 1}),
    ],
)
def test_what_a_setting_costs_is_seen_in_the_recall(searcher: Searcher, worse, better):
    queries, passages = clustered(100, seed=1), clustered(3000, seed=2)
    recalls = [
        recall_against_exact(
            partial(searcher, **settings)(queries, passages, depth=10),
            queries,
            passages,
            sample=100,
            seed=0,
            shard_mib=1,
        )
        for settings in (worse, better)
    ]
    assert recalls[0] < recalls[1] - 0.005


@pytest.mark.parametrize("name", APPROXIMATE)
def test_an_index_ranks_by_inner_product_not_by_distance(name):
    queries, passages = clustered(100, seed=1), clustered(3000, seed=2)
    passages *= np.random.default_rng(0).uniform(0.3, 3, (3000, 1)).astype(np.float32)
    hits = APPROXIMATE[name](queries, passages, depth=10)
    assert recall_against_exact(hits, queries, passages, sample=100, seed=0, shard_mib=1) > 0.8


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_hits_are_those_of_sorting_every_score():
    faiss = pytest.importorskip("faiss")
    if not hasattr(faiss, "StandardGpuResources"):
        pytest.skip("needs faiss-gpu")
    assert faiss.get_num_gpus() > 0
    queries, passages = clustered(40, seed=1), clustered(900, seed=2)
    found, expected = EXACT(queries, passages, depth=10), by_sorting(queries, passages, 10)
    assert (found.passage_QK == expected.passage_QK).all()


def test_recall_of_exact_hits_is_1_and_of_half_of_them_a_half():
    queries, passages = clustered(9, seed=1), clustered(300, seed=2)
    exact = EXACT(queries, passages, depth=10)
    half = Hits(exact.passage_QK.copy(), exact.score_QK.copy())
    half.passage_QK[:, 5:], half.score_QK[:, 5:] = -1, -np.inf
    measured = partial(
        recall_against_exact, queries_QD=queries, passages_PD=passages, seed=0, shard_mib=1
    )
    assert measured(exact, sample=9) == measured(exact, sample=1000) == 1
    assert measured(half, sample=4) == 0.5


def test_recall_is_measured_on_a_seeded_sample():
    queries, passages = clustered(100, seed=1), clustered(300, seed=2)
    hits = EXACT(queries, passages, depth=1)
    hits.score_QK[:50] = -np.inf
    recalls = [
        recall_against_exact(hits, queries, passages, sample=10, seed=seed, shard_mib=1)
        for seed in (0, 0, 1, 2, 3)
    ]
    assert recalls[0] == recalls[1]
    assert len(set(recalls)) > 1


def test_a_passage_that_ties_with_the_last_exact_hit_is_no_loss():
    passages = np.eye(2, dtype=np.float32)[[0, 0, 1]]
    tied = Hits(np.array([[1]]), np.array([[1]], dtype=np.float32))
    assert recall_against_exact(tied, passages[:1], passages, sample=1, seed=0, shard_mib=1) == 1


def test_what_an_index_did_not_find_ends_the_row_and_scores_nothing():
    queries, passages = clustered(50, seed=1), clustered(3000, seed=2)
    hits = partial(IVF_PQ, probes=1)(queries, passages, depth=1000)
    found = hits.found.sum(1)
    assert (found > 0).all()
    assert (found < 1000).all()
    assert (hits.found == (np.arange(1000) < found[:, None])).all()
    assert (hits.passage_QK[~hits.found] == -1).all()
    assert (hits.score_QK[~hits.found] == -np.inf).all()
    assert np.isfinite(hits.score_QK[hits.found]).all()
    assert all(len(set(row[row >= 0])) == n for row, n in zip(hits.passage_QK, found, strict=True))


@pytest.mark.parametrize("name", APPROXIMATE)
def test_an_index_built_again_finds_the_same(name, one_thread):
    queries, passages = clustered(50, seed=1), clustered(3000, seed=2)
    first, again = (APPROXIMATE[name](queries, passages, depth=20) for _ in range(2))
    assert_same(first, again)


@pytest.mark.parametrize("searcher", [partial(IVF_PQ, candidates=1), partial(SCALAR, candidates=1)])
def test_the_seed_decides_what_an_index_is_trained_on(searcher):
    queries, passages = clustered(100, seed=1), clustered(3000, seed=2)
    trained = [
        partial(searcher, seed=seed, training_sample=100)(queries, passages, depth=20).passage_QK
        for seed in (0, 0, 1)
    ]
    assert (trained[0] == trained[1]).all()
    assert (trained[0] != trained[2]).any()


@pytest.mark.parametrize(
    ("searcher", "settings", "message"),
    [
        (IVF_PQ, {"subquantisers": 5}, r"search\.subquantisers: must divide .*, 32, got 5"),
        (IVF_PQ, {"lists": 2000}, r"search\.lists: must be lower: 2000 takes 2000 .*, got 1500"),
        (IVF_PQ, {"bits": 11}, r"search\.bits: must be lower: 11 takes 2048 passages .*, got 1500"),
        (IVF_PQ, {"training_sample": 15}, r"search\.lists: must be lower: 16 .*, got 15"),
        (IVF_PQ, {"probes": 0}, r"search\.probes: must be at least 1, got 0"),
        (IVF_PQ, {"candidates": 0}, r"search\.candidates: must be at least 1, got 0"),
        (HNSW, {"links": 1}, r"search\.links: must be at least 2, got 1"),
        (HNSW, {"ef": 0}, r"search\.ef: must be at least 1, got 0"),
        (SCALAR, {"precision": "int4"}, r"search\.precision: must be int8 or fp16, got int4"),
        (SCALAR, {"training_sample": 0}, r"search\.training_sample: must be at least 1, got 0"),
        (EXACT, {"shard_mib": 0}, r"search\.shard_mib: must be above 0, got 0"),
    ],
)
def test_settings_that_cannot_be_are_told_in_one_line(searcher, settings, message):
    with pytest.raises(InputError, match=message) as caught:
        partial(searcher, **settings)(clustered(2, seed=1), clustered(1600, seed=2), depth=5)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("searcher", [EXACT, HNSW, SCALAR])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_named(searcher, value):
    passages = clustered(1000, seed=2)
    passages[777, 3] = value
    with pytest.raises(InputError, match=r"passage 777 \(counted from 0\) is not finite"):
        searcher(clustered(2, seed=1), passages, depth=5)


@pytest.mark.parametrize("depth", [1, 7, 200])
def test_the_merged_hits_of_corpora_are_the_hits_of_all_their_passages(depth):
    rng = np.random.default_rng(0)
    queries, passages = (rng.integers(-2, 3, (n, 6)).astype(np.float32) for n in (20, 100))
    corpus = rng.integers(0, 3, 100)
    places = [np.flatnonzero(corpus == c) for c in range(3)]
    hits = [EXACT(queries, passages[places_P], depth=depth) for places_P in places]
    assert_same(merge_hits(hits, places, depth=depth), EXACT(queries, passages, depth=depth))


def test_a_hit_that_is_missing_is_merged_behind_all_others():
    score = np.array([[0.5, -np.inf]], dtype=np.float32)
    hits = [Hits(np.array([[0, -1]]), score), Hits(np.array([[1, -1]]), score - 1)]
    joined = merge_hits(hits, [np.array([7]), np.array([9, 3])], depth=3)
    assert joined.passage_QK.tolist() == [[7, 3, -1]]
    assert joined.score_QK.tolist() == [[0.5, -0.5, -np.inf]]


@pytest.mark.parametrize("name", ["exact", "ivf_pq", "hnsw", "scalar"])
def test_a_yaml_gives_every_setting_and_no_other(name):
    settings = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    target = {"exact": search, "ivf_pq": ivf_pq, "hnsw": hnsw, "scalar": scalar}[name]
    assert settings.pop("_target_") == f"{target.__module__}.{target.__name__}"
    assert settings.pop("_partial_") is True
    assert {"depth", *settings} == set(target.__kwdefaults__ or {}) | {
        key for key in target.__annotations__ if key not in ("queries_QD", "passages_PD", "return")
    }


def test_without_faiss_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InputError, match=r"pip install 'lingmix\[cpu\]'"):
        EXACT(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), depth=1)


def test_vectors_in_another_order_than_their_files_are_read_as_they_stand(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((500, 8)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    row_N = rng.permutation(500)
    stored = Vectors(np.load(tmp_path / "vectors.npy", mmap_mode="r"), row_N)
    found = search(vectors[:20], stored, depth=7, shard_mib=0.002)
    whole = search(vectors[:20], vectors[row_N], depth=7, shard_mib=1)
    assert (found.passage_QK == whole.passage_QK).all()
