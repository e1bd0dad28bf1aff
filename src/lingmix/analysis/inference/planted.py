"""Planted truth: studies drawn from a known law and analysed as recorded ones are.

A user sees how often the intervals hold the truth, and how often the tests find an effect, before a
GPU hour is spent. Letters: A alphas, C scales, S seeds, Q questions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lingmix.analysis.inference.critical_batch import OVERHEAD, critical_batches
from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.inference.laws import GAIN, Estimate, enough
from lingmix.analysis.inference.power_law import sizes
from lingmix.analysis.inference.scaling import Scaling, scaling

LEVEL = 0.95
"""Of all intervals, and 1 less it of all tests."""


@dataclass(frozen=True, kw_only=True)
class PlantedLaw:
    """ceiling - bend * (alpha - best)^2 - drop * (1 + tilt * alpha) * (size / base)^-exponent

    With a `tilt` of 0 the best alpha is the same at every scale.
    """

    ceiling: float
    best: float
    bend: float
    drop: float
    tilt: float
    exponent: float

    def scores(self, alphas_A: Floats, ratios_C: Floats) -> Floats:
        """AC, at sizes given as ratios to the base data."""
        limit_A = self.ceiling - self.bend * (alphas_A - self.best) ** 2
        drop_A = self.drop * (1 + self.tilt * alphas_A)
        return limit_A[:, None] - np.outer(drop_A, ratios_C**-self.exponent)

    def best_alpha(self, ratio: float) -> float:
        fine_F = np.linspace(0, 1, 100_001)
        return float(fine_F[self.scores(fine_F, np.array([ratio]))[:, 0].argmax()])

    def enough(self, alpha: float) -> float:
        """The ratio to the base data from which doubling gains less than `GAIN`."""
        first = self.drop * (1 + self.tilt * alpha) * (1 - 2**-self.exponent) / GAIN
        return max(1.0, first ** (1 / self.exponent))


@dataclass(frozen=True)
class Noise:
    """Standard deviations: of a seed over all cells, of a seed in a cell, of a question over all
    cells, of what it gains from alpha and by the logarithm of the size, of a question in a cell,
    and of the rest, a question in a cell with a seed."""

    seed: float
    seed_in_cell: float
    question: float
    question_by_alpha: float
    question_by_size: float
    question_in_cell: float
    rest: float


@dataclass(frozen=True, kw_only=True)
class BatchSweep:
    """Runs to a target with steps = examples / turn + examples / batch, times exp(`spread` * a
    normal number)."""

    sizes: Sequence[float]
    turn: float
    spread: float


@dataclass(frozen=True, kw_only=True)
class Design:
    """What is run: `unseen` is the scale at which the best alpha is foretold, `base` the number of
    base items."""

    alphas: Sequence[float]
    scales: Sequence[float]
    unseen: float
    base: float
    seeds: int
    questions: int


class Check(NamedTuple):
    """Over all studies, how often `what` was told, how often its interval held the truth where it
    was, and the interval's median width. A test has no truth: told is how often it rejected."""

    what: str
    truth: float | None
    told: float
    covered: float | None = None
    width: float | None = None


def draw_study(law: PlantedLaw, noise: Noise, design: Design, rng: np.random.Generator) -> Floats:
    """The scores of one study: ACSQ."""
    alphas_A, ratios_C = np.array(design.alphas), 1 + np.array(design.scales) / design.base
    A, C, S, Q = len(alphas_A), len(ratios_C), design.seeds, design.questions
    normal = rng.standard_normal
    of_question_ACQ = (
        noise.question * normal(Q)
        + noise.question_by_alpha * alphas_A[:, None, None] * normal(Q)
        + noise.question_by_size * np.log(ratios_C)[:, None] * normal(Q)
        + noise.question_in_cell * normal((A, C, Q))
    )
    of_seed_ACS = noise.seed * normal(S) + noise.seed_in_cell * normal((A, C, S))
    scores_ACSQ = noise.rest * normal((A, C, S, Q))
    scores_ACSQ += (law.scores(alphas_A, ratios_C)[..., None] + of_seed_ACS)[..., None]
    return scores_ACSQ + of_question_ACQ[:, :, None]


def check_design(
    law: PlantedLaw,
    noise: Noise,
    design: Design,
    batches: BatchSweep,
    *,
    studies: int,
    draws: int,
    rng: np.random.Generator,
) -> list[Check]:
    """Draws studies and analyses each as recorded ones are, with as many `draws` of its means."""
    alphas_A, measured = np.array(design.alphas), sizes(design.scales, base=design.base)
    analysed = []
    for _ in range(studies):
        scores_ACSQ = draw_study(law, noise, design, rng)
        analysed.append(scaling(scores_ACSQ, alphas_A, measured, level=LEVEL, draws=draws, rng=rng))
    tests = [study.moves for study in analysed if study.moves is not None]
    rejected = [test.p <= 1 - LEVEL for test in tests]
    return [
        *_law_checks(law, design, analysed),
        _batch_check(batches, design.seeds, studies=studies, rng=rng),
        *([Check("additive law rejected", None, float(np.mean(rejected)))] if tests else []),
    ]


def _law_checks(law: PlantedLaw, design: Design, studies: Sequence[Scaling]) -> Iterator[Check]:
    row = len(design.alphas) // 2
    alpha, unseen = np.array(design.alphas[row : row + 1]), 1 + design.unseen / design.base
    sizes, foretell = studies[0].sizes, [study for study in studies if study.foretells]
    if law.drop:
        told = [s.law.exponent if s.law.status == "converged" else None for s in studies]
        yield _check("exponent", law.exponent, told)
        yield _check(
            f"scale beyond which doubling gains less than {GAIN:g}, alpha {alpha[0]:g}",
            law.enough(alpha[0]) * design.base - design.base,
            [enough(s.law, row, sizes) for s in foretell],
        )
    yield _check(
        f"score at scale {design.unseen:g}, alpha {alpha[0]:g}",
        law.scores(alpha, np.array([unseen]))[0, 0],
        [s.law.at(row, sizes.log_of(design.unseen)) for s in foretell],
    )
    if law.bend and studies[0].joint:
        told = [s.best_alpha(design.unseen) for s in foretell]
        yield _check(f"best alpha at scale {design.unseen:g}", law.best_alpha(unseen), told)


def _batch_check(
    batches: BatchSweep, seeds: int, *, studies: int, rng: np.random.Generator
) -> Check:
    sizes_M = np.repeat(np.array(batches.sizes, dtype=np.float64), seeds)
    noise_NM = np.exp(batches.spread * rng.standard_normal((studies, len(sizes_M))))
    found = critical_batches(sizes_M, (1 / batches.turn + 1 / sizes_M) * noise_NM, level=LEVEL)
    told = [
        Estimate(*each) if each[1] > 0 and each[2] < np.inf else None
        for each in zip(found.size_N, found.low_N, found.high_N, strict=True)
    ]
    return _check("critical batch size", OVERHEAD * batches.turn, told)


def _check(what: str, truth: float, told: Sequence[Estimate | None]) -> Check:
    found = [estimate for estimate in told if estimate is not None]
    if not found:
        return Check(what, truth, 0.0)
    share = len(found) / len(told)
    # a truth at an end of what is possible, as alpha 0, equals a bound but for rounding
    held = [one.low - 1e-9 <= truth <= one.high + 1e-9 for one in found]
    width = float(np.median([one.high - one.low for one in found]))
    return Check(what, truth, share, float(np.mean(held)), width)
