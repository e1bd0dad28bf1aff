"""The norm of all gradients together, of which some may be sparse."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm


def gradient_norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Returns the norm on the gradients' device."""
    return get_total_norm([values.float() for values in _values(parameters)])


def clip_norm(parameters: Iterable[nn.Parameter], *, largest: float) -> None:
    """Does what PyTorch's `clip_grad_norm_` does, which takes no sparse gradient."""
    values = _values(parameters)
    share = (largest / (get_total_norm(values) + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(values, share)


def _values(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """Sparse gradients come to hold each row once, in place."""
    values = []
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is not None and gradient.is_sparse:
            parameter.grad = gradient.coalesce()
            values.append(parameter.grad.values())
        elif gradient is not None:
            values.append(gradient)
    return values
