"""Every number of the text, from the scores; `studies/rebuild.py` writes them."""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import altair as alt
import numpy as np
import polars as pl

from lingmix.analysis.inference.crossed import interval, resampled
from lingmix.analysis.inference.grid import Grid
from lingmix.analysis.table import TextTable, ranged, score, signed, text_table

HERE = Path(__file__).parent
QUESTIONS = pl.read_parquet(HERE / "scores" / "questions.parquet")
UNTRAINED = json.loads((HERE / "scores" / "untrained.json").read_text("utf-8"))
YIELDS = json.loads((HERE / "scores" / "yields.json").read_text("utf-8"))
DOMAINS = {"python_docs": "python-docs", "tico19": "tico19"}
MODEL = "model"
KINDS = {
    "python_docs": {"titles": "headings", "cloze": "inverse cloze", "crops": "crops"},
    "tico19": {"titles": "the set's own", "cloze": "inverse cloze", "crops": "crops"},
}
"""What the model's queries are compared with, by domain."""
READY_MADE = {"bm25": "BM25", "tfidf": "character TF-IDF", "me5": "E5 small, untrained"}
ENCODERS = {"static": "static", "e5": "E5 small"}
SCALES = (100, None)
SETTINGS = ("monolingual", "crosslingual", "multilingual")
COLUMNS = ("monolingual", "cross-lingual", "multilingual")
COMPARED = SETTINGS[:2]
LEVEL, DRAWS = 0.95, 20_000


def blocks() -> dict[str, TextTable]:
    return {"yields": yields(), "untrained": untrained(), "scores": scores()}


def figures() -> dict[str, alt.Chart]:
    return {}


def yields() -> TextTable:
    """How many of the model's queries are left after each step."""
    rows = [["passages", *(f"{YIELDS[domain]['taken']}" for domain in DOMAINS)]]
    for steps in zip(*(YIELDS[domain]["steps"] for domain in DOMAINS), strict=True):
        rows.append([steps[0]["step"], *(f"{one['queries_after']}" for one in steps)])
    return text_table(("after", *DOMAINS.values()), rows)


def untrained() -> TextTable:
    """mAP of what has learned nothing of these passages."""
    rows = [
        [name, shown, *(score(found[one]) if one in found else "" for one in SETTINGS)]
        for domain, name in DOMAINS.items()
        for encoder, shown in READY_MADE.items()
        for found in [UNTRAINED[domain][encoder]]
    ]
    return text_table(("domain", "encoder", *COLUMNS), rows)


def scores() -> TextTable:
    """mAP, and what the model's queries gain in the mean of the settings that are compared."""
    rows = [
        [name, shown, *row]
        for (encoder, shown), (domain, name) in product(ENCODERS.items(), DOMAINS.items())
        for scale in SCALES
        for row in _rows(QUESTIONS.filter(domain=domain, encoder=encoder), domain, scale)
    ]
    head = ("domain", "encoder", "queries", "items", *COLUMNS, "the model's instead")
    return text_table(head, rows)


def _rows(runs: pl.DataFrame, domain: str, scale: int | None) -> Iterator[list[str]]:
    """Those at a scale, a row for each kind of queries; none where none was trained."""
    runs = runs.filter(pl.col("scale").eq_missing(scale))
    if runs.is_empty():
        return
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
    """Scores by kind of queries, seed and question: the mean of the settings compared."""
    compared = runs.filter(pl.col("setting").is_in(COMPARED))
    mean = compared.group_by("queries", "seed", "question").agg(pl.col("score").mean())
    ordered = mean.sort("queries", "seed", "question")
    kinds, seeds, questions = (
        ordered[axis].unique().sort().to_list() for axis in ("queries", "seed", "question")
    )
    scores_ACSQ = ordered["score"].to_numpy().astype(float)
    scores_ACSQ = scores_ACSQ.reshape(len(kinds), 1, len(seeds), len(questions))
    places = tuple(map(float, range(len(kinds))))
    return Grid(places, (None,), tuple(seeds), tuple(questions), scores_ACSQ)
