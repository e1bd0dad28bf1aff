"""Fully sharded data parallelism (FSDP2) with the result of one device."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import StrategyRegistry
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from lingmix.model.transformer import Transformer
from lingmix.training.distributed import SummedDDP


class SummedFSDP(SummedDDP):
    """Shards weights, gradients and optimizer state over the devices; a layer's weights are
    gathered while it computes.

    Checkpoints are gathered, so that they equal those of one device, and so is the encoder after
    training.
    """

    name = "summed_fsdp"

    def setup(self, trainer: pl.Trainer) -> None:
        self._whole_encoder = deepcopy(self._encoder).cpu()
        super().setup(trainer)

    def configure_ddp(self) -> None:
        super().configure_ddp()
        encoder = self._encoder
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        for module in reversed([*encoder.modules()]):  # the inner ones first
            if isinstance(module, nn.ModuleList):
                for layer in module:
                    fully_shard(layer, mesh=mesh)
            if isinstance(module, Transformer):
                _EqualCalls(module, device=self.root_device)
        fully_shard(encoder, mesh=mesh)
        for module in encoder.modules():
            if isinstance(module, FSDPModule):
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)

    @property
    def _encoder(self) -> nn.Module:
        assert self.lightning_module is not None
        assert isinstance(self.lightning_module.encoder, nn.Module)
        return self.lightning_module.encoder

    @contextmanager
    def block_backward_sync(self) -> Iterator[None]:
        """Does nothing: FSDP sums and shards the gradient in each backward."""
        yield

    def post_backward(self, closure_loss: Tensor) -> None:
        pass

    def lightning_module_state_dict(self) -> dict[str, Any]:
        assert self.lightning_module is not None
        return {name: _whole(value) for name, value in self.lightning_module.state_dict().items()}

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        state = optimizer.state_dict()
        return state | {
            "state": {
                number: {name: _whole(value) for name, value in moments.items()}
                for number, moments in state["state"].items()
            }
        }

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [weight for group in optimizer.param_groups for weight in group["params"]]
            sharded = {
                number: {
                    name: _sharded(value, parameters[number]) for name, value in moments.items()
                }
                for number, moments in state["state"].items()
            }
            optimizer.load_state_dict(state | {"state": sharded})

    def on_train_end(self) -> None:
        assert self.lightning_module is not None
        state = {name: _whole(value) for name, value in self._encoder.state_dict().items()}
        self._whole_encoder.load_state_dict(state, assign=True)
        self.lightning_module.encoder = self._whole_encoder


StrategyRegistry.register(SummedFSDP.name, SummedFSDP, override=True)


class _EqualCalls:
    """Makes all ranks call a sharded model equally often, as gathering its weights takes all of
    them: a rank with fewer micro-batches repeats its last call, without effect on the result, while
    another has some left.

    In each round the ranks agree, by a maximum, whether any of them calls the model:

        rank 0    call    call    call    done      its three micro-batches
        rank 1    call    again   again   done      its one, repeated twice
    """

    def __init__(self, transformer: Transformer, *, device: torch.device) -> None:
        self._device = device
        self._repeating = False
        transformer.model.register_forward_pre_hook(self._called, with_kwargs=True)
        transformer.register_forward_hook(self._done)

    def _called(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._last = args, kwargs
        if not self._repeating:
            self._any_rank(calls=True)

    def _done(self, transformer: Transformer, inputs: object, embeddings_BD: Tensor) -> Tensor:
        self._repeating = True
        while self._any_rank(calls=False):
            args, kwargs = self._last
            hidden = transformer.model(*args, **kwargs).last_hidden_state
            # adds 0, so that the backward goes through the repeated call too
            embeddings_BD = embeddings_BD + hidden.flatten()[:0].sum()
        self._repeating = False
        return embeddings_BD

    def _any_rank(self, *, calls: bool) -> bool:
        flag = torch.tensor(int(calls), device=self._device)
        distributed.all_reduce(flag, distributed.ReduceOp.MAX)
        return bool(flag)


def _whole(value: Any) -> Any:
    return value.full_tensor().cpu() if isinstance(value, DTensor) else value


def _sharded(value: Any, parameter: nn.Parameter) -> Any:
    """Shards a value like its parameter, unless it has another shape, as the count of steps has."""
    if not isinstance(parameter, DTensor) or getattr(value, "shape", None) != parameter.shape:
        return value
    mesh, placements = parameter.device_mesh, parameter.placements
    return distribute_tensor(value.to(parameter.device), mesh, placements)
