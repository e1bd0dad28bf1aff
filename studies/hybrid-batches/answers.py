"""Every number and the figure of the text, from the scores; `studies/rebuild.py` writes them."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import altair as alt
import numpy as np
import polars as pl
from scipy import stats

from lingmix.analysis.inference.crossed import interval, resampled
from lingmix.analysis.inference.grid import Grid
from lingmix.analysis.table import TextTable, ranged, score, signed, text_table

HERE = Path(__file__).parent
RUNS = pl.read_parquet(HERE / "scores" / "runs.parquet")
QUESTIONS = pl.read_parquet(HERE / "scores" / "questions.parquet")
PLANTED = pl.read_csv(HERE / "scores" / "planted.csv")
PLAIN, CENTRED = "xquad_r", "xquad_r-centered"
SETTINGS = ("monolingual", "crosslingual", "multilingual")
BIAS = (
    "rank_distance",
    "share_gap",
    "same_language_preference",
    "same_language_excess",
    "max_rank",
    "complete_at_20",
    "rank_correlation_at_10",
    "language_preference",
)
BATCHES = {"monolingual": "language pairs mixed", "True": "one language pair"}
"""By `sampler.homogeneous`."""
LEVEL, DRAWS = 0.95, 20_000
UNTRAINED = 2.0
"""Stands for the encoder as it comes, among alphas."""


class Difference(NamedTuple):
    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return ranged({"": self.mean, "_low": self.low, "_high": self.high}, "", number=signed)

    @property
    def told(self) -> bool:
        return self.low > 0 or self.high < 0


def blocks() -> dict[str, TextTable]:
    return {
        "planted": planted(),
        "levels": levels(),
        "bias": bias(),
        "centring": centring(),
        "pairs": pairs(),
        "negatives": negatives(),
        "mixing": mixing(),
        "adaptive": adaptive(),
    }


def planted() -> TextTable:
    """How often the design of question (a) would tell, by seeds."""
    rows = [
        [row["law"], row["seeds"], score(row["rejected"]), score(row["held"])]
        for row in PLANTED.iter_rows(named=True)
    ]
    head = ("planted law", "seeds", "additive law rejected", "interval of the best alpha holds it")
    return table_of(head, rows)


def levels() -> TextTable:
    rows = [
        [
            said(row),
            row["runs"],
            *(score(row[s]) for s in SETTINGS),
            score(row["rank_distance"], 0),
        ]
        for row in means().iter_rows(named=True)
    ]
    return table_of(
        ("", "runs", "monolingual", "cross-lingual", "multilingual", "rank distance"), rows
    )


def bias() -> TextTable:
    rows = [
        [said(row), *(score(row[b], 1 if abs(row[b]) > 10 else 3) for b in BIAS)]
        for row in means().iter_rows(named=True)
    ]
    return table_of(("", *(name.replace("_", " ") for name in BIAS)), rows)


def means() -> pl.DataFrame:
    of_study = RUNS.filter(pl.col("study") == "hybrid_centring")
    keys = ["set", "alpha"]
    mean = of_study.group_by(keys).agg(pl.len().alias("runs"), pl.col(*SETTINGS, *BIAS).mean())
    return mean.sort("set", pl.col("alpha").fill_null(9), descending=[False, True])


def centring() -> TextTable:
    """Multilingual mAP: what training gains, plain and centred, by question and seed; all intervals
    of a block hold together (Bonferroni)."""
    grids = {name: grid(name, "multilingual") for name in (PLAIN, CENTRED)}
    first = grids[PLAIN]
    drawn = resampled([*grids.values()], DRAWS, np.random.default_rng(0))
    at = {(name, a): n for n, (name, a) in enumerate((s, a) for s in grids for a in first.alphas_A)}
    mean_T = np.concatenate([one.mean_AC[:, 0] for one in drawn])
    mean_NT = np.concatenate([one.means_NAC[..., 0] for one in drawn], axis=1)
    asked = {
        f"{alpha_name(a)}, centring instead of none": ((CENTRED, a), (PLAIN, a))
        for a in first.alphas_A
    }
    for name, words in ((PLAIN, "plain"), (CENTRED, "centred")):
        for of, instead in combinations(sorted(first.alphas_A, reverse=True), 2):
            asked[f"{words}, {alpha_name(instead)} instead of {alpha_name(of)}"] = (
                (name, instead),
                (name, of),
            )
    rows = []
    for words, (one, other) in asked.items():
        values_N = mean_NT[:, at[one]] - mean_NT[:, at[other]]
        low, high = interval(values_N, 1 - (1 - LEVEL) / len(asked))
        found = Difference(mean_T[at[one]] - mean_T[at[other]], float(low), float(high))
        rows.append([words, str(found), verdict(found, first.seeds_S)])
    head = (
        f"multilingual mAP; {len(first.seeds_S)} seed(s), {len(first.questions_Q)} questions",
        "difference",
        "",
    )
    return table_of(head, rows)


def verdict(found: Difference, seeds: Sequence[int]) -> str:
    if not found.told:
        return "cannot be told"
    return "told" if len(seeds) > 1 else "told over questions, not seeds"


def pairs() -> TextTable:
    """What each language pair gains over the encoder as it comes, at the first alpha trained."""
    alphas = trained_alphas()
    names = QUESTIONS["pair"].drop_nulls().unique().sort().to_list()
    rows = []
    for pair in names:
        row = [pair]
        for alpha in alphas:
            one = grid(PLAIN, None, pair)
            (drawn,) = resampled([one], DRAWS, np.random.default_rng(0))
            a, b = one.alphas_A.index(alpha), one.alphas_A.index(UNTRAINED)
            low, high = interval(
                drawn.means_NAC[:, a, 0] - drawn.means_NAC[:, b, 0],
                1 - (1 - LEVEL) / (len(names) * len(alphas)),
            )
            mean = drawn.mean_AC[a, 0] - drawn.mean_AC[b, 0]
            row.append(str(Difference(float(mean), float(low), float(high))))
        rows.append(row)
    return table_of(("pair", *(f"{alpha_name(a)} instead of none" for a in alphas)), rows)


def negatives() -> TextTable:
    """Multilingual mAP with the mask of false negatives less that without it, paired by seed."""
    runs = RUNS.filter(pl.col("study") == "hybrid_negatives")
    cells = runs.group_by("homogeneous", "alpha").len().sort("homogeneous", "alpha")
    rows = []
    for homogeneous, alpha in cells.select("homogeneous", "alpha").rows():
        cell = runs.filter(homogeneous=homogeneous, alpha=alpha)
        masked, unmasked = (
            dict(cell.filter(mask=mask).select("seed", "multilingual").rows())
            for mask in ("True", "False")
        )
        shared = sorted(masked.keys() & unmasked.keys())
        if shared:
            differences = np.array([masked[seed] - unmasked[seed] for seed in shared])
            rows.append(
                [
                    BATCHES[homogeneous],
                    f"{alpha:g}",
                    len(shared),
                    score(float(np.mean([masked[seed] for seed in shared]))),
                    paired(differences, cells.height, digits=4),
                ]
            )
    return table_of(("cross-lingual batches", "alpha", "seeds", "masked", "masked less not"), rows)


def mixing() -> TextTable:
    """Multilingual mAP of one language pair a batch less that of pairs mixed, with the mask."""
    runs = RUNS.filter(pl.col("study") == "hybrid_negatives", pl.col("mask") == "True")
    alphas = runs["alpha"].unique().sort()
    rows = []
    for alpha in alphas:
        one, mixed = (
            dict(runs.filter(homogeneous=kind, alpha=alpha).select("seed", "multilingual").rows())
            for kind in ("True", "monolingual")
        )
        shared = sorted(one.keys() & mixed.keys())
        differences = np.array([one[seed] - mixed[seed] for seed in shared])
        rows.append([f"{alpha:g}", len(shared), paired(differences, len(alphas), digits=4)])
    return table_of(("alpha", "seeds", "one language pair a batch less pairs mixed"), rows)


def adaptive() -> TextTable:
    """The mean of four scores, of both settings on both sets; adaptive less constant, by seed."""
    mean_of_four = pl.mean_horizontal("monolingual", "crosslingual").mean().alias("score")
    of_run = (
        RUNS.filter(pl.col("study") == "hybrid_adaptive")
        .group_by("sampler", "alpha", "seed")
        .agg(mean_of_four, pl.len())
        .filter(pl.col("len") == 2)
    )
    moving = dict(of_run.filter(pl.col("sampler") == "adaptive").select("seed", "score").rows())
    constant = of_run.filter(pl.col("sampler") == "constant")
    alphas = constant["alpha"].unique().sort(descending=True)
    rows = []
    for alpha in alphas:
        scores = dict(constant.filter(pl.col("alpha") == alpha).select("seed", "score").rows())
        shared = sorted(scores.keys() & moving.keys())
        differences = np.array([moving[seed] - scores[seed] for seed in shared])
        rows.append(
            [f"{alpha:g}", len(scores), score(float(np.mean([*scores.values()])))]
            + ([len(shared), paired(differences, len(alphas))] if shared else [0, "-"])
        )
    if moving:
        mean = score(float(np.mean([*moving.values()])))
        rows.append(["adaptive", len(moving), mean, "", ""])
    return table_of(("alpha", "seeds", "score", "seeds shared", "adaptive less constant"), rows)


def paired(differences: np.ndarray, comparisons: int, digits: int = 3) -> str:
    mean = signed(float(differences.mean()), digits)
    if len(differences) == 1:
        return f"{mean}, one seed: cannot be told"
    level = 1 - (1 - LEVEL) / comparisons
    low, high = stats.ttest_1samp(differences, 0).confidence_interval(level)
    return f"{mean} ({signed(float(low), digits)} to {signed(float(high), digits)})"


def trained_alphas() -> list[float]:
    return sorted(QUESTIONS["alpha"].drop_nulls().unique(), reverse=True)


def grid(set_name: str, setting: str | None, pair: str | None = None) -> Grid:
    """Scores by alpha, seed and question. The encoder as it comes has no seed: it stands with the
    same scores beside each."""
    chosen = QUESTIONS.filter(pl.col("set") == set_name)
    chosen = chosen.filter(pl.col("pair") == pair) if pair else chosen.filter(setting=setting)
    runs = chosen.group_by("alpha", "seed", "question").agg(pl.col("score").mean())
    seeds_of = runs.drop_nulls("seed").group_by("alpha").agg(pl.col("seed").unique())["seed"]
    seeds = sorted(set.intersection(*map(set, seeds_of))) or [0]
    alphas = trained_alphas()
    questions = runs["question"].unique().sort().to_list()

    def scores(alpha: float, seed: int) -> np.ndarray:
        part = (
            runs.filter(pl.col("alpha").is_null())
            if alpha == UNTRAINED
            else runs.filter(alpha=alpha, seed=seed)
        )
        return part.sort("question")["score"].to_numpy()

    every = (*alphas, UNTRAINED)
    scores_ACSQ = np.stack([np.stack([scores(a, s) for s in seeds])[None] for a in every])
    return Grid(every, (None,), tuple(seeds), tuple(questions), scores_ACSQ.astype(float))


def front() -> alt.Chart:
    """Cross-lingual against monolingual mAP, with a region that holds the means with 95%."""
    grids = [grid(PLAIN, setting) for setting in ("monolingual", "crosslingual")]
    mono, cross = resampled(grids, DRAWS, np.random.default_rng(0))
    points, outlines = [], []
    for n, alpha in enumerate(grids[0].alphas_A):
        name = alpha_name(alpha)
        centre = np.array([mono.mean_AC[n, 0], cross.mean_AC[n, 0]])
        points.append({"which": name, "monolingual": centre[0], "cross-lingual": centre[1]})
        drawn_N2 = np.stack([mono.means_NAC[:, n, 0], cross.means_NAC[:, n, 0]], axis=1)
        for order, (x, y) in enumerate(_ellipse(centre, drawn_N2)):
            outlines.append({"which": name, "monolingual": x, "cross-lingual": y, "order": order})
    x = alt.X("monolingual:Q", scale=alt.Scale(zero=False), title="monolingual mAP")
    y = alt.Y("cross-lingual:Q", scale=alt.Scale(zero=False), title="cross-lingual mAP")
    colour = alt.Color("which:N", title=None)
    dots = alt.Chart(alt.Data(values=_rounded(points))).mark_point(filled=True, size=60)
    lines = alt.Chart(alt.Data(values=_rounded(outlines))).mark_line(strokeWidth=1)
    return (
        lines.encode(x=x, y=y, color=colour, order="order:O") + dots.encode(x=x, y=y, color=colour)
    ).properties(width=420, height=300, title="E5 small on XQuAD-R in ar, en, zh; 95% regions")


def _ellipse(centre: np.ndarray, drawn_N2: np.ndarray, corners: int = 60) -> np.ndarray:
    """The ellipse of the draws' covariance that holds `LEVEL` of them."""
    apart_N2 = drawn_N2 - centre
    values, vectors = np.linalg.eigh(np.cov(apart_N2.T))
    root = vectors * np.sqrt(np.maximum(values, 1e-18))
    radius = np.quantile(np.linalg.norm(apart_N2 @ np.linalg.inv(root).T, axis=1), LEVEL)
    turn = np.linspace(0, 2 * np.pi, corners)
    return centre + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1) @ root.T


def _rounded(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    return [
        {
            key: round(float(v), 5) if isinstance(v, float | np.floating) else v
            for key, v in row.items()
        }
        for row in rows
    ]


def said(row: dict[str, object]) -> str:
    plain = "" if row["set"] == PLAIN else ", centred"
    return ("as it comes" if row["alpha"] is None else f"alpha {row['alpha']:g}") + plain


def alpha_name(alpha: float) -> str:
    return "no training" if alpha == UNTRAINED else f"alpha {alpha:g}"


def table_of(head: Sequence[str], rows: Sequence[Sequence[object]]) -> TextTable:
    return text_table(tuple(head), (map(str, row) for row in rows))


def figures() -> dict[str, alt.Chart]:
    return {"front.svg": front()}
