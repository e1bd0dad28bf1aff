"""The transfer matrix: what training on some language pairs, and not on others, moves each pair by.

It is told where a grid varies `pairs`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from lingmix.analysis.contest_rows import (
    GAINS,
    LOSES,
    UNDECIDED,
    Certainty,
    Contrasts,
    verdict_rows,
)
from lingmix.analysis.curve_scores import read_scores
from lingmix.analysis.frontier_rows import Row
from lingmix.analysis.groups import key_words, keys
from lingmix.analysis.inference.grid import Floats, Grid
from lingmix.analysis.metric_columns import range_of
from lingmix.analysis.scored_runs import ScoredRuns
from lingmix.analysis.table import TextTable, ranged, signed, text_table

OTHERS = "the other choices"
TRANSFER_CAPTION = (
    "what training on some language pairs moves each pair by; *: told apart after correction for "
    "the number of pairs and choices"
)
NUMBERS = {"scale": pl.Int64, "seeds_needed": pl.Int64, "questions_needed": pl.Int64}


def transfer(
    runs: pl.DataFrame, files: Mapping[str, Path], set_name: str, metric: str, how: Certainty
) -> pl.DataFrame:
    """Returns a row for each choice of `pairs` to train on and each language pair that is measured:
    `trained` names the pairs that not all choices have, `difference` with bounds is the pair's
    score with this choice less that `against` another, with the tests of `verdict_rows`.

    Against is the choice that all others contain, or else the mean of the others. Scores are means
    over the alphas, at the largest scale that all choices have.
    """
    if runs["pairs"].n_unique() < 2:
        return pl.DataFrame()
    readable = runs.filter(pl.col("run_id").is_in([*files]))
    apart = [c for c in keys(runs) if c != "pairs" and runs[c].n_unique() > 1]
    parts = readable.partition_by(apart, maintain_order=True) if apart else [readable]
    rows = [
        {"group": key_words(part.row(0, named=True), apart), **row}
        for part in parts
        for row in _rows(part, files, set_name, metric, how)
    ]
    return pl.DataFrame(rows, schema_overrides=NUMBERS, infer_schema_length=None)


def transfer_said(rows: pl.DataFrame) -> Iterator[str]:
    """Yields how many language pairs gain and lose by each choice, and which gain the most."""
    if rows.is_empty():
        return
    by = ["group", "trained", "against"]
    for (group, trained, against), some in rows.group_by(by, maintain_order=True):
        gaining = some.filter(verdict=GAINS).sort("difference", descending=True)
        named = [f"{p} {signed(d)}" for p, d in gaining.select("pair", "difference").head(3).rows()]
        most = f" (most {', '.join(named)})" if named else ""
        where = f" ({group})" if group else ""
        lose = some.filter(verdict=LOSES).height
        yield (
            f"Training on {trained} instead of {against}{where}: of {some.height} language pairs "
            f"{gaining.height} gain{most} and {lose} lose."
        )


def transfer_table(rows: pl.DataFrame) -> TextTable:
    """Returns a line per choice and language pair."""
    lines = [
        (
            *([row["group"]] if rows["group"].n_unique() > 1 else []),
            row["trained"],
            row["against"],
            row["pair"],
            f"{ranged(row, 'difference', number=signed)}{'*' * (row['verdict'] != UNDECIDED)}",
        )
        for row in rows.iter_rows(named=True)
    ]
    head = ("runs", "trained on", "instead of", "pair", "difference")
    return text_table(head[len(head) - len(lines[0]) :] if lines else head[1:], lines)


def _rows(
    runs: pl.DataFrame, files: Mapping[str, Path], set_name: str, metric: str, how: Certainty
) -> Iterator[Row]:
    by_choice = {choice: part for (choice,), part in runs.group_by("pairs", maintain_order=True)}
    scales = set.intersection(*({*part["scale"]} for part in by_choice.values()), {*runs["scale"]})
    if len(by_choice) < 2 or not scales:
        return
    scale = None if None in scales else max(scales)
    scored = {
        choice: read_scores(part.filter(pl.col("scale").eq_missing(scale)), files, set_name, metric)
        for choice, part in by_choice.items()
    }
    pairs = set.intersection(*({*one.pairs} for one in scored.values()))
    grids = {pair: _alike([_grid(one, pair) for one in scored.values()]) for pair in sorted(pairs)}
    if not all(len(scores_NSQ[0]) for _, scores_NSQ in grids.values()):
        return
    names, base = _names([*scored])
    contrasts = [
        Contrasts(_against(scores_NSQ, base), questions, range_of(metric))
        for questions, scores_NSQ in grids.values()
    ]
    every = tuple(sorted({question for questions, _ in grids.values() for question in questions}))
    places = [
        {"scale": scale, "trained": name, "against": OTHERS if base is None else names[base]}
        for n, name in enumerate(names)
        if n != base
    ]
    found = verdict_rows(contrasts, every, how)
    for pair in grids:
        for place in places:
            yield place | {"pair": pair} | next(found)


def _grid(scored: ScoredRuns, pair: str) -> Grid:
    return scored.grid(scored.pairs[pair], pair)


def _alike(grids: Sequence[Grid]) -> tuple[tuple[str, ...], Floats]:
    """The questions, and the scores of each choice over the alphas and seeds that all have, alphas
    averaged: N x S x Q. Without seeds where they share none."""
    alphas = set.intersection(*({*grid.alphas_A} for grid in grids))
    seeds = set.intersection(*({*grid.seeds_S} for grid in grids)) if alphas else set()
    scores = [
        grid.scores_ACSQ[:, 0][np.isin(grid.alphas_A, [*alphas])][
            :, np.isin(grid.seeds_S, [*seeds])
        ].mean(0)
        for grid in grids
        if seeds
    ]
    return grids[0].questions_Q, np.array(scores) if scores else np.empty((1, 0, 0))


def _names(choices: Sequence[str]) -> tuple[list[str], int | None]:
    """The choices without the pairs that all have, and the place of the one that all others
    contain, if there is one."""
    listed = [None if c == "all" else frozenset(c.strip("[]").split(",")) for c in choices]
    common = frozenset.intersection(*(one for one in listed if one is not None))
    base = next((n for n, one in enumerate(listed) if one == common), None)
    names = [
        "all pairs" if one is None else ", ".join(sorted(one - common or one)) for one in listed
    ]
    return names, base


def _against(scores_NSQ: Floats, base: int | None) -> Floats:
    if base is not None:
        return np.delete(scores_NSQ - scores_NSQ[base], base, axis=0)
    others_NSQ = (scores_NSQ.sum(0) - scores_NSQ) / (len(scores_NSQ) - 1)
    return scores_NSQ - others_NSQ
