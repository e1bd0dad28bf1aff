"""One search in a process of its own: `SIDE FOLDER HITS PASSAGES DEPTH SHARD_MIB`.

Prints its seconds, from opening the file of passages to the last hit, and its peak resident memory.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from lingmix.search.exact import search

Matrix = NDArray[np.float32]


def by_lingmix(queries_QD: Matrix, passages_PD: Matrix, depth: int, shard_mib: float) -> Any:
    return search(queries_QD, passages_PD, depth=depth, shard_mib=shard_mib)


def by_faiss(queries_QD: Matrix, passages_PD: Matrix, depth: int, shard_mib: float) -> Any:
    """Copied into the index straight from the file, so held once in memory of its own."""
    index = faiss.IndexFlatIP(passages_PD.shape[1])
    index.add(passages_PD)
    score_QK, passage_QK = index.search(queries_QD, depth)
    return passage_QK, score_QK


SIDES: dict[str, Callable[[Matrix, Matrix, int, float], Any]] = {
    "lingmix": by_lingmix,
    "faiss": by_faiss,
}


def status_mib(field: str, process: int | str = "self") -> float:
    """Of /proc, in KiB there; 0 once the process has ended."""
    found = re.search(rf"{field}:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main(arguments: Sequence[str]) -> None:
    side, folder, hits, passages, depth, shard_mib = arguments
    queries_QD = np.load(Path(folder, "queries.npy"))
    began = time.perf_counter()
    passages_PD = np.load(Path(folder, "passages.npy"), mmap_mode="r")[: int(passages)]
    passage_QK, score_QK = SIDES[side](queries_QD, passages_PD, int(depth), float(shard_mib))
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak": status_mib("VmHWM")}))
    np.savez(hits, passage_QK=passage_QK, score_QK=score_QK)


if __name__ == "__main__":
    main(sys.argv[1:])
