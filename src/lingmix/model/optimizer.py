"""How weights move: an optimizer and its learning-rate schedule."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_scheduler

from lingmix.errors import InputError, require_choice, require_number
from lingmix.model.row_adam import RowAdam

Decay = Literal["constant", "linear", "cosine"]


def adamw(
    parameters: Iterable[nn.Parameter],
    *,
    max_steps: int,
    lr: float,
    weight_decay: float,
    betas: Sequence[float],
    warmup: float,
    decay: Decay,
) -> dict[str, Any]:
    """AdamW; `warmup` is the share of the steps in which the learning rate rises."""
    _refuse_rates(lr, betas)
    require_number(
        "optimizer.weight_decay", weight_decay, "at least 0 and finite", lambda one: one >= 0
    )
    trained = [one for one in parameters if one.requires_grad]
    chosen = torch.optim.AdamW(
        trained, lr=lr, weight_decay=weight_decay, betas=(betas[0], betas[1])
    )
    return _scheduled(chosen, max_steps=max_steps, warmup=warmup, decay=decay)


def sparse_adam(
    parameters: Iterable[nn.Parameter],
    *,
    max_steps: int,
    lr: float,
    betas: Sequence[float],
    warmup: float,
    decay: Decay,
) -> dict[str, Any]:
    """Adam on the rows a batch touches: a step costs what its texts cost, not the vocabulary."""
    _refuse_rates(lr, betas)
    chosen = RowAdam(list(parameters), lr=lr, betas=(betas[0], betas[1]))
    return _scheduled(chosen, max_steps=max_steps, warmup=warmup, decay=decay)


def _refuse_rates(lr: float, betas: Sequence[float]) -> None:
    require_number("optimizer.lr", lr, "above 0 and finite", lambda one: one > 0)
    if not isinstance(betas, Sequence) or len(betas) != 2:
        raise InputError(f"optimizer.betas: must be two numbers in [0, 1), got {betas!r}")
    for beta in betas:
        require_number("optimizer.betas", beta, "two numbers in [0, 1)", lambda one: 0 <= one < 1)


def _scheduled(
    optimizer: Optimizer, *, max_steps: int, warmup: float, decay: Decay
) -> dict[str, Any]:
    require_number(
        "optimizer.warmup", warmup, "in [0, 1], a share of the steps", lambda one: 0 <= one <= 1
    )
    require_choice("optimizer.decay", decay, get_args(Decay))
    name = "constant_with_warmup" if decay == "constant" else decay
    scheduler: LambdaLR = get_scheduler(
        name, optimizer, num_warmup_steps=round(warmup * max_steps), num_training_steps=max_steps
    )
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": scheduler, "interval": "step", "name": "train/lr"},
    }
