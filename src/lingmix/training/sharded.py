"""Weights, gradients and optimizer shared out over the devices; what is computed is the same."""

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
    """Each device keeps its part of every weight, of its gradient and of what the optimizer has of
    it; a layer's are whole while it computes (torch's FSDP2).

    Checkpoints are whole, and are those of one device. The encoder is whole again after training.
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
                _InStep(module, device=self.root_device)
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
        """A gradient is shared out, and added up, with each backward."""
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
                number: {name: _whole(value) for name, value in kept.items()}
                for number, kept in state["state"].items()
            }
        }

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [one for group in optimizer.param_groups for one in group["params"]]
            shared = {
                number: {name: _shared(value, parameters[number]) for name, value in kept.items()}
                for number, kept in state["state"].items()
            }
            optimizer.load_state_dict(state | {"state": shared})

    def on_train_end(self) -> None:
        assert self.lightning_module is not None
        state = {name: _whole(value) for name, value in self._encoder.state_dict().items()}
        self._whole_encoder.load_state_dict(state, assign=True)
        self.lightning_module.encoder = self._whole_encoder


StrategyRegistry.register(SummedFSDP.name, SummedFSDP, override=True)


class _InStep:
    """Ranks that share out a model's weights call it together: one with fewer calls to make calls
    it again, for nothing, while another has some left."""

    def __init__(self, transformer: Transformer, *, device: torch.device) -> None:
        self._device = device
        self._idle = False
        transformer.model.register_forward_pre_hook(self._called, with_kwargs=True)
        transformer.register_forward_hook(self._done)

    def _called(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._last = args, kwargs
        if not self._idle:
            self._any(calls=True)

    def _done(self, transformer: Transformer, args: object, embeddings_BD: Tensor) -> Tensor:
        self._idle = True
        while self._any(calls=False):
            again, named = self._last
            hidden = transformer.model(*again, **named).last_hidden_state
            embeddings_BD = embeddings_BD + hidden.flatten()[:0].sum()  # in the backward too
        self._idle = False
        return embeddings_BD

    def _any(self, *, calls: bool) -> bool:
        flag = torch.tensor(int(calls), device=self._device)
        distributed.all_reduce(flag, distributed.ReduceOp.MAX)
        return bool(flag)


def _whole(value: Any) -> Any:
    return value.full_tensor().cpu() if isinstance(value, DTensor) else value


def _shared(value: Any, parameter: nn.Parameter) -> Any:
    """As its parameter is, where it is of that form: a count of steps is not."""
    if not isinstance(parameter, DTensor) or getattr(value, "shape", None) != parameter.shape:
        return value
    mesh, placements = parameter.device_mesh, parameter.placements
    return distribute_tensor(value.to(parameter.device), mesh, placements)
