"""Which pairs share a batch: the hybrid batch schedule."""

import logging
from functools import partial
from math import cos, pi
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from lingmix.data.items import LanguagePair
from lingmix.data.pass_orders import PassOrders, Slice, seeded
from lingmix.data.shares import shares
from lingmix.data.training_pairs import TrainingPairs
from lingmix.errors import InputError, require_int, require_number
from lingmix.ranges import Count, Share

log = logging.getLogger(__name__)

AlphaSchedule = Literal["constant", "linear", "cosine"]
Homogeneous = bool | Literal["monolingual"]


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

    With `set_exponent`, a set is drawn first, with probability proportional to its pairs **
    `set_exponent`, and then one of its language pairs; a homogeneous batch is of one set. Without
    it sets are one. Beyond `size_cap` pairs a language pair of a set counts as no larger (arXiv
    1910.10683, section 3.5.2).

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
        set_exponent: Share | None = None,
        size_cap: Count | None = None,
    ) -> None:
        _refuse_alpha(alpha, alpha_end, alpha_schedule)
        _refuse_batches(batch_size, homogeneous, min_size, pairs=len(pairs))
        self.batch_size = batch_size
        self._alpha = (alpha, alpha if alpha_end is None else alpha_end)
        self._alpha_schedule, self._steps = alpha_schedule, steps
        self._seed, self._language_pairs = seed, pairs.language_pairs
        self._several_sets = len({*pairs.language_pairs}) < len(pairs.language_pairs)
        self._one_pair = {True: homogeneous is not False, False: homogeneous is True}
        self._orders = PassOrders(pairs.start_Y, pairs.size_Y, seed=seed)
        self._size_Y = size_Y = pairs.size_Y
        monolingual_Y = np.array([pair.monolingual for pair in pairs.language_pairs])
        kept_Y = size_Y >= min_size
        self.left_out, self.short = self._small(kept_Y, monolingual_Y)
        share = partial(
            shares, size_exponent=size_exponent, size_cap=size_cap, set_exponent=set_exponent
        )
        self._probability = {
            kind: share(np.where(kept_Y & (monolingual_Y == kind), size_Y, 0), pairs.set_Y)
            for kind in (True, False)
        }
        self._refuse_nothing_to_draw()
        self._plans: list[tuple[Slice, ...]] = []
        self._begin()

    def _refuse_nothing_to_draw(self) -> None:
        for name, kind, needed, other in (
            ("monolingual", True, max(self._alpha) > 0, "crosslingual (alpha 0"),
            ("cross-lingual", False, min(self._alpha) < 1, "monolingual (alpha 1"),
        ):
            if needed and not self._probability[kind].any():
                raise InputError(
                    f"sampler.alpha: {name} batches are asked for and no {name} language pair is "
                    f"left to draw from; choose sampler={other} throughout), set "
                    "data.expand_pairs=true, widen `languages` or `pairs`, or lower "
                    "sampler.min_size"
                )

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
        return self._orders.rows(self.plan(step))

    def drawn(self, step: int) -> Pass | None:
        """What a homogeneous batch is part of; None for a mixed one, and where passes are over a
        set's part of a language pair."""
        part = self.plan(step)[0]
        pair = self._language_pairs[part.language_pair]
        if self._several_sets or not self._one_pair[pair.monolingual]:
            return None
        return Pass(str(pair), part.pass_number, int(self._size_Y[part.language_pair]))

    def redraw(self, step: int) -> None:
        """Forgets the plans from `step` on, whose alpha is another than when they were drawn."""
        if len(self._plans) > step:  # where each pass is depends on all plans before
            self._plans.clear()
            self._begin()

    def _begin(self) -> None:
        """No row of any pass is taken."""
        self._pass_Y = np.zeros(len(self._size_Y), dtype=np.int64)
        self._start_Y = np.zeros(len(self._size_Y), dtype=np.int64)

    def _small(
        self, kept_Y: NDArray[np.bool_], monolingual_Y: NDArray[np.bool_]
    ) -> tuple[tuple[LanguagePair, ...], tuple[LanguagePair, ...]]:
        """The language pairs that are left out, and those that cannot fill a batch; both are
        logged, never passed over in silence."""
        most_Y = self._size_Y.copy()
        for kind in (kind for kind in (True, False) if not self._one_pair[kind]):
            of_kind_Y = kept_Y & (monolingual_Y == kind)
            most_Y[of_kind_Y] = self._size_Y[of_kind_Y].sum()
        left_out = self._named(~kept_Y, "are left out (sampler.min_size)")
        short_Y = kept_Y & (most_Y < self.batch_size)
        return left_out, self._named(short_Y, "give batches of all they have")

    def _named(self, chosen_Y: NDArray[np.bool_], what: str) -> tuple[LanguagePair, ...]:
        numbers = np.flatnonzero(chosen_Y)
        if len(numbers):
            first = sorted(numbers, key=lambda n: (self._size_Y[n], self._language_pairs[n]))[:3]
            smallest = ", ".join(f"{self._language_pairs[n]} {self._size_Y[n]}" for n in first)
            log.warning("%d language pairs are small and %s: %s ...", len(numbers), what, smallest)
        return tuple(self._language_pairs[n] for n in numbers)

    def _draw(self, step: int) -> tuple[Slice, ...]:
        random = seeded(self._seed, step)
        monolingual = bool(random.random() < self.alpha(step))
        probability_Y = self._probability[monolingual]
        if self._one_pair[monolingual]:
            count_Y = np.zeros(len(probability_Y), dtype=np.int64)
            count_Y[random.choice(len(probability_Y), p=probability_Y)] = self.batch_size
        else:
            count_Y = self._mixed(probability_Y, random)
        return tuple(self._take(int(n), int(count_Y[n])) for n in np.flatnonzero(count_Y))

    def _mixed(
        self, probability_Y: NDArray[np.float64], random: np.random.Generator
    ) -> NDArray[np.int64]:
        """How many rows of each language pair; fewer than a batch only where there are no more."""
        count_Y = np.zeros(len(probability_Y), dtype=np.int64)
        while missing := self.batch_size - int(count_Y.sum()):
            left_Y = np.where(count_Y < self._size_Y, probability_Y, 0.0)
            if not left_Y.any():
                break
            count_Y += random.multinomial(missing, left_Y / left_Y.sum())
            count_Y = np.minimum(count_Y, self._size_Y)
        return count_Y

    def _take(self, language_pair: int, wanted: int) -> Slice:
        size = int(self._size_Y[language_pair])
        count = min(wanted, size)
        if self._start_Y[language_pair] + count > size:
            self._pass_Y[language_pair] += 1
            self._start_Y[language_pair] = 0
        start = int(self._start_Y[language_pair])
        self._start_Y[language_pair] += count
        return Slice(language_pair, int(self._pass_Y[language_pair]), start, count)


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
    batch_size: int, homogeneous: Homogeneous, min_size: int, *, pairs: int
) -> None:
    require_int("sampler.min_size", min_size, at_least=1)
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
