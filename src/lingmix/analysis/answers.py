"""The answers of an experiment's runs, one for each group of comparable runs and evaluation set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from lingmix.analysis.answer import Answer
from lingmix.analysis.answer_words import not_found, said
from lingmix.analysis.contest_rows import Certainty, comparison_rows, component_rows
from lingmix.analysis.curve_scores import CurveScores, curve_scores, entropies
from lingmix.analysis.frontier_rows import (
    Row,
    exchange_rows,
    frontier_rows,
    hypervolume_rows,
    pair_rows,
    region_rows,
)
from lingmix.analysis.groups import curves, groups
from lingmix.analysis.inference.grid import Grid
from lingmix.analysis.predictor_rows import Known, known_of, predictor_rows
from lingmix.analysis.preference import Preference
from lingmix.analysis.question_scores import question_count
from lingmix.analysis.results import Results
from lingmix.analysis.scale_rows import scale_rows, scale_scores
from lingmix.analysis.transfer_rows import transfer
from lingmix.tracking.languages import read_languages

NUMBERS = ("scale", "seeds", "questions", "seeds_needed", "questions_needed")
TEXTS = ("setting", "pair", "verdict", "status", "predictor")

FRAMES = Answer._fields[Answer._fields.index("frontier") :]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an analysis is asked: the metric, the preference, and how sure to be."""

    metric: str
    preference: Preference
    level: float
    power: float
    draws: int
    seed: int


def answered(results: Results, files: Mapping[str, Path], asked: Asked) -> Results:
    """Adds the answers, from the scores of each question in `files`, by run id.

    A group of runs without a file has no answer, and neither has a set of one question, which tells
    nothing of others.
    """
    items = dict(results.cells.select("run_id", "items").rows())
    sets = [
        one._replace(
            answers=tuple(
                _answer(one.name, words, group, files=files, items=items, asked=asked)
                for words, group in groups(one.runs)
                if _asks_several(one.name, group, files, asked.metric)
            ),
            transfer=transfer(one.runs, files, one.name, asked.metric, _certainty(asked)),
        )
        for one in results.sets
    ]
    return results._replace(sets=sets)


def _asks_several(
    set_name: str, group: pl.DataFrame, files: Mapping[str, Path], metric: str
) -> bool:
    readable = [files[run_id] for run_id in group["run_id"] if run_id in files]
    return bool(readable) and question_count(readable[0], set_name, metric) != 1


def frames(results: Results) -> dict[str, pl.DataFrame]:
    """Returns the frames of all answers by name, with the columns set and group before theirs, and
    `transfer`."""
    moved = [
        one.transfer.select(pl.lit(one.name).alias("set"), "*")
        for one in results.sets
        if one.transfer.height
    ]
    return {"transfer": pl.concat(moved or [pl.DataFrame()])} | {
        name: pl.concat(
            [
                getattr(answer, name).select(
                    pl.lit(answer.set_name).alias("set"), pl.lit(answer.group).alias("group"), "*"
                )
                for one in results.sets
                for answer in one.answers
                if getattr(answer, name).height
            ]
            or [pl.DataFrame()],
            how="diagonal",
        )
        for name in FRAMES
    }


def _answer(
    set_name: str,
    words: str,
    group: pl.DataFrame,
    *,
    files: Mapping[str, Path],
    items: Mapping[str, int | None],
    asked: Asked,
) -> Answer:
    how = _certainty(asked)
    rows: dict[str, list[Row]] = {name: [] for name in FRAMES}
    left_out: dict[str, None] = {}
    grids, trained = list[Mapping[str, Grid]](), list[int | None]()
    scales = group["scale"].n_unique()
    for name, runs in curves(group):
        if files.keys().isdisjoint(runs["run_id"]):
            continue
        curve = read_curve(runs, files, set_name, asked, how.rng)
        known = _known(runs, files, set_name)
        for frame, found in _rows(curve, asked.preference, how, known).items():
            rows[frame] += found
        left_out |= dict.fromkeys(f"{name}: {value}" for value in curve.first.left_out)
        grids.append({**curve.grids, **(entropies(curve, files, set_name) if scales > 1 else {})})
        trained.append(items[runs["run_id"][0]])
    if scores := scale_scores(grids, trained, asked.preference, asked.metric):
        rows |= scale_rows(scores, level=asked.level, draws=asked.draws, rng=how.rng)
    answer = Answer(
        set_name=set_name, metric=asked.metric, group=words, level=asked.level,
        said=[], not_found=[],
        **{name: _frame(found) for name, found in rows.items()},
    )  # fmt: skip
    return answer._replace(
        said=said(answer, asked.preference), not_found=not_found(answer, [*left_out])
    )


def read_curve(
    runs: pl.DataFrame,
    files: Mapping[str, Path],
    set_name: str,
    asked: Asked,
    rng: np.random.Generator,
) -> CurveScores:
    """Reads what is asked for of the runs of one scale, see `curve_scores`."""
    return curve_scores(
        runs,
        files,
        set_name=set_name,
        metric=asked.metric,
        with_preference=asked.preference.with_language,
        draws=asked.draws,
        rng=rng,
    )


def _certainty(asked: Asked) -> Certainty:
    return Certainty(asked.level, asked.power, asked.draws, np.random.default_rng(asked.seed))


def _known(runs: pl.DataFrame, files: Mapping[str, Path], set_name: str) -> Known:
    """By the first of the runs that has recorded it: they differ in alpha and seed alone."""
    recorded = (read_languages(files[run].parent) for run in runs["run_id"] if run in files)
    return known_of(runs["pairs"][0], next(filter(None, recorded), None), set_name)


def _rows(
    curve: CurveScores, preference: Preference, how: Certainty, known: Known
) -> dict[str, Iterable[Row]]:
    comparisons = [*comparison_rows(curve, how)]
    return {
        "frontier": frontier_rows(curve, preference, how.level),
        "pairs": pair_rows(curve, how.level),
        "region": region_rows(curve, how.level),
        "hypervolume": hypervolume_rows(curve, how.level),
        "exchange": exchange_rows(curve, how.level),
        "comparisons": comparisons,
        "predictors": predictor_rows(comparisons, known, how.level),
        "components": component_rows(curve, how),
    }


def _frame(rows: list[Row]) -> pl.DataFrame:
    """A scale of null is all there is."""
    columns = rows[0] if rows else ()
    types = dict.fromkeys(NUMBERS, pl.Int64()) | dict.fromkeys(TEXTS, pl.String())
    schema = {column: types.get(column, pl.Float64()) for column in columns}
    return pl.DataFrame(rows, schema=schema, strict=False)
