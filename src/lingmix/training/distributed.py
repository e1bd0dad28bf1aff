"""Data parallelism with the gradient of one device: each rank embeds its share of the batch, and
all compute the loss of the whole batch."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.overrides.distributed import _sync_module_states
from pytorch_lightning.strategies import DDPStrategy, StrategyRegistry
from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher
from torch import Tensor, distributed, nn
from torch.nn import functional

from lingmix.errors import InputError
from lingmix.training.checkpoints import Checkpoints


def gather_rows(local_RD: Tensor, *, count: int, rank: int, ranks: int) -> Tensor:
    """Gathers `count` rows, of which rank r has rows r, r + ranks ...; only the local rows have a
    gradient.

        count 5, ranks 2      rank 0 has a c e      rank 1 has b d .      gathered a b c d e
    """
    if ranks == 1:
        return local_RD
    longest = -(-count // ranks)
    parts = _all_gather(_pad(local_RD.detach(), longest), ranks=ranks)
    rows_ND = torch.stack(parts, dim=1).flatten(0, 1)[:count]
    rows_ND[rank::ranks] = local_RD
    return rows_ND


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Adds up the gradients of all ranks, in place; a sparse gradient stays sparse."""
    works = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = _sum_sparse(parameter.grad)
        else:
            works.append(distributed.all_reduce(parameter.grad, async_op=True))
    for work in works:
        work.wait()


class SummedDDP(DDPStrategy):
    """DDP that broadcasts rank 0's weights first and sums gradients once an optimizer step.

    Lightning's averages them, but here each rank's backward has only its share of the texts.
    Processes are spawned unless a launcher (torchrun, Slurm) has started them.
    """

    name = "summed"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._accumulating = False

    def setup_distributed(self) -> None:
        super().setup_distributed()
        # it asks for sync_dist, but what is logged is equal on all ranks
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        torch.manual_seed(torch.initial_seed() + self.global_rank)  # ranks differ in dropout

    def configure_ddp(self) -> None:
        assert isinstance(self.model, pl.LightningModule)
        _sync_module_states(self.model)

    @contextmanager
    def block_backward_sync(self) -> Iterator[None]:
        self._accumulating = True
        try:
            yield
        finally:
            self._accumulating = False

    def post_backward(self, closure_loss: Tensor) -> None:
        if not self._accumulating:
            assert self.lightning_module is not None
            sum_gradients(self.lightning_module.parameters())

    @property
    def distributed_sampler_kwargs(self) -> dict[str, Any]:
        raise InputError(
            "trainer.use_distributed_sampler: must be false, the batches are shared over the "
            "devices already"
        )

    def _configure_launcher(self) -> None:
        assert self.cluster_environment is not None
        external = self.cluster_environment.creates_processes_externally
        if external:
            super()._configure_launcher()
        else:
            self._launcher = SpawnedRanks(self, start_method="spawn")


class SpawnedRanks(_MultiProcessingLauncher):
    """Spawns the ranks, and returns to the main process, beside rank 0's weights, its progress, its
    early stopping and its best checkpoint."""

    def get_extra_results(self, trainer: pl.Trainer) -> dict[str, Any]:
        return super().get_extra_results(trainer) | {
            "progress": trainer.fit_loop.state_dict(),
            "should_stop": trainer.should_stop,
            "best": [(found.best_score, found.best_step) for found in _checkpoints(trainer)],
        }

    def update_main_process_results(self, trainer: pl.Trainer, extra: dict[str, Any]) -> None:
        super().update_main_process_results(trainer, extra)
        trainer.fit_loop.load_state_dict(extra["progress"])
        trainer.should_stop = extra["should_stop"]
        for checkpoints, best in zip(_checkpoints(trainer), extra["best"], strict=True):
            checkpoints.best_score, checkpoints.best_step = best


def _checkpoints(trainer: pl.Trainer) -> list[Checkpoints]:
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return [callback for callback in callbacks if isinstance(callback, Checkpoints)]


StrategyRegistry.register(SummedDDP.name, SummedDDP, override=True)


def _sum_sparse(gradient: Tensor) -> Tensor:
    gradient = gradient.coalesce()
    indices_NI = _all_gather_rows(gradient.indices().T.contiguous())
    values_ND = _all_gather_rows(gradient.values())
    return torch.sparse_coo_tensor(
        indices_NI.T, values_ND, gradient.shape, check_invariants=False
    ).coalesce()


def _all_gather_rows(local_RD: Tensor) -> Tensor:
    """Concatenates the rows of all ranks, which may have different numbers of them."""
    ranks = distributed.get_world_size()
    sizes = _all_gather(torch.tensor([len(local_RD)], device=local_RD.device), ranks=ranks)
    longest = max(int(size) for size in sizes)
    parts = _all_gather(_pad(local_RD, longest), ranks=ranks)
    return torch.cat([part[: int(size)] for part, size in zip(parts, sizes, strict=True)])


def _pad(rows_RD: Tensor, longest: int) -> Tensor:
    return functional.pad(rows_RD, (0, 0, 0, longest - len(rows_RD))).contiguous()


def _all_gather(local: Tensor, *, ranks: int) -> list[Tensor]:
    parts = [torch.empty_like(local) for _ in range(ranks)]
    distributed.all_gather(parts, local)
    return parts
