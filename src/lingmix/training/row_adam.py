"""Adam that updates only the rows of a sparse gradient, at the cost of those rows."""

from collections.abc import Callable, Iterable
from functools import partial
from math import ceil, log, log1p
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW, SparseAdam

ROWS = 512
"""Rows that are updated at a time: with their moments they fit into a processor's cache."""

TAIL = 1e-4
"""The share of its way on momentum alone that a row of RowAdamW has left when it comes to rest."""

MOMENTS = ("exp_avg", "exp_avg_sq")
"""PyTorch's names of the moving averages of gradients and of their squares."""

Update = Callable[..., None]


class RowAdam(SparseAdam):
    """PyTorch's SparseAdam, several times faster, with the same weights up to rounding and the same
    state."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = _computed(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        return loss

    def _update(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        # SparseAdam adds epsilon before the bias correction, Adam after it
        eps = group["eps"] / (1 - group["betas"][1] ** state["step"]) ** 0.5
        update = _fused(torch._fused_adam_, group, weight_decay=0.0, eps=eps)
        row_U, gradient_UD = _rows(parameter.grad)
        _update_rows(parameter, state, row_U, gradient_UD, update, place_U=row_U)


class RowAdamW(AdamW):
    """AdamW that skips the rows at rest of a weight whose gradient is sparse.

    A row is updated as AdamW would from each step with a gradient of it until `TAIL` of its way on
    momentum is left; then it rests. When it has a gradient again, its weights and moments first
    decay as AdamW's would have meanwhile, after the forward that read them. So a row that never has
    a gradient keeps its weights, and has no moments. Other weights are updated by PyTorch's AdamW.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        betas: tuple[float, float],
        weight_decay: float,
    ) -> None:
        """`betas` must be such that momentum dies out: beta1 < sqrt(beta2)."""
        super().__init__(parameters, lr=lr, betas=betas, weight_decay=weight_decay, fused=True)
        self._step_supports_amp_scaling = False  # gradients come unscaled, the sparse ones too
        for group in self.param_groups:
            group["log_decay"] = 0.0  # of a weight since the start, by weight decay alone

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = _computed(closure)
        sparse: list[tuple[nn.Parameter, Tensor]] = []
        for group in self.param_groups:
            log_decay = group["log_decay"] + log1p(-group["lr"] * group["weight_decay"])
            for weight in group["params"]:
                if weight.grad is not None and weight.grad.is_sparse:
                    self._update(weight, group, log_decay=log_decay)
                    sparse.append((weight, weight.grad))
                    weight.grad = None  # unknown to AdamW's own step
            group["log_decay"] = log_decay
        super().step()
        for weight, gradient in sparse:
            weight.grad = gradient
        return loss

    def _update(self, weight: nn.Parameter, group: dict[str, Any], *, log_decay: float) -> None:
        """`log_decay` is the group's after this step."""
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros((), device=weight.device)
            for name in MOMENTS:
                state[name] = weight.new_zeros(0, weight.shape[1])
            # of each row: the place of its moments (-1: none yet), the last step with a gradient,
            # and the group's log_decay when it rested; in the weight's type, to which PyTorch
            # casts all state that it loads, and which is exact up to 2^24
            state["place"] = weight.new_full((len(weight),), -1.0)
            state["touched"] = weight.new_full((len(weight),), -torch.inf)
            state["log_decay"] = weight.new_zeros(len(weight))
        row_U, gradient_UD = _rows(weight.grad)
        _make_room(state, row_U)
        rest = steps_on_momentum(*group["betas"])
        _catch_up(weight, state, row_U, group, rest=rest)
        state["step"] += 1
        state["touched"][row_U] = state["step"].to(weight.dtype)
        row_A = (state["touched"] >= state["step"] - rest).nonzero()[:, 0]
        gradient_AD = gradient_UD.new_zeros(len(row_A), weight.shape[1])
        gradient_AD[torch.searchsorted(row_A, row_U)] = gradient_UD
        update = _fused(
            torch._fused_adamw_, group, weight_decay=group["weight_decay"], eps=group["eps"]
        )
        _update_rows(
            weight, state, row_A, gradient_AD, update, place_U=state["place"][row_A].long()
        )
        state["log_decay"][row_A] = log_decay


