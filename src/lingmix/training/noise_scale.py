"""How noisy the gradient of a batch is: for choosing the batch size."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from lingmix.data.schedule import Pass

SMOOTHING = 0.9
"""What a window leaves of the averages before it: they are of about ten windows."""

LEAST = 1e-9
"""Below it, 1 / B - 1 / N of a batch of all N rows is not 0 for rounding alone."""

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
    """The trace of the covariance of a batch's gradient, the squared norm of its mean, and what the
    noise of one pair is divided by in it, 1 / B for B pairs; averaged apart, as a mean of ratios
    would be biased."""

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


@dataclass
class Moments:
    """Sums over the gradients of some batches."""

    batches: int = 0
    inverse_B: float = 0.0
    squares: Tensor | float = 0.0
    total_D: Tensor | float = 0.0
    shares: dict[int, float] = field(default_factory=dict)
    """For each pass over a language pair, the sum of the shares of the batches that are of it."""
    shares_squared: float = 0.0

    def add(self, gradient_D: Tensor, *, pairs: int, drawn: Sequence[Pass]) -> None:
        for number, count in Counter(one.number for one in drawn).items():
            share = count / len(drawn)
            self.shares[number] = self.shares.get(number, 0.0) + share
            self.shares_squared += share**2
        self.batches += 1
        self.inverse_B += 1 / pairs
        self.squares = self.squares + gradient_D.square().sum()
        self.total_D = self.total_D + gradient_D

    def estimates(self, *, rows: int | None = None) -> Estimates:
        """Of two batches or more: E|g|^2 is |mean|^2 + noise, and for the mean of n gradients
        |mean|^2 + noise / n (arXiv 1812.06162, appendix A.1).

        A pass draws without replacement from the N `rows` of a language pair: batches of one pass
        differ by S / B, where S is the covariance of one row, those of two by S (1 / B - 1 / N). In
        general 1 / N counts as often as a pass meets itself within a batch, less across batches.
        """
        n = self.batches
        small = float(self.squares) / n
        big = float(torch.as_tensor(self.total_D).square().sum()) / n**2
        noise = (small - big) * n / (n - 1)
        across = sum(share**2 for share in self.shares.values()) - self.shares_squared
        met = self.shares_squared / n - across / (n * (n - 1))
        return Estimates(noise, big - noise / n, self.inverse_B / n - (met / rows if rows else 0.0))


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
    it, with its share of the batches so far; one whose batches are all it has has no noise.
    """

    def __init__(self, *, window: int) -> None:
        self._window = window
        self._moments: dict[str | None, Moments] = {}
        self._all = Moments()
        self._counts: dict[str | None, int] = {}
        self._averages: dict[str | None, Estimates] = {}
        self._mixture: Estimates | None = None
        self._rows: dict[str | None, int] = {}

    def add(self, gradient_D: Tensor, *, pairs: int, drawn: Sequence[Pass]) -> NoiseFigures | None:
        """Takes the gradient of a batch of `pairs`, of parts of one size that are `drawn` from a
        language pair, or none for a mixed batch; the figures once a window is full."""
        name = drawn[0].language_pair if drawn else None
        if drawn:
            self._rows[name] = drawn[0].rows
        self._moments.setdefault(name, Moments()).add(gradient_D, pairs=pairs, drawn=drawn)
        self._all.add(gradient_D, pairs=pairs, drawn=())
        return self._close() if self._all.batches >= self._window else None

    def _close(self) -> NoiseFigures | None:
        mixture, window = self._all.estimates(), self._moments
        self._all, self._moments = Moments(), {}
        if not isfinite(mixture.noise):  # a step of fp16 that overflowed leaves no number
            return None
        self._mixture = _averaged(self._mixture, mixture)
        scales = {}
        for name, moments in window.items():
            self._counts[name] = self._counts.get(name, 0) + moments.batches
            if moments.batches < 2:
                continue
            newer = moments.estimates(rows=self._rows.get(name))
            if newer.inverse_B < LEAST:
                continue
            average = self._averages[name] = _averaged(self._averages.get(name), newer)
            if name is not None and average.signal > 0:
                scales[name] = average.of_a_pair / average.signal
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
            "moments": {name: vars(one) for name, one in self._moments.items()},
            "all": vars(self._all),
            "counts": self._counts,
            "averages": {name: tuple(one) for name, one in self._averages.items()},
            "mixture": self._mixture and tuple(self._mixture),
            "rows": self._rows,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._moments = {name: Moments(**one) for name, one in state["moments"].items()}
        self._all = Moments(**state["all"])
        self._counts = dict(state["counts"])
        self._averages = {name: Estimates(*one) for name, one in state["averages"].items()}
        self._mixture = state["mixture"] and Estimates(*state["mixture"])
        self._rows = dict(state["rows"])


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
