"""Adam on the rows a gradient has, at the cost of those rows."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SparseAdam

ROWS = 1024
"""Moved at a time: what they need stays in a processor's cache."""


class RowAdam(SparseAdam):
    """PyTorch's SparseAdam, several times faster: the same weights to float error, and the same
    state."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)
        return loss

    def _move(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        corrected = (1 - beta2 ** state["step"]) ** 0.5 / (1 - beta1 ** state["step"])
        mean_VD, square_VD = state["exp_avg"], state["exp_avg_sq"]
        row_U, gradient_UD = _rows(parameter.grad)
        for row_R, gradient_RD in zip(row_U.split(ROWS), gradient_UD.split(ROWS), strict=True):
            mean_RD = mean_VD.index_select(0, row_R).lerp_(gradient_RD, 1 - beta1)
            square_RD = square_VD.index_select(0, row_R).mul_(beta2)
            square_RD.addcmul_(gradient_RD, gradient_RD, value=1 - beta2)
            mean_VD.index_copy_(0, row_R, mean_RD)
            square_VD.index_copy_(0, row_R, square_RD)
            move_RD = mean_RD.div_(square_RD.sqrt_().add_(group["eps"]))
            parameter.index_add_(0, row_R, move_RD, alpha=-group["lr"] * corrected)


def _rows(gradient: Tensor | None) -> tuple[Tensor, Tensor]:
    """Each row once; autograd forgets of a gradient that its rows ascend."""
    assert gradient is not None
    row_U = gradient._indices()[0]
    if not (row_U[1:] > row_U[:-1]).all():
        gradient = gradient.coalesce()
    return gradient._indices()[0], gradient._values()
