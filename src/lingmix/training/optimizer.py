"""Optimizers with their learning-rate schedules."""

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Literal, get_args

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lingmix.errors import InputError, require_choice, require_number
from lingmix.training.row_adam import RowAdam, RowAdamW

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
    """Builds AdamW; `warmup` is the share of the steps in which the learning rate rises.

    Raises InputError where an argument is out of range.
    """
    _refuse_rates(lr, betas)
    _refuse_weight_decay(weight_decay)
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, lr=lr, weight_decay=weight_decay, betas=(betas[0], betas[1])
    )
    return _scheduled(optimizer, max_steps=max_steps, warmup=warmup, decay=decay)


def row_adamw(
    parameters: Iterable[nn.Parameter],
    *,
    max_steps: int,
    lr: float,
    weight_decay: float,
    betas: Sequence[float],
    warmup: float,
    decay: Decay,
) -> dict[str, Any]:
    """Builds AdamW that skips the rows at rest of a weight with a sparse gradient.

    Raises InputError where an argument is out of range.
    """
    _refuse_rates(lr, betas)
    _refuse_weight_decay(weight_decay)
    if betas[0] ** 2 >= betas[1]:
        raise InputError(
            f"optimizer.betas: the square of the first must be below the second, so that momentum "
            f"dies out, got {list(betas)}; choose such betas, or optimizer=adamw"
        )
    if lr * weight_decay >= 1:
        raise InputError(
            f"optimizer.weight_decay: times optimizer.lr ({lr}) must be below 1, got {weight_decay}"
        )
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    optimizer = RowAdamW(trained, lr=lr, weight_decay=weight_decay, betas=(betas[0], betas[1]))
    return _scheduled(optimizer, max_steps=max_steps, warmup=warmup, decay=decay)


def sparse_adam(
    parameters: Iterable[nn.Parameter],
    *,
    max_steps: int,
    lr: float,
    betas: Sequence[float],
    warmup: float,
    decay: Decay,
) -> dict[str, Any]:
    """Builds Adam that updates only the rows with a gradient: the cost of a step does not depend on
    the vocabulary. Raises InputError where an argument is out of range."""
    _refuse_rates(lr, betas)
    optimizer = RowAdam(list(parameters), lr=lr, betas=(betas[0], betas[1]))
    return _scheduled(optimizer, max_steps=max_steps, warmup=warmup, decay=decay)


def _refuse_rates(lr: float, betas: Sequence[float]) -> None:
    require_number("optimizer.lr", lr, "above 0 and finite", lambda rate: rate > 0)
    if not isinstance(betas, Sequence) or len(betas) != 2:
        raise InputError(f"optimizer.betas: must be two numbers in [0, 1), got {betas!r}")
    for beta in betas:
        require_number("optimizer.betas", beta, "two numbers in [0, 1)", lambda b: 0 <= b < 1)


def _refuse_weight_decay(weight_decay: float) -> None:
    require_number(
        "optimizer.weight_decay", weight_decay, "at least 0 and finite", lambda rate: rate >= 0
    )


def _scheduled(
    optimizer: Optimizer, *, max_steps: int, warmup: float, decay: Decay
) -> dict[str, Any]:
    require_number(
        "optimizer.warmup", warmup, "in [0, 1], a share of the steps", lambda part: 0 <= part <= 1
    )
    require_choice("optimizer.decay", decay, get_args(Decay))
    rises = round(warmup * max_steps)
    share = partial(share_of_rate, rises=rises, max_steps=max_steps, decay=decay)
    scheduler = LambdaLR(optimizer, share)
    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": scheduler, "interval": "step", "name": "train/lr"},
    }


def share_of_rate(step: int, *, rises: int, max_steps: int, decay: Decay) -> float:
    """Returns the learning rate of a step as a share of the highest: it rises from 0 in the first
    `rises` steps, then falls to 0 at `max_steps`, or stays.

    Equals transformers' `get_scheduler`, whose import would load peft and half of its trainer.
    """
    if step < rises:
        return step / rises
    falls = max(1, max_steps - rises)
    match decay:
        case "constant":
            return 1.0
        case "linear":
            return max(0.0, (max_steps - step) / falls)
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - rises) / falls)))
