"""Many devices, the gradient of one: each embeds its share, and each computes the whole loss."""

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


def gathered(own_RD: Tensor, *, count: int, rank: int, ranks: int) -> Tensor:
    """`count` rows, of which each rank has its r::ranks; only a rank's own bear a gradient."""
    if ranks == 1:
        return own_RD
    most = -(-count // ranks)
    parts = _all_gathered(_padded(own_RD.detach(), most), ranks=ranks)
    rows_ND = torch.stack(parts, dim=1).flatten(0, 1)[:count]
    rows_ND[rank::ranks] = own_RD
    return rows_ND


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Over all ranks, in place; a sparse gradient stays sparse."""
    works = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = _summed(parameter.grad)
        else:
            works.append(distributed.all_reduce(parameter.grad, async_op=True))
    for work in works:
        work.wait()


class SummedDDP(DDPStrategy):
    """Weights start as those of rank 0; gradients add up over the ranks once an optimizer step.

    Lightning's own averages them, while each rank's backward runs through its share of the texts
    only. Processes are spawned here unless a launcher (torchrun, Slurm) has made them.
    """

    name = "summed"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._accumulating = False

    def setup_distributed(self) -> None:
        super().setup_distributed()
        warnings.filterwarnings("ignore", module="pytorch_lightning")  # of what is equal everywhere
        torch.manual_seed(torch.initial_seed() + self.global_rank)  # no two drop out alike

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
    """Starts the ranks, and brings back from rank 0, beside the weights, how far the training came,
    whether it was to stop, and which checkpoint is the best."""

    def get_extra_results(self, trainer: pl.Trainer) -> dict[str, Any]:
        return super().get_extra_results(trainer) | {
            "progress": trainer.fit_loop.state_dict(),
            "should_stop": trainer.should_stop,
            "best": [(one.best_score, one.best_step) for one in _checkpoints(trainer)],
        }

    def update_main_process_results(self, trainer: pl.Trainer, extra: dict[str, Any]) -> None:
        super().update_main_process_results(trainer, extra)
        trainer.fit_loop.load_state_dict(extra["progress"])
        trainer.should_stop = extra["should_stop"]
        for one, best in zip(_checkpoints(trainer), extra["best"], strict=True):
            one.best_score, one.best_step = best


def _checkpoints(trainer: pl.Trainer) -> list[Checkpoints]:
    return [one for one in trainer.callbacks if isinstance(one, Checkpoints)]  # type: ignore[attr-defined]


StrategyRegistry.register(SummedDDP.name, SummedDDP, override=True)


def _summed(gradient: Tensor) -> Tensor:
    gradient = gradient.coalesce()
    places_NI = _concatenated(gradient.indices().T.contiguous())
    values_ND = _concatenated(gradient.values())
    return torch.sparse_coo_tensor(
        places_NI.T, values_ND, gradient.shape, check_invariants=False
    ).coalesce()


def _concatenated(own_RD: Tensor) -> Tensor:
    """All ranks' rows, however many each has."""
    ranks = distributed.get_world_size()
    sizes = _all_gathered(torch.tensor([len(own_RD)], device=own_RD.device), ranks=ranks)
    most = max(int(size) for size in sizes)
    parts = _all_gathered(_padded(own_RD, most), ranks=ranks)
    return torch.cat([part[: int(size)] for part, size in zip(parts, sizes, strict=True)])


def _padded(rows_RD: Tensor, most: int) -> Tensor:
    return functional.pad(rows_RD, (0, 0, 0, most - len(rows_RD))).contiguous()


def _all_gathered(own: Tensor, *, ranks: int) -> list[Tensor]:
    parts = [torch.empty_like(own) for _ in range(ranks)]
    distributed.all_gather(parts, own)
    return parts
