"""Every number of the text, from the scores; `studies/rebuild.py` writes them."""

import json
from collections.abc import Iterator
from pathlib import Path

import altair as alt
import numpy as np
import polars as pl

from lingmix.analysis.inference.crossed import interval, resampled
from lingmix.analysis.inference.grid import Grid
from lingmix.analysis.table import TextTable, ranged, score, signed, text_table

HERE = Path(__file__).parent
QUESTIONS = pl.read_parquet(HERE / "scores" / "questions.parquet")
YIELDS = json.loads((HERE / "scores" / "yields.json").read_text("utf-8"))
DOMAINS = {"python_docs": "python-docs", "tico19": "tico19"}
MODEL = "model"
KINDS = {
    "python_docs": {"titles": "headings", "cloze": "inverse cloze", "crops": "crops"},
    "tico19": {"titles": "the set's own", "cloze": "inverse cloze", "crops": "crops"},
}
"""What the model's queries are compared with, by domain."""
SCALES = (100, None)
SETTINGS = ("monolingual", "crosslingual")
LEVEL, DRAWS = 0.95, 20_000


def blocks() -> dict[str, TextTable]:
    return {"yields": yields(), "scores": scores()}


def figures() -> dict[str, alt.Chart]:
    return {}


def yields() -> TextTable:
    """How many of the model's queries are left after each step."""
    rows = [["passages", *(f"{YIELDS[domain]['taken']}" for domain in DOMAINS)]]
    for steps in zip(*(YIELDS[domain]["steps"] for domain in DOMAINS), strict=True):
        rows.append([steps[0]["step"], *(f"{one['queries_after']}" for one in steps)])
    return text_table(("after", *DOMAINS.values()), rows)


def scores() -> TextTable:
    """mAP, and what the model's queries gain in the mean of the settings that are measured."""
    rows = [
        [name, *row]
        for domain, name in DOMAINS.items()
        for scale in SCALES
        for row in _rows(domain, scale)
    ]
    head = ("domain", "queries", "items", "monolingual", "cross-lingual", "the model's instead")
    return text_table(head, rows)


def _rows(domain: str, scale: int | None) -> Iterator[list[str]]:
    """Those of a domain at a scale, a row for each kind of queries."""
    runs = QUESTIONS.filter(pl.col("domain") == domain, pl.col("scale").eq_missing(scale))
    gains = _gains(runs, len(SCALES) * len(KINDS[domain]))
    for kind, name in {**KINDS[domain], MODEL: "the model's"}.items():
        of_kind = runs.filter(queries=kind)
        items = sorted({of_kind["items"].min(), of_kind["items"].max()})
        yield [name, " to ".join(map(str, items)), *_means(of_kind), gains[kind]]


def _means(runs: pl.DataFrame) -> list[str]:
    means = dict(runs.group_by("setting").agg(pl.col("score").mean()).rows())
    return [score(means[one]) if one in means else "" for one in SETTINGS]


def _gains(runs: pl.DataFrame, compared: int) -> dict[str, str]:
    """What the model's queries gain over each other kind, with intervals over seeds and questions
    that hold for `compared` of them together."""
    grid = _grid(runs)
    kinds = sorted({*runs["queries"]})
    (drawn,) = resampled([grid], DRAWS, np.random.default_rng(0))
    model = kinds.index(MODEL)
    found = {}
    for n, kind in enumerate(kinds):
        values_N = drawn.means_NAC[:, model, 0] - drawn.means_NAC[:, n, 0]
        low, high = interval(values_N, 1 - (1 - LEVEL) / compared)
        mean = drawn.mean_AC[model, 0] - drawn.mean_AC[n, 0]
        found[kind] = ranged({"": mean, "_low": low, "_high": high}, "", number=signed)
    return found | {MODEL: ""}


def _grid(runs: pl.DataFrame) -> Grid:
    """Scores by kind of queries, seed and question: the mean of the settings."""
    mean = runs.group_by("queries", "seed", "question").agg(pl.col("score").mean())
    ordered = mean.sort("queries", "seed", "question")
    kinds, seeds, questions = (
        ordered[axis].unique().sort().to_list() for axis in ("queries", "seed", "question")
    )
    scores_ACSQ = ordered["score"].to_numpy().astype(float)
    scores_ACSQ = scores_ACSQ.reshape(len(kinds), 1, len(seeds), len(questions))
    places = tuple(map(float, range(len(kinds))))
    return Grid(places, (None,), tuple(seeds), tuple(questions), scores_ACSQ)
