"""Comparable runs and their scores, ranking by ranking, as one array."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from lingmix.analysis.groups import keys
from lingmix.analysis.inference.grid import Floats, Grid, complete_axes
from lingmix.errors import InputError

RANKING = ["setting", "pair", "language", "question"]
"""Columns that name a ranking: its query has a language, and a pair where the corpus has one."""


class ScoredRuns(NamedTuple):
    """R runs with `alpha`, `scale` and `seed`, and their scores of the same N rankings."""

    runs: pl.DataFrame
    rankings: pl.DataFrame
    scores_RN: NDArray[np.float32]

    def grid(self, setting: str, pair: str | None = None) -> Grid:
        """Returns a setting's scores, or a language pair's, as a full design.

        A question's score is what it adds to the macro average: where each language has every
        question, its mean over languages or pairs. The mean over questions is the macro average,
        and a question that the setting lacks adds nothing to it.
        """
        of_setting = self.rankings["setting"].cast(pl.String) == setting
        chosen_N = of_setting if pair is None else of_setting & (self.rankings["pair"] == pair)
        rankings = self.rankings.filter(chosen_N)
        if rankings.is_empty():
            raise InputError(f"no run has {pair or setting} scores of its queries")
        cells = self.runs.select("alpha", "scale", "seed").rows()
        axes = complete_axes(cells)
        position = {cell: row for row, cell in enumerate(cells)}
        shape = len(axes.alphas), len(axes.scales), len(axes.seeds)
        rows = [position[a, c, s] for a in axes.alphas for c in axes.scales for s in axes.seeds]
        scores_RN = self.scores_RN[rows][:, chosen_N.to_numpy()]
        asked = self.rankings if pair is None else rankings
        questions = tuple(asked["question"].unique().sort().to_list())
        scores_RQ = _macro(rankings, scores_RN, questions)
        return Grid(
            axes.alphas, axes.scales, axes.seeds, questions,
            scores_RQ.reshape(*shape, len(questions)), axes.left_out,
        )  # fmt: skip

    @property
    def pairs(self) -> dict[str, str]:
        """The setting of each language pair."""
        pairs = self.rankings.select(pl.col("pair", "setting").cast(pl.String)).drop_nulls()
        return dict(pairs.unique().sort("pair").rows())


def grid(frame: pl.LazyFrame, *, setting: str, pair: str | None = None) -> Grid:
    """Returns the full design of a table of `question_scores` of one set and one group of runs.

    Raises InputError where its rows are of several sets or groups: filter it first.
    """
    chosen = frame.filter(pl.col("setting") == setting)
    if pair is not None:
        chosen = chosen.filter(pl.col("pair") == pair)
    table = chosen.collect(engine="streaming")
    of_run = ["set", *keys(table), "scale", "alpha", "seed", "run_id"]
    runs = table.select(of_run).unique(maintain_order=True)
    for column in ("set", *keys(table)):
        if column in runs.columns and runs.n_unique(["scale", column]) > runs["scale"].n_unique():
            values = ", ".join(map(str, runs[column].unique().sort()))
            raise InputError(
                f"{column}: the runs differ in it ({values}); filter the table to one of them"
            )
    parts = table.select("run_id", *RANKING, "score").partition_by(
        "run_id", as_dict=True, include_key=False
    )
    scores = ((run_id, parts[run_id,]) for run_id in runs["run_id"])
    return scored_runs(runs, scores).grid(setting, pair)


def scored_runs(runs: pl.DataFrame, scores: Iterable[tuple[str, pl.DataFrame]]) -> ScoredRuns:
    """Puts the scores of runs by id, tables of rankings and their score, into one array.

    Raises InputError where two runs have scores of different rankings, or no run has any.
    """
    rankings: pl.DataFrame | None = None
    rows = {}
    for run_id, part in scores:
        found = part.drop("score")
        rankings = found if rankings is None else rankings
        same = part if rankings.equals(found) else _in_order(rankings, part, run_id)
        rows[run_id] = same["score"].to_numpy()
    if rankings is None:
        raise InputError("none of the runs to compare has scores of its queries")
    kept = runs.filter(pl.col("run_id").is_in([*rows]))
    return ScoredRuns(kept, rankings, np.stack([rows[run_id] for run_id in kept["run_id"]]))


def _in_order(rankings: pl.DataFrame, part: pl.DataFrame, run_id: str) -> pl.DataFrame:
    found = rankings.join(
        part, on=rankings.columns, how="left", nulls_equal=True, maintain_order="left"
    )
    if part.height != rankings.height or found["score"].has_nulls():
        raise InputError(
            f"run {run_id}: its scores are of other queries than those of the runs it is compared "
            "with; evaluate it anew, or delete it in MLflow"
        )
    return found


def _macro(
    rankings: pl.DataFrame, scores_RN: NDArray[np.float32], questions: Sequence[str]
) -> Floats:
    """Returns R x Q: the macro average of each run plus what each question adds to it."""
    question_N = rankings["question"].cast(pl.Enum(questions)).to_physical().to_numpy()
    corpora = rankings.select(pl.struct("pair", "language").rank("dense") - 1)
    corpus_N = corpora.to_series().to_numpy()
    size_K = np.bincount(corpus_N)
    K, Q, N = len(size_K), len(questions), len(question_N)
    mean_NK = sparse.csr_array((1 / size_K[corpus_N], (np.arange(N), corpus_N)), shape=(N, K))
    mean_RK = scores_RN @ mean_NK
    weight_NQ = sparse.csr_array(
        (Q / (K * size_K[corpus_N]), (np.arange(N), question_N)), shape=(N, Q)
    )
    added_RQ = (scores_RN - mean_RK[:, corpus_N]) @ weight_NQ
    return mean_RK.mean(1)[:, None] + added_RQ
