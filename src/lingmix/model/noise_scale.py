"""How noisy the gradient of a batch is: for choosing the batch size."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from math import isfinite
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

SMOOTHING = 0.9
"""What a window leaves of the averages before it: they are of about ten windows."""

SKETCHED = 2**14
"""Numbers that are left of one weight's gradient. The inner product of two is off by about
sqrt(2 / 2**14) = 1% of the product of their norms, and by less where there are many weights."""


class NoiseFigures(NamedTuple):
    """None where too few batches were seen, or noise hides the gradient (its squared norm is not
    estimated above 0)."""

    scale: float | None
    between_pairs: float | None
    language_pairs: dict[str, float]
    """The noise scale of each language pair of which this window had two batches."""


class Estimates(NamedTuple):
    """The trace of the covariance of a batch's gradient, the squared norm of its mean, and 1 / B
    for its B pairs; averaged apart, as a mean of ratios would be biased."""

    noise: float
    signal: float
    inverse_B: float

    def then(self, newer: "Estimates") -> "Estimates":
        pairs = zip(self, newer, strict=True)
        return Estimates(*(SMOOTHING * old + (1 - SMOOTHING) * new for old, new in pairs))

    @property
    def of_a_pair(self) -> float:
        """The trace of the covariance of the gradient of one pair."""
        return self.noise / self.inverse_B


class Moments(NamedTuple):
    """Sums over the gradients of some batches."""

    batches: int
    inverse_B: float
    squares: Tensor
    total_D: Tensor

    def plus(self, other: "Moments") -> "Moments":
        return Moments(
            self.batches + other.batches,
            self.inverse_B + other.inverse_B,
            self.squares + other.squares,
            self.total_D + other.total_D,
        )

    def estimates(self) -> Estimates:
        """Unbiased, of two batches or more: E|g|^2 is |mean|^2 + noise, and for the mean of n
        gradients |mean|^2 + noise / n (arXiv 1812.06162, appendix A.1)."""
        n = self.batches
        small = float(self.squares) / n
        big = float(self.total_D.square().sum()) / n**2
        noise = (small - big) * n / (n - 1)
        return Estimates(noise, big - noise / n, self.inverse_B / n)


class NoiseScale:
    """The simple noise scale (arXiv 1812.06162) of a mixture of language pairs, in pairs.

    A pair of texts is of language pair l with probability p_l; its gradient then has mean G_l and
    covariance S_l. Over the mixture the mean is G = sum p_l G_l, and the covariance has the trace
    W + V: W = sum p_l tr(S_l) within the language pairs, V = sum p_l |G_l|^2 - |G|^2 between them.
    The noise scale (W + V) / |G|^2 is one of the data, whatever the batches.

    The gradient of a batch of B mixed pairs has noise (W + V) / B; that of B pairs of one language
    pair has W / B + V, as all of them share their G_l. All batches of a window together give
    W / B + V and |G|^2. Those of the same language pair give tr(S_l) / B and |G_l|^2, hence the
    noise scale of each, and W. V is the difference. Where `between_pairs`, V / (W + V), is r, a
    batch of one language pair is as noisy as one of a noise scale of 1 + (B - 1) r times as much.

    Successive gradients stand for as many at the same weights: what the weights move within a
    `window` counts as noise. Negatives come from the batch, so the figures are of batches of the
    size and the make-up trained with. A language pair counts once a window has had two batches of
    it, with its share of the batches so far.
    """

    def __init__(self, *, window: int) -> None:
        self._window = window
        self._moments: dict[str | None, Moments] = {}
        self._counts: dict[str | None, int] = {}
        self._averages: dict[str | None, Estimates] = {}
        self._mixture: Estimates | None = None

    def add(
        self, gradient_D: Tensor, *, pairs: int, language_pair: str | None
    ) -> NoiseFigures | None:
        """Takes the gradient of a batch of `pairs`, of one language pair or None for a mixed batch;
        the figures once a window is full."""
        added = Moments(1, 1 / pairs, gradient_D.square().sum(), gradient_D)
        known = self._moments.get(language_pair)
        self._moments[language_pair] = known.plus(added) if known else added
        full = sum(one.batches for one in self._moments.values()) >= self._window
        return self._close() if full else None

    def _close(self) -> NoiseFigures | None:
        window, self._moments = self._moments, {}
        mixture = reduce(Moments.plus, window.values()).estimates()
        if not isfinite(mixture.noise):  # a step of fp16 that overflowed leaves no number
            return None
        self._mixture = _averaged(self._mixture, mixture)
        for name, moments in window.items():
            self._counts[name] = self._counts.get(name, 0) + moments.batches
            if moments.batches > 1:
                self._averages[name] = _averaged(self._averages.get(name), moments.estimates())
        scales = {
            name: self._averages[name].of_a_pair / self._averages[name].signal
            for name, moments in window.items()
            if name is not None and moments.batches > 1 and self._averages[name].signal > 0
        }
        return NoiseFigures(*self._of_mixture(self._mixture), scales)

    def _of_mixture(self, mixture: Estimates) -> tuple[float | None, float | None]:
        if not self._averages:
            return None, None
        shares = {name: self._counts[name] for name in self._averages}
        seen = sum(shares.values())
        within = sum(n * self._averages[name].of_a_pair for name, n in shares.items()) / seen
        of_batches = sum(n * self._averages[name].noise for name, n in shares.items()) / seen
        between = mixture.noise - of_batches
        noise = within + between
        return (
            noise / mixture.signal if mixture.signal > 0 else None,
            between / noise if None not in self._averages and noise > 0 else None,
        )

    def state_dict(self) -> dict[str, Any]:
        return {
            "moments": {name: tuple(one) for name, one in self._moments.items()},
            "counts": self._counts,
            "averages": {name: tuple(one) for name, one in self._averages.items()},
            "mixture": self._mixture and tuple(self._mixture),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._moments = {name: Moments(*one) for name, one in state["moments"].items()}
        self._counts = dict(state["counts"])
        self._averages = {name: Estimates(*one) for name, one in state["averages"].items()}
        self._mixture = state["mixture"] and Estimates(*state["mixture"])


class GradientSketch:
    """Folds gradients to short vectors with nearly the same inner products (a count sketch).

    Rows of a weight are added up, each number with a random sign of its own, until no more than
    `SKETCHED` numbers are left; smaller weights are copied. Holds a byte a weight.
    """

    def __init__(self) -> None:
        self._signs: list[Tensor] = []

    def of(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """One float32 vector of the gradients of `parameters`, the same ones at each call."""
        if not self._signs:
            random = torch.Generator().manual_seed(0)
            self._signs = [_signs(one, random) for one in parameters]
        folded = [_folded(*both) for both in zip(parameters, self._signs, strict=True)]
        return torch.cat(folded)


def _signs(weight: Tensor, random: torch.Generator) -> Tensor:
    rows = weight.shape[0] if weight.dim() > 1 else 1
    signs_RC = torch.randint(2, (rows, weight.numel() // rows), generator=random, dtype=torch.int8)
    return (2 * signs_RC - 1).to(weight.device)


def _folded(parameter: nn.Parameter, signs_RC: Tensor) -> Tensor:
    rows, columns = signs_RC.shape
    kept = min(rows, max(1, SKETCHED // columns))
    folded_KC = torch.zeros(kept, columns, device=signs_RC.device)
    gradient = parameter.grad
    if gradient is None:
        return folded_KC.flatten()
    places_R = torch.arange(rows, device=signs_RC.device)
    if gradient.is_sparse:
        gradient = gradient.coalesce()
        places_R, signs_RC = gradient.indices()[0], signs_RC[gradient.indices()[0]]
        gradient = gradient.values()
    signed_RC = gradient.reshape(signs_RC.shape).float() * signs_RC
    return folded_KC.index_add_(0, places_R % kept, signed_RC).flatten()


def gradient_norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Of all parameters together, on their device."""
    gradients = [one.grad for one in parameters if one.grad is not None]
    values = [one.coalesce().values() if one.is_sparse else one for one in gradients]
    return get_total_norm([one.float() for one in values])


def _averaged(older: Estimates | None, newer: Estimates) -> Estimates:
    return newer if older is None else older.then(newer)
