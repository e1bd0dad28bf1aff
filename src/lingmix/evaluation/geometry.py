"""Measures the passage vectors themselves: alignment and uniformity (arXiv 2005.10242)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.evaluation.metric_names import Measure
from lingmix.evaluation.pools import BLOCK
from lingmix.search.vectors import Embeddings

SAMPLED = 2048
"""Passages whose distances to each other are taken for the uniformity."""


class PassageVectors(NamedTuple):
    """The unit vectors of a set's passages; the seed draws samples of them."""

    evaluation_set: EvaluationSet
    passages_PD: Embeddings
    seed: int


def alignment(vectors: PassageVectors) -> float | None:
    """Returns the mean squared distance of passages that are translations of each other (section
    4.1.1, alpha = 2): 0 is best, 2 that of orthogonal vectors. None where none are translations.

    The squared distances of n vectors to each other add up to n sum |x|^2 - |sum x|^2.
    """
    groups = _translations(vectors.evaluation_set)
    count_G = groups.list.len().to_numpy().astype(np.int64)
    total = 0.0
    for part in groups.to_frame().iter_slices(max(1, BLOCK // max(count_G, default=1))):
        part_G = part.to_series().list.len().to_numpy().astype(np.int64)
        vectors_JD = vectors.passages_PD[part.to_series().explode().to_numpy()].astype(np.float64)
        start_G = part_G.cumsum() - part_G
        square_G = np.add.reduceat((vectors_JD**2).sum(1), start_G)
        sum_GD = np.add.reduceat(vectors_JD, start_G)
        total += float((part_G * square_G - (sum_GD**2).sum(1)).sum())
    return total / float((count_G * (count_G - 1) / 2).sum()) if len(count_G) else None


def uniformity(vectors: PassageVectors) -> float | None:
    """Returns the log of the mean of exp(-2 |x - y|^2) over pairs of passages, of all languages
    together (section 4.1.2, t = 2): 0 where all vectors are one, -4 where all are orthogonal. None
    for a single passage."""
    generator = np.random.Generator(np.random.Philox(vectors.seed))
    sample_S = generator.permutation(len(vectors.evaluation_set.passage_ids))[:SAMPLED]
    vectors_SD = vectors.passages_PD[np.sort(sample_S)]
    square_S = (vectors_SD**2).sum(1)
    distance_SS = square_S[:, None] + square_S - 2 * vectors_SD @ vectors_SD.T
    near_SS = np.exp(-2 * np.maximum(distance_SS, 0))
    S = len(sample_S)
    others = near_SS.sum(dtype=np.float64) - near_SS.trace(dtype=np.float64)
    return float(np.log(others / (S * (S - 1)))) if S > 1 else None


def _translations(evaluation_set: EvaluationSet) -> pl.Series:
    """Returns lists of passages (positions) that are translations: those in several languages, one
    in each, that are all the relevant passages of a query."""
    passages, place_J = np.unique(evaluation_set.passage_J, return_inverse=True)
    languages = [evaluation_set.passage_languages[p] for p in passages.tolist()]
    return (
        pl.DataFrame(
            {
                "query": evaluation_set.query_J,
                "passage": evaluation_set.passage_J.astype(np.int64),
                "language": pl.Series(languages, dtype=pl.String).gather(place_J),
            }
        )
        .filter(pl.Series(evaluation_set.grade_J > 0))
        .sort("query", "passage")
        .group_by("query", maintain_order=True)
        .agg("passage", pl.col("language").n_unique())
        .filter((pl.col("language") > 1) & (pl.col("language") == pl.col("passage").list.len()))
        .select("passage")
        .unique(maintain_order=True)
        .to_series()
    )


GEOMETRY: dict[str, Measure[Callable[[PassageVectors], float | None]]] = {
    "alignment": Measure(compute=alignment, label="alignment", digits=3, best="lowest"),
    "uniformity": Measure(
        compute=uniformity, label="uniformity", digits=3, signed=True, best="lowest"
    ),
}
"""By name: measures of a whole set, in `scores.json` alone."""


def geometry(vectors: PassageVectors) -> dict[str, float]:
    """Computes all of `GEOMETRY` that the set has."""
    found = {name: measure.compute(vectors) for name, measure in GEOMETRY.items()}
    return {name: value for name, value in found.items() if value is not None}
