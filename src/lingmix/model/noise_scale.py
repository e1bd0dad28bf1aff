"""How noisy the gradient of a batch is: for choosing the batch size."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

SMOOTHING = 0.9
"""What a window leaves of the averages before it: they hold about ten windows."""


class NoiseScale:
    """The simple noise scale tr(S) / |G|^2, in pairs (arXiv 1812.06162, appendix A.1).

    `window` successive gradients stand for as many at the same weights: one gradient is the small
    batch, their mean the big one. That holds while the weights move little, and what they move
    counts as noise. Negatives come from the batch, so the figure is of batches of the size trained
    with. Keeps the sum of the gradients, a float32 copy of the weights.
    """

    def __init__(self, *, window: int) -> None:
        self._window = window
        self._noise = 0.0
        self._signal = 0.0
        self._count = 0
        self._inverse_pairs = 0.0
        self._squares: Tensor | float = 0.0
        self._sums: list[Tensor] = []

    def add(self, parameters: Sequence[nn.Parameter], *, pairs: int) -> float | None:
        """Takes the gradient of a batch of `pairs`; the noise scale once a window is full.

        None too while noise hides the gradient: the estimate of |G|^2 is not positive.
        """
        self._squares = self._squares + gradient_norm(parameters) ** 2
        self._inverse_pairs += 1 / pairs
        self._count += 1
        sums = self._sums or [torch.zeros_like(one, dtype=torch.float32) for one in parameters]
        self._sums = [total.to(one.device) for total, one in zip(sums, parameters, strict=True)]
        for total, one in zip(self._sums, parameters, strict=True):
            if one.grad is not None:
                total.add_(one.grad)
        return self._close() if self._count >= self._window else None

    def state_dict(self) -> dict[str, Any]:
        return {
            "count": self._count,
            "inverse_pairs": self._inverse_pairs,
            "squares": self._squares,
            "sums": self._sums,
            "noise": self._noise,
            "signal": self._signal,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._count = state["count"]
        self._inverse_pairs = state["inverse_pairs"]
        self._squares = state["squares"]
        self._sums = state["sums"]
        self._noise = state["noise"]
        self._signal = state["signal"]

    def _close(self) -> float | None:
        """Both are averaged, then divided: a mean of ratios would be biased.

        E|g|^2 = |G|^2 + tr(S) / B for one gradient g, and with tr(S) / (K B) for the mean of K;
        B is the harmonic mean of the batches' pairs.
        """
        count = self._count
        small = float(self._squares) / count
        big = float(get_total_norm(self._sums)) ** 2 / count**2
        inverse_B = self._inverse_pairs / count
        self._count, self._inverse_pairs, self._squares, self._sums = 0, 0.0, 0.0, []
        noise = (small - big) / (inverse_B - inverse_B / count)
        signal = (count * big - small) / (count - 1)
        if math.isfinite(noise):  # a step of fp16 that overflowed leaves no number
            self._noise = SMOOTHING * self._noise + (1 - SMOOTHING) * noise
            self._signal = SMOOTHING * self._signal + (1 - SMOOTHING) * signal
        return self._noise / self._signal if self._signal > 0 else None


def gradient_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    """Of all parameters together, on their device."""
    gradients = [one.grad for one in parameters if one.grad is not None]
    values = [one.coalesce().values() if one.is_sparse else one for one in gradients]
    return get_total_norm([one.float() for one in values])
