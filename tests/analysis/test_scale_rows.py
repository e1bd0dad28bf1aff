"""Frames and sentences on scale, of grids that follow a law but for little noise."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from lingmix.analysis.answer import Answer
from lingmix.analysis.inference.grid import Grid
from lingmix.analysis.preference import Preference
from lingmix.analysis.scale_rows import SCALE_FRAMES, scale_rows, scale_scores
from lingmix.analysis.scale_words import scale_not_found, scale_said

ALPHAS, SCALES, SEEDS, QUESTIONS, BASE = (
    (0.0, 0.25, 0.5, 0.75, 1.0),
    (0, 500, 1500, 3500),
    3,
    40,
    500,
)
EVEN = Preference(monolingual=1, crosslingual=1, multilingual=0, language_preference=0, floor=None)


def level(scale, *, tilt, rng, alphas=ALPHAS, seeds=SEEDS):
    """Twice the data lose half of the drop: the exponent is 1, the best alpha's limit at .5."""
    alphas_A = np.array(alphas)
    drop_A = 0.2 * (1 + tilt * alphas_A) * BASE / (BASE + scale)
    mean_A = 0.7 - 0.2 * (alphas_A - 0.5) ** 2 - drop_A
    noise_ASQ = 0.002 * rng.standard_normal((len(alphas), seeds, QUESTIONS))
    scores_ACSQ = (mean_A[:, None, None] + noise_ASQ)[:, None]
    named = tuple(map(str, range(QUESTIONS)))
    grid = Grid(alphas, (scale,), tuple(range(seeds)), named, scores_ACSQ)
    return {"monolingual": grid, "crosslingual": grid}


def frames_of(scales=SCALES, *, tilt=0.0, items=None, **design):
    rng = np.random.default_rng(0)
    levels = [level(scale, tilt=tilt, rng=rng, **design) for scale in scales]
    scores = scale_scores(levels, items or [BASE + scale for scale in scales], EVEN, "map")
    rows = scale_rows(scores, level=0.95, draws=200, rng=rng)
    return {name: pl.DataFrame(rows[name]) for name in SCALE_FRAMES}


def sentences(frames):
    empty = pl.DataFrame({"scale": [0, 500]})
    others = dict.fromkeys({*Answer.__annotations__} - {*frames}, empty)
    answer = Answer(**others | frames | {"level": 0.95})
    return " ".join(scale_said(answer)), " ".join(scale_not_found(answer))


def test_the_law_of_each_setting_is_told():
    laws = frames_of()["laws"]
    assert laws["setting"].unique().sort().to_list() == ["crosslingual", "monolingual", "utility"]
    assert set(laws["status"]) == {"converged"}
    half = laws.filter(setting="utility", alpha=0.5).row(0, named=True)
    assert half["exponent_low"] < 1 < half["exponent_high"]
    assert half["limit"] == pytest.approx(0.7, abs=0.01)
    # from size n to 2n the score rises by .2 * 500 / 2n, a point at 5000, of which 500 are base
    assert half["enough"] == pytest.approx(4500, rel=0.1)
    assert abs(half["miss"]) < 0.01


def test_entropy_falls_to_its_limit_and_its_best_alpha_is_that_of_the_lowest():
    """Two less the score: the same law upside down, and the same best alpha."""
    rng = np.random.default_rng(0)
    levels = []
    for scale in SCALES:
        grids = level(scale, tilt=1.0, rng=rng)
        entropy = grids["monolingual"]._replace(scores_ACSQ=2 - grids["monolingual"].scores_ACSQ)
        levels.append(grids | {"monolingual_contrastive_entropy": entropy})
    scores = scale_scores(levels, [BASE + scale for scale in SCALES], EVEN, "map")
    rows = scale_rows(scores, level=0.95, draws=200, rng=rng)
    frames = {name: pl.DataFrame(rows[name]) for name in SCALE_FRAMES}
    of_entropy = {
        name: one.filter(setting="monolingual_contrastive_entropy") for name, one in frames.items()
    }
    half = of_entropy["laws"].filter(alpha=0.5).row(0, named=True)
    assert half["limit"] == pytest.approx(1.3, abs=0.01)
    assert half["enough"] is None
    best = of_entropy["best_alphas"].filter(scale=500).row(0, named=True)
    assert best["best"] == pytest.approx(0.25, abs=0.02)
    said, _ = sentences(frames)
    assert "Monolingual contrastive entropy approaches a limit by a power law" in said
    assert "best alpha of preferred scores" in said


