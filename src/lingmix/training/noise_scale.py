"""Estimates how noisy the gradient of a batch is, by which a batch size is chosen."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lingmix.data.schedule import Pass

SMOOTHING = 0.9
"""The weight of the windows before the newest: averages are over about ten windows."""

LEAST_INVERSE = 1e-9
"""A smaller 1 / B - 1 / N is rounding: the batch has all N rows."""

SKETCH_SIZE = 2**14
"""The most numbers of one weight's folded gradient. The inner product of two has an error of about
sqrt(2 / 2**14) = 1% of the product of their norms, less over many weights."""


class NoiseFigures(NamedTuple):
    """Noise scales in pairs, and the share of the noise that is between language pairs.

    None where too few batches were measured, or noise hides the gradient (the estimate of its
    squared norm is not above 0).
    """

    scale: float | None
    between_pairs: float | None
    language_pairs: dict[str, float]
    """The noise scale of each language pair with two or more batches in this window."""


class Estimates(NamedTuple):
    """`noise` is the trace of the covariance of a batch's gradient, `signal` the squared norm of
    its mean, and `inverse_B` the share of one pair's noise in it, 1 / B for B pairs. Each is
    averaged by itself, for a mean of ratios would be biased."""

    noise: float
    signal: float
    inverse_B: float

    def then(self, newer: "Estimates") -> "Estimates":
        pairs = zip(self, newer, strict=True)
        return Estimates(*(SMOOTHING * old + (1 - SMOOTHING) * new for old, new in pairs))

    @property
    def per_pair(self) -> float:
        """The trace of the covariance of the gradient of one pair."""
        return self.noise / self.inverse_B


@dataclass
class Moments:
    """Sums over the gradients of some batches, from which their noise is estimated."""

    batches: int = 0
    inverse_B: float = 0.0
    squares: Tensor | float = 0.0
    total_D: Tensor | float = 0.0
    shares: dict[int, float] = field(default_factory=dict)
    """For each pass over a language pair, the sum over the batches of the share drawn from it."""
    shares_squared: float = 0.0

    def add(self, gradient_D: Tensor, *, pairs: int, drawn: Sequence[Pass]) -> None:
        for number, count in Counter(part.number for part in drawn).items():
            share = count / len(drawn)
            self.shares[number] = self.shares.get(number, 0.0) + share
            self.shares_squared += share**2
        self.batches += 1
        self.inverse_B += 1 / pairs
        self.squares = self.squares + gradient_D.square().sum()
        self.total_D = self.total_D + gradient_D

    def estimates(self, *, rows: int | None = None) -> Estimates:
        """Estimates from n >= 2 batches: E|g|^2 is |mean|^2 + noise, and for the mean of n
        gradients |mean|^2 + noise / n (arXiv 1812.06162, appendix A.1).

        A pass draws without replacement from the N `rows` of a language pair: batches of one pass
        differ by S / B, where S is the covariance of one row, those of two by S (1 / B - 1 / N). In
        general 1 / N counts as often as two rows of a batch are of one pass, less how often two
        rows of two batches are.

            batches      shares of passes       within a batch   across two
            [p p] [p q]  p: 1, .5    q: 0, .5   (1 + .5) / 2     1 * .5
        """
        n = self.batches
        small = float(self.squares) / n
        big = float(torch.as_tensor(self.total_D).square().sum()) / n**2
        noise = (small - big) * n / (n - 1)
        across = sum(share**2 for share in self.shares.values()) - self.shares_squared
        same_pass = self.shares_squared / n - across / (n * (n - 1))
        inverse_B = self.inverse_B / n - (same_pass / rows if rows else 0.0)
        return Estimates(noise, big - noise / n, inverse_B)


class NoiseScale:
    """Estimates the simple noise scale (arXiv 1812.06162) of a mixture of language pairs, in pairs.

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
        """Adds the gradient of a batch of `pairs`; `drawn` are its equal parts, all of one language
        pair, or empty for a mixed batch. Returns the figures when a window is full, else None."""
        name = drawn[0].language_pair if drawn else None
        if drawn:
            self._rows[name] = drawn[0].rows
        self._moments.setdefault(name, Moments()).add(gradient_D, pairs=pairs, drawn=drawn)
        self._all.add(gradient_D, pairs=pairs, drawn=())
        return self._close() if self._all.batches >= self._window else None

    def _close(self) -> NoiseFigures | None:
        mixture, window = self._all.estimates(), self._moments
        self._all, self._moments = Moments(), {}
        if not isfinite(mixture.noise):  # a step in float16 has overflowed
            return None
        self._mixture = _average(self._mixture, mixture)
        scales = {}
        for name, moments in window.items():
            self._counts[name] = self._counts.get(name, 0) + moments.batches
            if moments.batches < 2:
                continue
            newer = moments.estimates(rows=self._rows.get(name))
            if newer.inverse_B < LEAST_INVERSE:
                continue
            average = self._averages[name] = _average(self._averages.get(name), newer)
            if name is not None and average.signal > 0:
                scales[name] = average.per_pair / average.signal
        return NoiseFigures(*self._mixture_figures(self._mixture), scales)

    def _mixture_figures(self, mixture: Estimates) -> tuple[float | None, float | None]:
        if not self._averages:
            return None, None
        counts = {name: self._counts[name] for name in self._averages}
        total = sum(counts.values())
        within = sum(n * self._averages[name].per_pair for name, n in counts.items()) / total
        noise_of_batches = sum(n * self._averages[name].noise for name, n in counts.items()) / total
        between = mixture.noise - noise_of_batches
        noise = within + between
        return (
            noise / mixture.signal if mixture.signal > 0 else None,
            between / noise if None not in self._averages and noise > 0 else None,
        )

    def state_dict(self) -> dict[str, Any]:
        return {
            "moments": {name: vars(moments) for name, moments in self._moments.items()},
            "all": vars(self._all),
            "counts": self._counts,
            "averages": {name: tuple(average) for name, average in self._averages.items()},
            "mixture": self._mixture and tuple(self._mixture),
            "rows": self._rows,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._moments = {name: Moments(**moments) for name, moments in state["moments"].items()}
        self._all = Moments(**state["all"])
        self._counts = dict(state["counts"])
        self._averages = {name: Estimates(*average) for name, average in state["averages"].items()}
        self._mixture = state["mixture"] and Estimates(*state["mixture"])
        self._rows = dict(state["rows"])


class GradientSketch:
    """Folds gradients to short vectors with nearly the same inner products (a count sketch).

    Every number of a weight gets a random sign, and rows are added up until at most `SKETCH_SIZE`
    numbers are left. Takes a byte of memory a number. Five rows folded to two:

        row 0 + row 2 + row 4
        row 1 + row 3
    """

    def __init__(self) -> None:
        self._signs: list[Tensor] = []

    def fold(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Returns one float32 vector; `parameters` must be the same at each call."""
        if not self._signs:
            random = torch.Generator().manual_seed(0)
            self._signs = [_signs(parameter, random) for parameter in parameters]
        pairs = zip(parameters, self._signs, strict=True)
        return torch.cat([_folded(parameter, signs_RN) for parameter, signs_RN in pairs])


def _signs(weight: Tensor, random: torch.Generator) -> Tensor:
    rows = weight.shape[0] if weight.dim() > 1 else 1
    signs_RN = torch.randint(2, (rows, weight.numel() // rows), generator=random, dtype=torch.int8)
    return (2 * signs_RN - 1).to(weight.device)


def _folded(parameter: nn.Parameter, signs_RN: Tensor) -> Tensor:
    rows, columns = signs_RN.shape
    folded_rows = min(rows, max(1, SKETCH_SIZE // columns))
    folded_KN = torch.zeros(folded_rows, columns, device=signs_RN.device)
    gradient = parameter.grad
    if gradient is None:
        return folded_KN.flatten()
    row_R = torch.arange(rows, device=signs_RN.device)
    if gradient.is_sparse:
        gradient = gradient.coalesce()
        row_R, signs_RN = gradient.indices()[0], signs_RN[gradient.indices()[0]]
        gradient = gradient.values()
    signed_RN = gradient.reshape(signs_RN.shape).float() * signs_RN
    return folded_KN.index_add_(0, row_R % folded_rows, signed_RN).flatten()


def _average(older: Estimates | None, newer: Estimates) -> Estimates:
    return newer if older is None else older.then(newer)
