"""The design and the noise of recorded runs, for planted studies of the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lingmix.analysis.answers import Asked, read_curve
from lingmix.analysis.groups import curves, groups
from lingmix.analysis.inference.recorded_noise import TERMS, recorded_noise
from lingmix.analysis.metric_columns import label_of
from lingmix.analysis.planted_table import planted_table
from lingmix.analysis.results import SetResults, results_of
from lingmix.analysis.scale_rows import UTILITY, ScaleScores, scale_scores
from lingmix.errors import InputError
from lingmix.tracking.history import experiment_named
from lingmix.tracking.per_query import per_query_files
from lingmix.tracking.run_table import cell_table, evaluation_table
from lingmix.tracking.store.client import open_store


class Recorded(NamedTuple):
    """What is planted like: the set and the runs in words, and their preferred scores."""

    about: str
    scores: ScaleScores


def plant_experiment(
    planted: Mapping[str, Any], name: str, *, uri: str, downloads: Path, asked: Asked
) -> str:
    """Returns `planted_table` of studies like an experiment's recorded runs."""
    recorded = recorded_design(name, uri=uri, downloads=downloads, asked=asked)
    return planted_table(planted_like(planted, recorded), like=recorded.about)


def recorded_design(name: str, *, uri: str, downloads: Path, asked: Asked) -> Recorded:
    """Reads the first group of an experiment's runs that a law can be fitted to: of two scales or
    more, two seeds or more, and enough alphas. Raises InputError where there is none."""
    client = open_store(uri)
    experiment = experiment_named(client, name).experiment_id
    cells = cell_table(client, experiment)
    results = results_of(cells, evaluation_table(client, experiment))
    files = per_query_files(client, cells, downloads)
    items = dict(cells.select("run_id", "items").rows())
    for one in results.sets:
        if found := _first(one, files, items, asked):
            return found
    raise InputError(
        f"name: the runs of {name!r} tell no noise to plant: that takes runs of two scales, two "
        f"seeds and {TERMS + 1} cells of alpha and scale at least, with scores of their queries in "
        "all that the preference weighs"
    )


def planted_like(planted: Mapping[str, Any], recorded: Recorded) -> dict[str, Any]:
    """Returns the settings of `conf/planted` with what is null in design and noise as recorded."""
    scores = recorded.scores
    scores_ACSQ, sizes = scores.scores_ACSQ[UTILITY], scores.sizes
    _, _, S, Q = scores_ACSQ.shape
    scales = sizes.sizes_C - sizes.base
    design = {
        "alphas": scores.alphas_A.tolist(),
        "scales": scales.tolist(),
        "unseen": 2 * float(scales.max()),
        "base": sizes.base,
        "seeds": S,
        "questions": Q,
    }
    noise = recorded_noise(scores_ACSQ, scores.alphas_A, sizes.sizes_C / sizes.base)
    return {
        **planted,
        "design": _filled(planted["design"], design),
        "noise": _filled(planted["noise"], vars(noise)),
    }


def _filled(given: Mapping[str, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    return {key: recorded[key] if given[key] is None else given[key] for key in given}


def _first(
    one: SetResults, files: Mapping[str, Path], items: Mapping[str, int | None], asked: Asked
) -> Recorded | None:
    for words, group in groups(one.runs):
        parts = [part for _, part in curves(group) if not files.keys().isdisjoint(part["run_id"])]
        rng = np.random.default_rng(asked.seed)
        levels = [read_curve(part, files, one.name, asked, rng).grids for part in parts]
        trained = [items[part["run_id"][0]] for part in parts]
        scores = scale_scores(levels, trained, asked.preference, asked.metric)
        if scores is not None and UTILITY in scores.scores_ACSQ:
            A, C, S, _ = scores.scores_ACSQ[UTILITY].shape
            if S > 1 and A * C > TERMS:
                about = ", ".join(filter(None, [one.name, words]))
                return Recorded(
                    f"{asked.preference.words(label_of(asked.metric))} on {about}", scores
                )
    return None
