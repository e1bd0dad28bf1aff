"""Exact search of unit vectors that are drawn: ours, PyTorch's, and FAISS's on the processor."""

import time
from collections.abc import Callable

import faiss
import numpy as np
import torch

from benchmarks.harness.comparison import Row, named
from lingmix.model.precision import fastest_device
from lingmix.search.exact import search

DEPTH = 100


def search_rows(*, queries: int, passages: int, dimension: int) -> list[Row]:
    """Ours is on the GPU where FAISS's build for it is installed; PyTorch always."""
    random = np.random.Generator(np.random.Philox(0))
    vectors = random.standard_normal((passages + queries, dimension), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries_QD, passages_PD = vectors[:queries], vectors[queries:]
    device = fastest_device("auto")
    on_device_PD = torch.from_numpy(passages_PD).to(device)

    def by_torch() -> np.ndarray:
        scores_QP = torch.from_numpy(queries_QD).to(device) @ on_device_PD.T
        return scores_QP.topk(DEPTH).values.cpu().numpy()

    sides: dict[str, Callable[[], np.ndarray]] = {
        "faiss": lambda: faiss.knn(queries_QD, passages_PD, DEPTH, faiss.METRIC_INNER_PRODUCT)[0],
        "lingmix": lambda: search(queries_QD, passages_PD, depth=DEPTH, shard_mib=256).score_QK,
        "torch": by_torch,
    }
    scores, seconds = {}, {}
    for name, work in sides.items():
        began = time.perf_counter()
        scores[name] = work()
        seconds[name] = time.perf_counter() - began
        np.testing.assert_allclose(scores[name], scores["faiss"], rtol=0, atol=2e-3)
    what = f"{queries:,} queries, {passages:,} passages of {dimension}"
    gpus = faiss.get_num_gpus()
    return [
        Row(
            case=f"search, {what}, by {how}",
            ours=seconds[name],
            peer=seconds["faiss"],
            peer_name=f"{named('faiss-gpu' if gpus else 'faiss-cpu')} on the processor",
            unit="s",
        )
        for name, how in (
            ("lingmix", f"FAISS on {'the GPU' if gpus else 'the processor'}"),
            ("torch", f"PyTorch on {device.type}"),
        )
    ]
