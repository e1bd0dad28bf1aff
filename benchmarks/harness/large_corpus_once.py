"""One part of the work on a large corpus, in a process of its own: `PART FOLDER COUNT`.

Prints its seconds, those of the processor, and its peak resident memory.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.search_once import status_mib
from lingmix.model.embedding_shards import SHARD, ShardedEmbeddings
from lingmix.model.embedding_store import Keys
from lingmix.search.approximate import ivf_pq
from lingmix.search.exact import Hits, search
from lingmix.search.vectors import Vectors

DIMENSION, QUERIES, DEPTH, SHARD_MIB = 64, 100, 100, 256
LISTS, PROBES, SUBQUANTISERS, BITS, CANDIDATES, SAMPLE = 256, 16, 16, 8, 4, 50_000
TOPICS, SPREAD = 1000, 0.5
"""Vectors lie around that many centres, each component that far from its own, times the length of
a centre over the root of its dimension: an index of vectors without structure finds nothing."""


def write(store: ShardedEmbeddings, keys_N2: Keys, _: Path) -> None:
    for part in store.missing(keys_N2):
        store.add(keys_N2[part], drawn(len(part), seed=int(part[0])))


def by_search(
    searching: Callable[[NDArray[np.float32], Vectors], Hits], name: str
) -> Callable[[ShardedEmbeddings, Keys, Path], None]:
    def searched(store: ShardedEmbeddings, keys_N2: Keys, folder: Path) -> None:
        if next(store.missing(keys_N2), None) is not None:
            raise AssertionError("the corpus is not whole")
        hits = searching(drawn(QUERIES, seed=2**40), store.vectors(keys_N2))
        np.save(folder / f"{name}.npy", hits.score_QK)

    return searched


def exactly(queries_QD: NDArray[np.float32], passages: Vectors) -> Hits:
    return search(queries_QD, passages, depth=DEPTH, shard_mib=SHARD_MIB)


def approximately(queries_QD: NDArray[np.float32], passages: Vectors) -> Hits:
    return ivf_pq(
        queries_QD,
        passages,
        depth=DEPTH,
        lists=LISTS,
        probes=PROBES,
        subquantisers=SUBQUANTISERS,
        bits=BITS,
        candidates=CANDIDATES,
        training_sample=SAMPLE,
        seed=0,
        shard_mib=SHARD_MIB,
    )


PARTS = {
    "write": write,
    "exact": by_search(exactly, "exact"),
    "ivf_pq": by_search(approximately, "ivf_pq"),
}


def drawn(count: int, *, seed: int) -> NDArray[np.float32]:
    """Unit vectors."""
    centres_TD = np.random.Generator(np.random.Philox(0)).standard_normal(
        (TOPICS, DIMENSION), np.float32
    )
    random = np.random.Generator(np.random.Philox(seed))
    vectors_ND = random.standard_normal((count, DIMENSION), np.float32)
    vectors_ND = SPREAD * vectors_ND + centres_TD[random.integers(TOPICS, size=count)]
    return vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)


def main(arguments: Sequence[str]) -> None:
    part, folder, count = arguments
    keys_N2 = np.random.Generator(np.random.Philox(1)).integers(
        2**64, size=(int(count), 2), dtype=np.uint64
    )
    began, processor = time.perf_counter(), time.process_time()
    store = ShardedEmbeddings(
        Path(folder, "store"), name="drawn", fingerprint="drawn", dimension=DIMENSION
    )
    store.require_space(keys_N2)
    PARTS[part](store, keys_N2, Path(folder))
    figures = {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - processor,
        "peak": status_mib("VmHWM"),
        "shards": -(-int(count) // SHARD),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
