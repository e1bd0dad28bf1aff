"""Which pairs share a batch: the hybrid batch schedule."""

from collections.abc import Sequence
from functools import lru_cache
from math import cos, pi
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from lingmix.data.items import LanguagePair
from lingmix.data.training_pairs import TrainingPairs
from lingmix.errors import InputError, require_int, require_number
from lingmix.ranges import Count, Share

AlphaSchedule = Literal["constant", "linear", "cosine"]
Homogeneous = bool | Literal["monolingual"]


class Slice(NamedTuple):
    """Part of one pass over a language pair: `size` of its shuffled rows from `start`."""

    language_pair: int
    pass_number: int
    start: int
    size: int


class Pass(NamedTuple):
    """One reading of the rows of a language pair, in an order of its own."""

    language_pair: str
    number: int
    rows: int


class HybridSchedule:
    """Batches that are monolingual with probability alpha, else cross-lingual.

    Alpha is constant, or goes from `alpha` at the first to `alpha_end` at the last of `steps`.

    `rows(step)` is a pure function of the seed and the step. A language pair is drawn with
    probability proportional to size ** `size_exponent`: once a batch where batches are
    `homogeneous`, else once for each of its rows. "monolingual" makes monolingual batches
    homogeneous and mixes language pairs in cross-lingual ones.

    A pass over a language pair visits each of its rows at most once, in a new order each time;
    what is left at its end is too little for a batch and waits for the next order. A language pair
    smaller than a homogeneous batch gives batches of all its rows (`short`); in a mixed batch the
    others make up for it. One smaller than `min_size` is left out (`left_out`).

    Source: arXiv 2408.10536, section 3.2, whose batches are those of "monolingual" with
    `size_exponent` 0. It does not say how a pass ends, nor how often each language pair is drawn
    in a cross-lingual batch.
    """

    def __init__(
        self,
        pairs: TrainingPairs,
        *,
        alpha: float,
        alpha_end: float | None,
        alpha_schedule: AlphaSchedule,
        steps: int,
        batch_size: Count,
        size_exponent: Share,
        homogeneous: Homogeneous,
        min_size: Count,
        seed: int,
    ) -> None:
        _refuse_alpha(alpha, alpha_end, alpha_schedule)
        _refuse_batches(batch_size, homogeneous, size_exponent, min_size, pairs=len(pairs))
        self.batch_size = batch_size
        self._alpha = (alpha, alpha if alpha_end is None else alpha_end)
        self._alpha_schedule, self._steps = alpha_schedule, steps
        self._seed, self._language_pairs = seed, pairs.language_pairs
        self._one_pair = {True: homogeneous is not False, False: homogeneous is True}
        self._rows_L = [
            np.flatnonzero(pairs.language_pair_N == n) for n in range(len(pairs.language_pairs))
        ]
        self._size_L = size_L = np.array([len(rows) for rows in self._rows_L])
        kept_L = size_L >= min_size
        self.left_out = _named(pairs.language_pairs, ~kept_L)
        monolingual_L = np.array([pair.monolingual for pair in pairs.language_pairs])
        most_L = size_L.copy()
        for kind in (kind for kind in (True, False) if not self._one_pair[kind]):
            of_kind_L = kept_L & (monolingual_L == kind)
            most_L[of_kind_L] = size_L[of_kind_L].sum()
        self.short = _named(pairs.language_pairs, kept_L & (most_L < batch_size))
        weight_L = np.where(kept_L, size_L**size_exponent, 0.0)
        self._probability = {
            kind: _probabilities(weight_L * (monolingual_L == kind), needed=needed, kind=kind)
            for kind, needed in ((True, max(self._alpha) > 0), (False, min(self._alpha) < 1))
        }
        self._plans: list[tuple[Slice, ...]] = []
        self._pass_L = np.zeros(len(size_L), dtype=np.int64)
        self._start_L = np.zeros(len(size_L), dtype=np.int64)

    def alpha(self, step: int) -> float:
        """The probability that the batch of `step` is monolingual."""
        first, last = self._alpha
        done = min(step / max(self._steps - 1, 1), 1.0)
        if self._alpha_schedule == "cosine":
            done = (1 - cos(pi * done)) / 2
        return first + (last - first) * done

    def plan(self, step: int) -> tuple[Slice, ...]:
        """The slices that make up the batch of `step`."""
        while len(self._plans) <= step:
            self._plans.append(self._draw(len(self._plans)))
        return self._plans[step]

    def rows(self, step: int) -> NDArray[np.int64]:
        """Positions in the training pairs of the batch of `step`."""
        parts = [
            self._order(part.language_pair, part.pass_number)[part.start :][: part.size]
            for part in self.plan(step)
        ]
        return np.concatenate(parts)

    def monolingual(self, step: int) -> bool:
        return bool(self._probability[True][self.plan(step)[0].language_pair] > 0)

    def drawn(self, step: int) -> Pass | None:
        """What a homogeneous batch is part of; None for a mixed one."""
        if not self._one_pair[self.monolingual(step)]:
            return None
        (part,) = self.plan(step)
        name = str(self._language_pairs[part.language_pair])
        return Pass(name, part.pass_number, int(self._size_L[part.language_pair]))

    def _draw(self, step: int) -> tuple[Slice, ...]:
        random = _random(self._seed, step)
        monolingual = bool(random.random() < self.alpha(step))
        probability_L = self._probability[monolingual]
        if self._one_pair[monolingual]:
            count_L = np.zeros(len(probability_L), dtype=np.int64)
            count_L[random.choice(len(probability_L), p=probability_L)] = self.batch_size
        else:
            count_L = self._mixed(probability_L, random)
        return tuple(self._take(int(n), int(count_L[n])) for n in np.flatnonzero(count_L))

    def _mixed(
        self, probability_L: NDArray[np.float64], random: np.random.Generator
    ) -> NDArray[np.int64]:
        """How many rows of each language pair; fewer than a batch only where there are no more."""
        count_L = np.zeros(len(probability_L), dtype=np.int64)
        while missing := self.batch_size - int(count_L.sum()):
            left_L = np.where(count_L < self._size_L, probability_L, 0.0)
            if not left_L.any():
                break
            count_L += random.multinomial(missing, left_L / left_L.sum())
            count_L = np.minimum(count_L, self._size_L)
        return count_L

    def _take(self, language_pair: int, wanted: int) -> Slice:
        size = len(self._rows_L[language_pair])
        count = min(wanted, size)
        if self._start_L[language_pair] + count > size:
            self._pass_L[language_pair] += 1
            self._start_L[language_pair] = 0
        start = int(self._start_L[language_pair])
        self._start_L[language_pair] += count
        return Slice(language_pair, int(self._pass_L[language_pair]), start, count)

    @lru_cache(maxsize=512)  # noqa: B019 - one schedule lives as long as its run
    def _order(self, language_pair: int, pass_number: int) -> NDArray[np.int64]:
        """A pass's order; its key cannot meet a step's, which has no high bits."""
        high = (1 << 63) | (language_pair << 40) | pass_number
        random = _random(self._seed, high)
        return random.permutation(self._rows_L[language_pair])