def test_laws_are_drawn_beyond_the_largest_scale():
    curve = frames_of()["law_curves"].filter(setting="utility", alpha=0.5)
    assert curve["scale"].max() == 4 * 4000 - BASE
    assert all(a < b for a, b in pairwise(curve["score"]))


def test_a_best_alpha_that_moves_is_found_and_one_that_does_not_is_not():
    said, not_found = sentences(frames_of(tilt=1.0))
    assert "scores moves with scale (p below .01)" in said
    assert "moves" not in not_found
    said, not_found = sentences(frames_of(tilt=0.0))
    assert "Preferred scores approach a limit by a power law" in said
    assert "That the best alpha of preferred scores moves with scale (p " in not_found


def test_the_best_alpha_of_a_scale_is_that_of_the_law():
    best = frames_of(tilt=1.0)["best_alphas"].filter(setting="utility")
    # -.4 (alpha - .5) = .2 * 500 / size: .25 less at size 1000, .03125 less at twice the largest
    at = {row["scale"]: row for row in best.iter_rows(named=True)}
    assert at[500]["best"] == pytest.approx(0.25, abs=0.01)
    assert at[7500]["best"] == pytest.approx(0.46875, abs=0.01)
    assert (at[500]["measured"], at[7500]["measured"]) == (1, 0)


def test_two_scales_tell_no_exponent_but_whether_the_best_alpha_moves():
    frames = frames_of(scales=(0, 1500), tilt=1.0)
    assert frames["laws"]["exponent"].null_count() == frames["laws"].height
    assert frames["best_alphas"]["scale"].to_list() == [0, 1500] * 3  # none is foretold
    assert frames["law_curves"]["scale"].max() == 1500
    assert frames["laws"]["enough"].null_count() == frames["laws"].height
    said, not_found = sentences(frames)
    assert "the exponent of a power law is not identifiable" in not_found
    assert "The best alpha of preferred scores moves with scale" in said


def test_one_seed_is_tested_by_f_and_not_at_all_where_it_has_no_degree_of_freedom():
    moves = frames_of(seeds=1, tilt=1.0)["moves"]
    assert moves["p"].to_list() == moves["p_f"].to_list()
    assert max(moves["p"]) < 0.01
    few = frames_of(scales=(0, 500), seeds=1, alphas=ALPHAS[::2])
    assert few["moves"]["p"].null_count() == 3
    assert "moves" not in " ".join(sentences(few))


@pytest.mark.parametrize("items", [[None, 2000], [None, None]])
def test_runs_that_have_not_recorded_their_items_have_no_law(items):
    levels = [level(scale, tilt=0, rng=np.random.default_rng(0)) for scale in (0, 1500)]
    assert scale_scores(levels, items, EVEN, "map") is None
    _, not_found = sentences(dict.fromkeys(SCALE_FRAMES, pl.DataFrame()))
    assert "have not recorded how many items they trained on" in not_found


def test_scales_are_compared_on_the_alphas_that_all_have():
    rng = np.random.default_rng(0)
    levels = [level(0, tilt=0, rng=rng), level(500, tilt=0, rng=rng, alphas=ALPHAS[1:4])]
    assert scale_scores(levels, [500, 1000], EVEN, "map").alphas_A.tolist() == [0.25, 0.5, 0.75]
