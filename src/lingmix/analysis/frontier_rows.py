"""The rows of an answer's frames on the trade-off between monolingual and cross-lingual scores."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from lingmix.analysis.curve_scores import CurveScores
from lingmix.analysis.inference.components import components, margins
from lingmix.analysis.inference.crossed import interval
from lingmix.analysis.inference.frontier import attained, exchange_rate, hypervolume, on_front
from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.preference import Preference
from lingmix.evaluation.metric_names import UNBOUNDED, Range

Row = dict[str, Any]
AXES = ("monolingual", "crosslingual")
"""What is traded."""

REGION_POINTS = 41

SURE_GAIN = 0.1
"""A rate is told where more than this share of what seems to be gained is gained for certain.
Nearer to Fieller's pole its interval is all but unbounded."""


def frontier_rows(curve: CurveScores, preference: Preference, level: float) -> Iterator[Row]:
    front_A, best_A = _probabilities(curve, preference)
    scores = {name: grid.scores_ACSQ[:, 0] for name, grid in curve.grids.items()}
    ranges = dict(curve.ranges)
    kept_A = np.zeros(len(curve.alphas), np.bool_)
    if preference.applies(scores):
        scores["utility"] = preference.weighted(scores)
        ranges["utility"] = preference.range(ranges)
        kept_A = np.isfinite(preference.utility(curve.means))
    found = {name: components(scores_ASQ) for name, scores_ASQ in scores.items()}
    margin = {name: margins(one, level) for name, one in found.items()}
    for a, alpha in enumerate(curve.alphas):
        row = {"scale": curve.scale, "alpha": alpha, "seeds": len(curve.first.seeds_S)}
        row |= {"questions": len(curve.first.questions_Q), "front": front_A[a], "best": best_A[a]}
        row |= bounded("utility", np.nan, np.nan, np.nan)
        for name in scores if kept_A[a] else curve.means:
            mean = found[name].mean_T[a]
            row |= around(name, mean, margin[name][a], ranges[name])
        yield row


def pair_rows(curve: CurveScores, level: float) -> Iterator[Row]:
    settings = curve.runs.pairs
    for pair, grid in curve.pairs.items():
        found = components(grid.scores_ACSQ[:, 0])
        bounds = zip(curve.alphas, found.mean_T, margins(found, level), strict=True)
        for alpha, mean, margin in bounds:
            place = {"scale": curve.scale, "pair": pair, "setting": settings[pair], "alpha": alpha}
            yield place | around("score", mean, margin, curve.ranges[settings[pair]])


def region_rows(curve: CurveScores, level: float) -> Iterator[Row]:
    if not {*AXES} <= {*curve.means}:
        return
    points_A2, points_NA2 = _points(curve, possible=True)
    low, high = interval(points_NA2[..., 0], level)
    first_G = np.linspace(low.min(), high.max(), REGION_POINTS)
    mean_G = attained(points_A2[None], first_G)[0]
    low_G, high_G = interval(attained(points_NA2, first_G), level)
    for g, first in enumerate(first_G):
        yield {"scale": curve.scale, "monolingual": first} | bounded(
            "crosslingual", mean_G[g], low_G[g], high_G[g]
        )


def hypervolume_rows(curve: CurveScores, level: float) -> Iterator[Row]:
    if {*AXES} <= {*curve.means}:
        points_A2, points_NA2 = _points(curve, possible=True)
        low, high = interval(hypervolume(points_NA2), level)
        yield {"scale": curve.scale} | bounded("hypervolume", hypervolume(points_A2), low, high)


def exchange_rows(curve: CurveScores, level: float) -> Iterator[Row]:
    if not {*AXES} <= {*curve.means}:
        return
    mono_ASQ, cross_ASQ = (curve.grids[axis].scores_ACSQ[:, 0] for axis in AXES)
    for a in range(len(curve.alphas) - 1, 0, -1):
        paid_SQ, gained_SQ = mono_ASQ[a] - mono_ASQ[a - 1], cross_ASQ[a - 1] - cross_ASQ[a]
        found = components(np.stack([paid_SQ, gained_SQ]))
        step = {"alpha_from": curve.alphas[a], "alpha_to": curve.alphas[a - 1]}
        row: Row = {"scale": curve.scale, **step}
        for name, mean, margin in zip(
            ("paid", "gained"), found.mean_T, margins(found, level), strict=True
        ):
            row |= around(name, mean, margin, of_difference(curve.ranges[AXES[0]]))
        bounds = exchange_rate(paid_SQ, gained_SQ, level)
        told = bounds is not None and row["gained_low"] > SURE_GAIN * row["gained"]
        rate = (found.mean_T[0] / found.mean_T[1], *bounds) if bounds and told else (np.nan,) * 3
        yield row | bounded("rate", *rate)


def _probabilities(curve: CurveScores, preference: Preference) -> tuple[Floats, Floats]:
    """Of being on the front, and of being the best by the preference; NaN where unmeasured."""
    front_A = best_A = np.full(len(curve.alphas), np.nan)
    if {*AXES} <= {*curve.means}:
        front_A = on_front(_points(curve)[1]).mean(0)
    if preference.applies(curve.means):
        best_N = preference.utility(curve.draws).argmax(-1)
        best_A = np.bincount(best_N, minlength=len(curve.alphas)) / len(best_N)
    return front_A, best_A


def _points(curve: CurveScores, *, possible: bool = False) -> tuple[Floats, Floats]:
    """The means and the draws, clipped where only `possible` scores are wanted."""
    draws_NA2 = np.stack([curve.draws[axis] for axis in AXES], -1)
    if possible:
        draws_NA2 = np.clip(draws_NA2, *curve.ranges[AXES[0]])
    return np.stack([curve.means[axis] for axis in AXES], -1), draws_NA2


def of_difference(scores: Range) -> Range:
    low, high = scores
    return low - high, high - low


def around(name: str, mean: float, margin: float, possible: Range) -> Row:
    """Names a mean and the bounds of its interval, without what no score can be."""
    return bounded(name, mean, mean - margin, mean + margin, possible)


def bounded(name: str, value: Any, low: Any, high: Any, possible: Range = UNBOUNDED) -> Row:
    """Names a value and the bounds of its interval, clipped to what is possible; None where
    unknown."""
    names = (name, f"{name}_low", f"{name}_high")
    named = dict(zip(names, np.clip([value, low, high], *possible), strict=True))
    return {key: float(one) if np.isfinite(one) else None for key, one in named.items()}
