"""The rows of an answer's frames on contests between two alphas."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lingmix.analysis.curve_scores import CurveScores
from lingmix.analysis.frontier_rows import Row, around, bounded, of_difference
from lingmix.analysis.inference.comparisons import compare
from lingmix.analysis.inference.components import (
    Components,
    component_draws,
    components,
    margins,
)
from lingmix.analysis.inference.crossed import interval
from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.inference.sample_size import questions_needed, seeds_needed
from lingmix.evaluation.metric_names import SETTINGS, Range

GAINS, LOSES, UNDECIDED = "gains", "loses", "cannot be told apart"
NEEDED = ("seeds_needed", "questions_needed")


class Certainty(NamedTuple):
    """How sure an answer is to be: the level of its intervals, the power with which more seeds or
    questions would decide, and the draws that both are made of."""

    level: float
    power: float
    draws: int
    rng: np.random.Generator


def component_rows(curve: CurveScores, how: Certainty) -> Iterator[Row]:
    for setting in SETTINGS:
        if setting not in curve.grids:
            continue
        scores_ASQ = curve.grids[setting].scores_ACSQ[:, 0]
        names: list[tuple[float, float | None]] = [(alpha, None) for alpha in curve.alphas]
        names += [(curve.alphas[a], curve.alphas[b]) for a, b in curve.contests]
        parts = [scores_ASQ, curve.contrasts(scores_ASQ)] if curve.contests else [scores_ASQ]
        found = components(np.concatenate(parts))
        scores = curve.ranges[setting]
        ranges = [scores if against is None else of_difference(scores) for _, against in names]
        rows = _component_rows(found, ranges, how)
        for row, (alpha, against) in zip(rows, names, strict=True):
            place = {"scale": curve.scale, "setting": setting, "alpha": alpha, "against": against}
            yield place | (row if against is not None else row | dict.fromkeys(NEEDED))


def _component_rows(found: Components, ranges: list[Range], how: Certainty) -> Iterator[Row]:
    margin_T = margins(found, how.level)
    spreads = [np.sqrt(drawn) for drawn in component_draws(found, how.draws, how.rng)]
    bounds = [interval(spread_NT, how.level) for spread_NT in spreads]
    undecided_T = np.abs(found.mean_T) <= margin_T
    needed = _needed(found, how, undecided_T)
    for t, mean in enumerate(found.mean_T):
        row = around("mean", mean, margin_T[t], ranges[t])
        for name, variance_T, (low_T, high_T) in zip(
            ("seed", "question", "rest"), found.variances, bounds, strict=True
        ):
            row |= bounded(name, np.sqrt(variance_T[t]), low_T[t], high_T[t])
        yield row | {name: needed_T[t] for name, needed_T in needed.items()}


def comparison_rows(curve: CurveScores, how: Certainty) -> Iterator[Row]:
    """The family of tests is every contest of every pair: the alpha may be chosen afterwards."""
    if not (curve.contests and curve.pairs):
        return
    contrasts = [
        Contrasts(curve.contrasts(grid.scores_ACSQ[:, 0]), grid.questions_Q, curve.ranges[setting])
        for grid, setting in zip(curve.pairs.values(), curve.runs.pairs.values(), strict=True)
    ]
    names = product(curve.pairs, curve.contests)
    found = verdict_rows(contrasts, curve.first.questions_Q, how)
    for (pair, (a, b)), row in zip(names, found, strict=True):
        place = {"pair": pair, "alpha": curve.alphas[a], "against": curve.alphas[b]}
        yield {"scale": curve.scale, **place, **row}


class Contrasts(NamedTuple):
    """T differences of a language pair's scores, of its own questions, and the range of scores."""

    scores_TSQ: Floats
    questions_Q: tuple[str, ...]
    possible: Range


def verdict_rows(
    contrasts: Sequence[Contrasts], questions: tuple[str, ...], how: Certainty
) -> Iterator[Row]:
    """Tests all contrasts, which are of some of the `questions`, as one family; yields a row for
    each in their order."""
    found = _joined([components(one.scores_TSQ) for one in contrasts])
    effects_MQ = np.concatenate([_placed(one, questions) for one in contrasts])
    tests = compare(found, effects_MQ, how.draws, how.rng)
    margin_M = margins(found, how.level)
    undecided_M = tests.max_t_M > 1 - how.level
    effect_M = found.mean_T / np.concatenate([_spread(one.scores_TSQ) for one in contrasts])
    needed = _needed(found, how, undecided_M, tests=len(undecided_M))
    ranges = [of_difference(one.possible) for one in contrasts for _ in one.scores_TSQ]
    for m, mean in enumerate(found.mean_T):
        yield {
            **around("difference", mean, margin_M[m], ranges[m]),
            "effect": effect_M[m],
            "p": tests.p_M[m], "p_holm": tests.holm_M[m], "p_max_t": tests.max_t_M[m],
            "verdict": UNDECIDED if undecided_M[m] else GAINS if mean > 0 else LOSES,
            **{name: needed_M[m] for name, needed_M in needed.items()},
        }  # fmt: skip


def _spread(scores_TSQ: Floats) -> Floats:
    """The standard deviation over questions of what seeds average to."""
    spread_T = scores_TSQ.mean(1).std(1, ddof=1)
    return np.where(spread_T > 0, spread_T, np.nan)


def _placed(contrasts: Contrasts, questions: tuple[str, ...]) -> Floats:
    """Puts a pair's questions among all, so that the mean over all is that over its own."""
    effects_TQ, own = contrasts.scores_TSQ.mean(1), contrasts.questions_Q
    if own == questions:
        return effects_TQ
    placed = np.zeros((len(effects_TQ), len(questions)))
    placed[:, np.searchsorted(questions, own)] = effects_TQ * len(questions) / len(own)
    return placed


def _joined(parts: list[Components]) -> Components:
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Components._fields
        if name != "seeds"
    }
    return Components(**joined, seeds=parts[0].seeds)


def _needed(
    found: Components, how: Certainty, undecided_T: NDArray[np.bool_], tests: int = 1
) -> dict[str, list[int | None]]:
    """How many seeds, or questions, would decide what is undecided: more than now. One seed tells
    nothing of how many would do. The level is Bonferroni's for so many tests."""
    asked_T = undecided_T & (found.seeds > 1)
    asked, level = found.where(asked_T), 1 - (1 - how.level) / tests
    seeds = np.maximum(seeds_needed(asked, level, how.power), found.seeds + 1)
    questions = np.maximum(questions_needed(asked, level, how.power), asked.questions_T + 1)
    needed = {}
    for name, numbers in zip(NEEDED, (seeds, questions), strict=True):
        needed_T = np.full(len(asked_T), np.nan)
        needed_T[asked_T] = numbers
        needed[name] = [int(one) if np.isfinite(one) else None for one in needed_T]
    return needed
