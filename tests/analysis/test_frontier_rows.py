"""No interval holds a score that cannot be."""

import math

import numpy as np
import polars as pl
import pytest

from lingmix.analysis.curve_scores import CurveScores
from lingmix.analysis.exchange_words import exchange_not_found, exchange_said
from lingmix.analysis.frontier_rows import (
    around,
    exchange_rows,
    frontier_rows,
    hypervolume_rows,
    region_rows,
)
from lingmix.analysis.inference.crossed import resampled
from lingmix.analysis.inference.grid import Floats, Grid
from lingmix.analysis.metric_columns import range_of
from lingmix.analysis.preference import Preference
from lingmix.evaluation.metric_names import CONTRASTIVE_ENTROPY, SHARE, UNBOUNDED, Range

EVEN = Preference(monolingual=1, crosslingual=1, multilingual=0, language_preference=0, floor=None)


def curve(possible: Range) -> CurveScores:
    """Two seeds a tenth apart near the ends of the range: intervals have one degree of freedom."""
    seed_S = np.array([-0.05, 0.05])

    def grid(*means: float) -> Grid:
        scores_ACSQ = np.array(means)[:, None, None, None] + np.tile(seed_S[:, None], (1, 1, 1, 4))
        return Grid((0.0, 1.0), (None,), (1, 2), tuple("abcd"), scores_ACSQ)

    grids = {"monolingual": grid(0.5, 0.94), "crosslingual": grid(0.5, 0.06)}
    found = resampled([*grids.values()], 200, np.random.default_rng(0))
    draws = dict(zip(grids, found, strict=True))
    return CurveScores(
        scale=None,
        runs=None,
        grids=grids,
        pairs={},
        means={name: one.mean_AC[:, 0] for name, one in draws.items()},
        draws={name: one.means_NAC[..., 0] for name, one in draws.items()},
        ranges=dict.fromkeys(grids, possible),
    )


def bounds(possible: Range) -> Floats:
    """The least and the greatest bound of the frontier and of the region."""
    rows = [*frontier_rows(curve(possible), EVEN, 0.95), *region_rows(curve(possible), 0.95)]
    names = [f"{n}{end}" for n in ("monolingual", "crosslingual") for end in ("_low", "_high")]
    known = [row[name] for row in rows for name in names if row.get(name) is not None]
    return np.array([min(known), max(known)])


def test_what_is_possible_of_an_interval_by_hand() -> None:
    assert around("score", 0.9, 0.3, SHARE) == pytest.approx(
        {"score": 0.9, "score_low": 0.6, "score_high": 1.0}
    )
    assert around("score", -3.0, 0.5, UNBOUNDED)["score_low"] == -3.5


def test_intervals_and_the_region_of_a_share_are_within_it_and_others_are_not_clipped() -> None:
    assert bounds(SHARE).tolist() == [0, 1]
    low, high = bounds(UNBOUNDED)
    assert low < -0.15
    assert high > 1.15
    [row] = hypervolume_rows(curve(SHARE), 0.95)
    assert row["hypervolume_high"] <= 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (0.40, "each cross-lingual point gained costs 2.00 monolingual points (1.12 to 9.26)"),
        (0.50, "cannot be told, as the cross-lingual gain itself, +.100 (+.002 to +.198), may be "
         "nearly 0; the monolingual loss is +.200 (+.200 to +.200)."),
        (0.52, "as the cross-lingual gain itself, +.100 (−.002 to +.202), may be 0;"),
    ],
)  # fmt: skip
def test_a_rate_is_told_while_a_tenth_of_the_gain_is_sure(error: float, words: str) -> None:
    """One seed, two questions: paid is .2 and gained .1, by 1.96 times a tenth of the error."""

    def grid(smallest: list[float], largest: list[float]) -> Grid:
        scores_ACSQ = np.array([[[smallest]], [[largest]]])
        return Grid((0.0, 1.0), (None,), (1,), ("a", "b"), scores_ACSQ)

    grids = {
        "monolingual": grid([0.5, 0.5], [0.7, 0.7]),
        "crosslingual": grid([0.6 - error / 10, 0.6 + error / 10], [0.5, 0.5]),
    }
    means = {name: one.means[:, 0] for name, one in grids.items()}
    ranges = dict.fromkeys(grids, SHARE)
    given = CurveScores(None, None, grids, {}, means, {}, ranges)
    rows = pl.DataFrame([*exchange_rows(given, 0.95)])
    assert words in " ".join([*exchange_said(rows), *exchange_not_found(rows)])


def test_ranges_are_known_by_metric() -> None:
    assert range_of("map") == range_of("ndcg_at_10") == range_of("language_preference") == (0, 1)
    assert range_of("same_language_preference") == (-1, 1)
    assert range_of("rank_distance") == range_of("max_rank") == (1, math.inf)
    assert range_of(CONTRASTIVE_ENTROPY) == range_of("of_my_own") == UNBOUNDED


def test_the_range_of_a_preference_is_that_of_the_weighted_mean() -> None:
    """(3 x monolingual - language preference) / 4."""
    preference = Preference(
        monolingual=3, crosslingual=0, multilingual=0, language_preference=-1, floor=None
    )
    ranges = dict.fromkeys(("monolingual", "language_preference"), SHARE)
    assert preference.range(ranges) == (-0.25, 0.75)