def _make_room(state: dict[str, Any], row_U: Tensor) -> None:
    """Gives rows that have their first gradient a place among the moments, which are thus held, and
    saved, of rows that have had one."""
    place_V = state["place"]
    new_R = row_U[place_V[row_U] < 0]
    begin = int(place_V.max()) + 1
    place_V[new_R] = torch.arange(begin, begin + len(new_R)).to(place_V)
    held = len(state[MOMENTS[0]])
    if begin + len(new_R) > held:
        more = max(begin + len(new_R) - held, held // 2)
        for name in MOMENTS:
            state[name] = functional.pad(state[name], (0, 0, 0, more))


def steps_on_momentum(beta1: float, beta2: float) -> int:
    """Returns the number of steps after which `TAIL` of a row's way on momentum is left: without a
    gradient, a step of Adam is beta1 / sqrt(beta2) times the one before."""
    return ceil(log(TAIL) / log(beta1 / beta2**0.5)) if beta1 else 0


def _catch_up(
    weight: nn.Parameter,
    state: dict[str, Any],
    row_U: Tensor,
    group: dict[str, Any],
    *,
    rest: int,
) -> None:
    """Decays the weights and moments of rows that have rested by the steps that they missed."""
    missed_U = state["step"] - rest - state["touched"][row_U]
    row_R, missed_R1 = row_U[missed_U > 0], missed_U[missed_U > 0][:, None]
    beta1, beta2 = group["betas"]
    decay_R1 = torch.exp(group["log_decay"] - state["log_decay"][row_R])[:, None]
    weight[row_R] *= decay_R1
    place_R = state["place"][row_R].long()
    state["exp_avg"][place_R] *= beta1**missed_R1
    state["exp_avg_sq"][place_R] *= beta2**missed_R1


def _computed(closure: Any) -> Any:
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


def _fused(kernel: Update, group: dict[str, Any], *, weight_decay: float, eps: float) -> Update:
    return partial(
        kernel,
        lr=group["lr"],
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        weight_decay=weight_decay,
        eps=eps,
        amsgrad=False,
        maximize=group["maximize"],
    )


def _update_rows(
    parameter: nn.Parameter,
    state: dict[str, Any],
    row_U: Tensor,
    gradient_UD: Tensor,
    update: Update,
    *,
    place_U: Tensor,
) -> None:
    """`place_U` is where the moments of each row are."""
    step = torch.tensor(float(state["step"]), device=parameter.device)
    tables = (parameter, *(state[name] for name in MOMENTS))
    parts = (row_U.split(ROWS), place_U.split(ROWS), gradient_UD.split(ROWS))
    for row_R, place_R, gradient_RD in zip(*parts, strict=True):
        indices = (row_R, place_R, place_R)
        rows = [table.index_select(0, at) for table, at in zip(tables, indices, strict=True)]
        weight_RD, mean_RD, square_RD = rows
        update([weight_RD], [gradient_RD], [mean_RD], [square_RD], [], [step])
        for table, at, updated_RD in zip(tables, indices, rows, strict=True):
            table.index_copy_(0, at, updated_RD)


def _rows(gradient: Tensor | None) -> tuple[Tensor, Tensor]:
    """Returns each row once, with its gradient. Autograd may pass on a gradient whose rows ascend
    without the mark that it is coalesced."""
    assert gradient is not None
    row_U = gradient._indices()[0]
    if not (row_U[1:] > row_U[:-1]).all():
        gradient = gradient.coalesce()
    return gradient._indices()[0], gradient._values()
