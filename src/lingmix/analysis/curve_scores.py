"""The scores of one curve, the alphas of a scale, and draws of what they may be."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from lingmix.analysis.inference.crossed import resampled
from lingmix.analysis.inference.grid import Floats, Grid
from lingmix.analysis.metric_columns import range_of
from lingmix.analysis.question_scores import FILE, run_scores, with_questions
from lingmix.analysis.scored_runs import ScoredRuns, scored_runs
from lingmix.errors import InputError
from lingmix.evaluation.metric_names import CONTRASTIVE_ENTROPY, SETTINGS, Range

log = logging.getLogger(__name__)

LANGUAGE_PREFERENCE = "language_preference"

ENTROPIES = {f"{setting}_{CONTRASTIVE_ENTROPY}": setting for setting in SETTINGS}
"""The settings of contrastive entropies, by the names that laws of them have."""


class CurveScores(NamedTuple):
    """The scores of one scale by setting, and by `LANGUAGE_PREFERENCE` where it is asked for.

    `grids` have one scale and the same axes, as have `pairs`, those of language pairs; `means` are
    A, `draws` N x A; `ranges` are what scores can be.
    """

    scale: int | None
    runs: ScoredRuns
    grids: Mapping[str, Grid]
    pairs: Mapping[str, Grid]
    means: Mapping[str, Floats]
    draws: Mapping[str, Floats]
    ranges: Mapping[str, Range]

    @property
    def alphas(self) -> tuple[float, ...]:
        return self.first.alphas_A

    @property
    def first(self) -> Grid:
        return next(iter(self.grids.values()))

    @property
    def contests(self) -> list[tuple[int, int]]:
        """Positions of alphas that are compared: each with the largest, which is the most
        monolingual, and those between with the smallest."""
        last = len(self.alphas) - 1
        return [(a, last) for a in range(last)] + [(a, 0) for a in range(1, last)]

    def contrasts(self, scores_ASQ: Floats) -> Floats:
        """Returns the difference of each contest, seed and question."""
        return np.stack([scores_ASQ[a] - scores_ASQ[against] for a, against in self.contests])


def curve_scores(
    runs: pl.DataFrame,
    files: Mapping[str, Path],
    *,
    set_name: str,
    metric: str,
    with_preference: bool,
    draws: int,
    rng: np.random.Generator,
) -> CurveScores:
    """Reads the scores of the runs of one scale. Raises InputError where none can be read."""
    scored = read_scores(runs, files, set_name, metric)
    settings = [s for s in SETTINGS if s in scored.rankings["setting"]]
    grids = {setting: scored.grid(setting) for setting in settings}
    if with_preference:
        preferred = read_scores(runs, files, set_name, LANGUAGE_PREFERENCE)
        grids[LANGUAGE_PREFERENCE] = preferred.grid("multilingual")
    _require_same_axes(grids)
    found = resampled([*grids.values()], draws, rng)
    both = dict(zip(grids, found, strict=True))
    return CurveScores(
        scale=runs["scale"][0],
        runs=scored,
        grids=grids,
        pairs={pair: scored.grid(setting, pair) for pair, setting in scored.pairs.items()},
        means={name: one.mean_AC[:, 0] for name, one in both.items()},
        draws={name: one.means_NAC[..., 0] for name, one in both.items()},
        ranges=ranges_of(grids, metric),
    )


def ranges_of(names: Iterable[str], metric: str) -> dict[str, Range]:
    """Returns the range of each of the scores, which are of the metric in a setting."""
    others = {LANGUAGE_PREFERENCE: LANGUAGE_PREFERENCE} | dict.fromkeys(
        ENTROPIES, CONTRASTIVE_ENTROPY
    )
    return {name: range_of(others.get(name, metric)) for name in names}


def entropies(curve: CurveScores, files: Mapping[str, Path], set_name: str) -> dict[str, Grid]:
    """Reads the contrastive entropies of the curve's runs, by the names of `ENTROPIES`; none where
    one of the runs has not measured them."""
    runs = curve.runs.runs
    measured = (CONTRASTIVE_ENTROPY in pl.read_parquet_schema(files[r]) for r in runs["run_id"])
    if not all(measured):
        return {}
    scored = read_scores(runs, files, set_name, CONTRASTIVE_ENTROPY)
    known = {*scored.rankings["setting"]}
    grids = {name: scored.grid(one) for name, one in ENTROPIES.items() if one in known}
    return {name: grid for name, grid in grids.items() if grid[:3] == curve.first[:3]}


def read_scores(
    runs: pl.DataFrame, files: Mapping[str, Path], set_name: str, metric: str
) -> ScoredRuns:
    """Reads the scores of the runs' queries, ranking by ranking."""
    scored = scored_runs(runs, _readable(runs["run_id"].to_list(), files, set_name, metric))
    return scored._replace(rankings=with_questions(scored.rankings.lazy()).collect())


def _readable(
    run_ids: Sequence[str], files: Mapping[str, Path], set_name: str, metric: str
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Leaves out a run without a file, and one deleted meanwhile. Raises InputError for a metric
    that a run has not."""
    for run_id in run_ids:
        try:
            scores = run_scores([files[run_id]], set_name, metric).drop(FILE).collect()
            if scores.is_empty():
                _require_metric(files[run_id], run_id, metric)
                continue
        except (KeyError, OSError, pl.exceptions.PolarsError):
            log.warning("run %s is left out: its scores of queries cannot be read", run_id)
            continue
        yield run_id, scores


def _require_metric(file: Path, run_id: str, metric: str) -> None:
    schema = pl.read_parquet_schema(file)
    if metric not in schema:
        known = ", ".join(sorted(name for name, dtype in schema.items() if dtype.is_float()))
        raise InputError(
            f"analysis.metric: run {run_id} has no {metric!r} of its queries, it has {known}; "
            "choose one of them, or evaluate the run anew"
        )


def _require_same_axes(grids: Mapping[str, Grid]) -> None:
    if len({grid[:3] for grid in grids.values()}) > 1:
        raise InputError(
            f"the runs have not all measured the same of {', '.join(grids)}; evaluate them anew"
        )
