"""Approximate search by FAISS indexes, to measure what an index in use would lose.

Building one takes longer than searching once exactly. Each function with its settings given is a
`Searcher`. The index selects candidates, whose vectors are then scored exactly, so that the hits
of several corpora compare and equal passages tie. Settings out of range raise InputError.
"""

from typing import Any, Literal

import numpy as np

from lingmix.errors import InputError
from lingmix.ranges import Count, Positive, Seed
from lingmix.search.exact import SCORES, Hits, load_faiss
from lingmix.search.shards import Matrix, Stored, inner_products, sampled, shards

SCALARS = {"int8": "QT_8bit", "fp16": "QT_fp16"}


def ivf_pq(
    queries_QD: Matrix,
    passages_PD: Stored,
    *,
    depth: int,
    lists: Count,
    probes: Count,
    subquantisers: Count,
    bits: Count,
    candidates: Count,
    training_sample: Count,
    seed: Seed,
    shard_mib: Positive,
) -> Hits:
    """Searches the nearest `probes` of `lists` clusters, each passage coded in `subquantisers`
    times `bits` bits (Jégou et al. 2011, doi:10.1109/TPAMI.2010.57)."""
    _refuse_below(1, lists=lists, probes=probes, subquantisers=subquantisers, bits=bits)
    _refuse_below(1, candidates=candidates)
    D, sample = passages_PD.shape[1], min(training_sample, len(passages_PD))
    if D % subquantisers:
        raise InputError(
            f"search.subquantisers: must divide the vectors' dimension, {D}, got {subquantisers}"
        )
    for key, value, needed in (("lists", lists, lists), ("bits", bits, 2**bits)):
        if needed > sample:
            raise InputError(
                f"search.{key}: must be lower: {value} takes {needed} passages to train on, got "
                f"{sample} (search.training_sample, or all there are)"
            )
    faiss = load_faiss()
    metric = faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexIVFPQ(faiss.IndexFlatIP(D), D, lists, subquantisers, bits, metric)
    for clustering in (index.cp, index.pq.cp):
        clustering.seed = seed
        clustering.min_points_per_centroid = 1  # FAISS warns of fewer than 39 for each
    index.nprobe = probes
    index.train(sampled(passages_PD, sample, seed=seed))
    return _search(
        index, queries_QD, passages_PD, depth=depth, candidates=candidates, shard_mib=shard_mib
    )


def hnsw(
    queries_QD: Matrix,
    passages_PD: Stored,
    *,
    depth: int,
    links: Count,
    construction_ef: Count,
    ef: Count,
    shard_mib: Positive,
) -> Hits:
    """Searches a graph of neighbours (Malkov & Yashunin 2018, arXiv:1603.09320). The threads that
    build it race: only with one thread is it the same graph each time."""
    _refuse_below(2, links=links)
    _refuse_below(1, construction_ef=construction_ef, ef=ef)
    faiss = load_faiss()
    index = faiss.IndexHNSWFlat(passages_PD.shape[1], links, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = construction_ef, ef
    return _search(index, queries_QD, passages_PD, depth=depth, candidates=1, shard_mib=shard_mib)


def scalar(
    queries_QD: Matrix,
    passages_PD: Stored,
    *,
    depth: int,
    precision: Literal["int8", "fp16"],
    candidates: Count,
    training_sample: Count,
    seed: Seed,
    shard_mib: Positive,
) -> Hits:
    """Searches all passages with rounded components; int8 between a sample's least and greatest."""
    if precision not in SCALARS:
        raise InputError(f"search.precision: must be {' or '.join(SCALARS)}, got {precision}")
    _refuse_below(1, candidates=candidates, training_sample=training_sample)
    faiss = load_faiss()
    quantiser = getattr(faiss.ScalarQuantizer, SCALARS[precision])
    index = faiss.IndexScalarQuantizer(passages_PD.shape[1], quantiser, faiss.METRIC_INNER_PRODUCT)
    index.train(sampled(passages_PD, min(training_sample, len(passages_PD)), seed=seed))
    return _search(
        index, queries_QD, passages_PD, depth=depth, candidates=candidates, shard_mib=shard_mib
    )


def _refuse_below(least: int, **settings: int) -> None:
    for key, value in settings.items():
        if value < least:
            raise InputError(f"search.{key}: must be at least {least}, got {value}")


def _search(
    index: Any,
    queries_QD: Matrix,
    passages_PD: Stored,
    *,
    depth: int,
    candidates: Count,
    shard_mib: float,
) -> Hits:
    """Asks the index for A = `candidates` times K passages a query, of which the best K remain."""
    for shard in shards(passages_PD, mib=shard_mib):
        index.add(shard.vectors_SD)
    K = min(depth, len(passages_PD))
    A = min(candidates * K, len(passages_PD))
    selected = Hits.empty(len(queries_QD), A)
    step = max(1, SCORES // A)
    for begin in range(0, len(queries_QD), step):
        part = slice(begin, begin + step)
        selected.passage_QK[part] = index.search(queries_QD[part], A)[1]
    for shard in shards(passages_PD, mib=shard_mib):
        row_QA = selected.passage_QK - shard.first
        in_shard_QA = (row_QA >= 0) & (row_QA < len(shard.vectors_SD))
        selected.score_QK[in_shard_QA] = inner_products(
            queries_QD, shard.vectors_SD, np.nonzero(in_shard_QA)[0], row_QA[in_shard_QA]
        )
    return selected.best(K)
