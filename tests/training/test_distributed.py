"""Two and four ranks train as one process does."""

import socket
from multiprocessing import set_forkserver_preload

import pytest
import torch
from torch.multiprocessing.spawn import start_processes

from lingmix.errors import InputError
from lingmix.training.distributed import SummedDDP
from lingmix.training.sharded import SummedFSDP
from tests.training.module import on_ranks, trained
from tests.training.test_gradient_cache import distance

CASES = {
    "monolingual": {"alpha": 1.0},
    "crosslingual": {"alpha": 0.0},
    "cached": {"micro_batch_tokens": 20},
    "sparse": {"kind": "sparse"},
    "rows": {"kind": "rows", "clip": 0.01},
    "few development texts": {"kind": "static", "development_items": 1},
    "accumulated": {"kind": "static", "clip": 0.01, "accumulate_grad_batches": 2},
}
WHOLE = ("cached", "sparse", "rows")
"""Refused where the weights are shared out."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("alone")
    return {name: trained(folder, **case) for name, case in CASES.items()}


@pytest.fixture(
    scope="module",
    params=[(2, SummedDDP), (4, SummedDDP), (2, SummedFSDP), (4, SummedFSDP)],
    ids=lambda param: f"{param[0]}-{param[1].name}",
)
def together(request, tmp_path_factory) -> dict:
    """By case, what each rank saw."""
    ranks, strategy = request.param
    cases = {
        name: case | {"strategy": strategy()}
        for name, case in CASES.items()
        if strategy is SummedDDP or name not in WHOLE
    }
    folder = tmp_path_factory.mktemp("together")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    set_forkserver_preload([on_ranks.__module__])
    start_processes(
        on_ranks,
        args=(ranks, port, str(folder), cases),
        nprocs=ranks,
        start_method="forkserver",
    )
    return {
        name: [torch.load(folder / f"{name}-{rank}.pt") for rank in range(ranks)] for name in cases
    }


def share_of(together: dict, case: str) -> list[dict]:
    if case not in together:
        pytest.skip("refused")
    return together[case]


@pytest.mark.parametrize("case", CASES)
def test_gradients_losses_and_weights_are_those_of_one_process(case, alone, together):
    for rank in share_of(together, case):
        assert rank["losses"] == pytest.approx(alone[case]["losses"], rel=1e-6)
        for got, expected in zip(rank["gradients"], alone[case]["gradients"], strict=True):
            assert distance(got, expected) < 1e-6
        assert distance(rank["weights"], alone[case]["weights"]) < 1e-6


@pytest.mark.parametrize("case", CASES)
def test_ranks_hold_the_same_weights_to_the_bit(case, together):
    first, *others = (rank["weights"] for rank in share_of(together, case))
    assert all(torch.equal(other[name], first[name]) for other in others for name in first)


@pytest.mark.parametrize("case", CASES)
def test_batches_are_those_of_one_process_each_text_on_one_rank(case, alone, together):
    ranks = share_of(together, case)
    assert any(len(pairs) < 7 for pairs in alone["crosslingual"]["pairs"]), "short batches too"
    for rank, share in enumerate(ranks):
        assert share["pairs"] == alone[case]["pairs"]
        for own, whole in zip(share["own"], alone[case]["own"], strict=True):
            assert own == tuple(lengths[rank :: len(ranks)] for lengths in whole)


@pytest.mark.parametrize("case", CASES)
def test_validation_scores_are_those_of_one_process(case, alone, together):
    assert alone[case]["scores"]["val/development/multilingual/map"] > 0
    for rank in share_of(together, case):
        assert rank["scores"] == pytest.approx(alone[case]["scores"], rel=1e-6)


def test_a_trainer_starts_the_processes_itself_and_brings_the_weights_back(alone, tmp_path):
    got = trained(tmp_path, devices=2, strategy="summed", callbacks=[], **CASES["sparse"])
    assert distance(got["weights"], alone["sparse"]["weights"]) < 1e-6


def test_a_second_sharing_of_the_batches_is_refused():
    with pytest.raises(InputError, match=r"^trainer.use_distributed_sampler: must be false"):
        _ = SummedDDP().distributed_sampler_kwargs