def _refuse_alpha(alpha: float, alpha_end: float | None, alpha_schedule: AlphaSchedule) -> None:
    for key, value in (("alpha", alpha), ("alpha_end", 0 if alpha_end is None else alpha_end)):
        _refuse_outside(key, value)
    if alpha_schedule not in get_args(AlphaSchedule):
        raise InputError(
            f"sampler.alpha_schedule: must be {' or '.join(get_args(AlphaSchedule))}, got "
            f"{alpha_schedule!r}"
        )
    if (alpha_schedule == "constant") != (alpha_end is None):
        raise InputError(
            "sampler.alpha_end: is where a linear or cosine sampler.alpha_schedule ends, and null "
            f"where it is constant, got {alpha_end} and {alpha_schedule}"
        )


def _refuse_batches(
    batch_size: int, homogeneous: Homogeneous, size_exponent: float, min_size: int, *, pairs: int
) -> None:
    require_int("sampler.min_size", min_size, at_least=1)
    _refuse_outside("size_exponent", size_exponent)
    if type(homogeneous) is not bool and homogeneous != "monolingual":
        raise InputError(
            f"sampler.homogeneous: must be true, false or monolingual, got {homogeneous!r}"
        )
    if type(batch_size) is not int or not 1 < batch_size <= pairs:
        raise InputError(
            f"sampler.batch_size: must be a whole number in [2, {pairs}], the pairs there "
            f"are, got {batch_size}"
        )


def _refuse_outside(key: str, value: float) -> None:
    require_number(f"sampler.{key}", value, "in [0, 1]", lambda one: 0 <= one <= 1)


def _random(seed: int, stream: int) -> np.random.Generator:
    key = np.array([seed, stream], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def _probabilities(
    weight_L: NDArray[np.float64], *, needed: bool, kind: bool
) -> NDArray[np.float64]:
    total = weight_L.sum()
    if needed and not total:
        name = "monolingual" if kind else "cross-lingual"
        raise InputError(
            f"sampler.alpha: {name} batches are asked for and no {name} language pair is left to "
            f"draw from; choose sampler={'crosslingual' if kind else 'monolingual'} (alpha "
            f"{0 if kind else 1} throughout), widen `languages` or `pairs`, or lower "
            "sampler.min_size"
        )
    return weight_L / total if total else weight_L


def _named(
    language_pairs: Sequence[LanguagePair], chosen_L: NDArray[np.bool_]
) -> tuple[LanguagePair, ...]:
    return tuple(pair for pair, chosen in zip(language_pairs, chosen_L, strict=True) if chosen)
