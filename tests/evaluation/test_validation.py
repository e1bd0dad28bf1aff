import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.multiprocessing.spawn import spawn

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.tokens import Role
from lingmix.errors import InputError
from lingmix.evaluation.evaluator import evaluate_encoder
from lingmix.evaluation.validation import RetrievalScores
from tests.evaluation.made import parallel_set, unit

ROLES: tuple[Role, Role] = ("passage", "query")
SETTINGS: dict[str, Any] = {"depth": 50, "temperature": 0.05, "seed": 3}


def example() -> tuple[EvaluationSet, dict[Role, torch.Tensor], dict[str, float]]:
    of = parallel_set(items=20, languages=("de", "en", "th"))
    rng = np.random.default_rng(0)
    vectors = {role: unit(rng.standard_normal((60, 8))) for role in ROLES}
    (scores,) = evaluate_encoder(lambda texts, role: vectors[role], [of], **SETTINGS)
    return of, {role: torch.from_numpy(v) for role, v in vectors.items()}, scores.metrics


def batches(size: int, *, repeated: int, seed: int) -> Iterator[torch.Tensor]:
    """Positions in random order, the first few given again as a padding sampler does."""
    order = torch.randperm(60, generator=torch.Generator().manual_seed(seed))
    yield from torch.cat([order, order[:repeated]]).split(size)


def test_shuffled_batches_with_repeats_score_as_one_evaluation() -> None:
    of, vectors, expected = example()
    metric = RetrievalScores(of, **SETTINGS)
    for seed, role in enumerate(ROLES):
        for positions in batches(7, repeated=11, seed=seed):
            metric.update(vectors[role][positions], positions, role)
    assert metric.compute() == expected


def test_after_a_reset_nothing_remains() -> None:
    of, vectors, expected = example()
    metric = RetrievalScores(of, **SETTINGS)
    everything = torch.arange(60)
    for role in ROLES:
        metric.update(-vectors[role].flip(0), everything, role)
    assert metric.compute() != expected
    metric.reset()
    for role in ROLES:
        metric.update(vectors[role], everything, role)
    assert metric.compute() == expected


def test_embeddings_that_are_missing_are_named() -> None:
    of, vectors, _ = example()
    metric = RetrievalScores(of, **SETTINGS)
    metric.update(vectors["query"], torch.arange(60), "query")
    metric.update(vectors["passage"][3:], torch.arange(3, 60), "passage")
    with pytest.raises(InputError, match=r"3 of 60 passage embeddings are missing.*'p0-de'"):
        metric.compute()


def test_no_batch_at_all_is_told_as_missing_embeddings() -> None:
    of, _, _ = example()
    metric = RetrievalScores(of, **SETTINGS)
    with pytest.raises(InputError, match="60 of 60 query embeddings are missing"), pytest.warns():
        metric.compute()


def one_of_two_devices(rank: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    of, vectors, _ = example()
    metric = RetrievalScores(of, **SETTINGS)
    for positions in list(batches(7, repeated=4, seed=0))[rank::2]:
        metric.update(vectors["query"][positions], positions, "query")
    if rank == 1:
        metric.update(vectors["passage"], torch.arange(60), "passage")
    torch.save(metric.compute(), Path(folder) / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_devices_score_as_one_also_when_one_of_them_saw_no_passage(tmp_path: Path) -> None:
    spawn(one_of_two_devices, args=(str(tmp_path),), nprocs=2)
    _, _, expected = example()
    assert [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)] == [expected, expected]
