"""The rows of an answer's frames on scale: laws, whether the best alpha moves, and to where."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lingmix.analysis.curve_scores import ENTROPIES, ranges_of
from lingmix.analysis.frontier_rows import Row, bounded
from lingmix.analysis.inference.grid import Floats, Grid
from lingmix.analysis.inference.laws import Estimate, enough
from lingmix.analysis.inference.power_law import Sizes, sizes
from lingmix.analysis.inference.scaling import Scaling, scaling
from lingmix.analysis.preference import Preference
from lingmix.evaluation.metric_names import SETTINGS, UNBOUNDED, Range

UTILITY = "utility"

CURVE_POINTS, REACH = 25, 4
"""Laws are drawn up to `REACH` times the largest size, at as many points and the measured ones."""


class ScaleScores(NamedTuple):
    """Scores by setting over the scales of a group of runs, on the alphas and seeds of all."""

    alphas_A: Floats
    sizes: Sizes
    scores_ACSQ: Mapping[str, Floats]
    ranges: Mapping[str, Range]


def scale_scores(
    levels: Sequence[Mapping[str, Grid]],
    items: Sequence[int | None],
    preference: Preference,
    metric: str,
) -> ScaleScores | None:
    """Joins the grids of a scale each, by setting, and the numbers of items trained on; the
    scores are of the metric.

    None where the runs are of fewer than two scales, have not recorded the items, or share no
    alpha, seed or questions.
    """
    known = [number for number in items if number is not None]
    firsts = [next(iter(grids.values())) for grids in levels]
    if len({*known}) < max(2, len(items)) or len({grid.questions_Q for grid in firsts}) > 1:
        return None
    alphas = sorted(set.intersection(*({*grid.alphas_A} for grid in firsts)))
    seeds = sorted(set.intersection(*({*grid.seeds_S} for grid in firsts)))
    if not alphas or not seeds:
        return None
    scores = {
        name: np.stack([_chosen(grids[name], alphas, seeds) for grids in levels], axis=1)
        for name in set.intersection(*({*grids} for grids in levels))
    }
    ranges = ranges_of(scores, metric)
    if preference.floor is None and preference.applies(scores):
        scores[UTILITY] = preference.weighted(scores)
        ranges[UTILITY] = preference.range(ranges)
    added = [grid.scales_C[0] for grid in firsts]
    base = next(n - more for n, more in zip(known, added, strict=True) if more is not None)
    return ScaleScores(
        np.array(alphas), sizes([n - base for n in known], base=base), scores, ranges
    )


def scale_rows(
    scores: ScaleScores, *, level: float, draws: int, rng: np.random.Generator
) -> dict[str, list[Row]]:
    """The rows of `laws`, `law_curves`, `moves` and `best_alphas`."""
    rows: dict[str, list[Row]] = {name: [] for name in SCALE_FRAMES}
    for setting in (*SETTINGS, UTILITY, *ENTROPIES):
        if setting not in scores.scores_ACSQ:
            continue
        scores_ACSQ = scores.scores_ACSQ[setting]
        found = scaling(
            scores_ACSQ, scores.alphas_A, scores.sizes, level=level, draws=draws, rng=rng
        )
        for name, make in SCALE_FRAMES.items():
            made = make(found, scores.ranges[setting], setting in ENTROPIES)
            rows[name] += [{"setting": setting, **row} for row in made]
    return rows


def _laws(found: Scaling, possible: Range, lower_is_better: bool) -> Iterator[Row]:
    law, told = found.law, found.law.status == "converged"
    for a, alpha in enumerate(found.alphas_A):
        row: Row = {"alpha": alpha, "status": law.status}
        row |= _bounded("exponent", law.exponent if told else None)
        row |= _bounded("limit", law.limit(a) if told else None, possible)
        points = found.foretells and not lower_is_better  # an entropy has none
        scale = enough(law, a, found.sizes) if points else None
        row |= _bounded("enough", scale)
        yield row | {"miss": None if law.miss_R is None else law.miss_R[a]}


def _curves(found: Scaling, possible: Range, _: bool) -> Iterator[Row]:
    reach = REACH if found.foretells else 1
    measured_C = found.sizes.sizes_C
    between = np.geomspace(measured_C.min(), reach * measured_C.max(), CURVE_POINTS)
    for size in np.union1d(between, measured_C):
        measured = float(size <= measured_C.max())
        scale = size - found.sizes.base
        for a, alpha in enumerate(found.alphas_A):
            score = found.law.at(a, found.sizes.log_of(scale))
            row: Row = {"scale": round(scale), "alpha": alpha, "measured": measured}
            yield row | _bounded("score", score, possible)


def _moves(found: Scaling, _: Range, __: bool) -> Iterator[Row]:
    """A figure that no degree of freedom is left for is null."""
    if found.moves is not None:
        figures = found.moves._asdict().items()
        yield {name: value if np.isfinite(value) else None for name, value in figures}


def _best_alphas(found: Scaling, _: Range, lower_is_better: bool) -> Iterator[Row]:
    if found.joint is None:
        return
    measured_C = found.sizes.sizes_C
    foretold = [times * measured_C.max() for times in (2, REACH) if found.foretells]
    for size in (*measured_C, *foretold):
        scale = size - found.sizes.base
        row: Row = {"scale": round(scale), "measured": float(size in measured_C)}
        yield row | _bounded("best", found.best_alpha(scale, lowest=lower_is_better))


SCALE_FRAMES = {
    "laws": _laws,
    "law_curves": _curves,
    "moves": _moves,
    "best_alphas": _best_alphas,
}


def _bounded(name: str, estimate: Estimate | None, possible: Range = UNBOUNDED) -> Row:
    value, low, high = estimate or (np.nan,) * 3
    return bounded(name, value, low, high, possible)


def _chosen(grid: Grid, alphas: Sequence[float], seeds: Sequence[int]) -> Floats:
    """ASQ, of a grid of one scale."""
    rows = [grid.alphas_A.index(alpha) for alpha in alphas]
    columns = [grid.seeds_S.index(seed) for seed in seeds]
    return grid.scores_ACSQ[np.ix_(rows, [0], columns)][:, 0]
