"""What the response of a language pair goes with: its languages, its scripts, its training."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
import polars as pl
from babel.core import get_global

from lingmix.analysis.frontier_rows import Row, bounded
from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.inference.predictors import are_told_apart, effects
from lingmix.analysis.table import p_value, ranged, signed
from lingmix.data.items import LanguagePair

PREDICTORS = {
    "one_language": lambda pair, trained: pair.monolingual,
    "one_script": lambda pair, trained: script(pair.query) == script(pair.passage),
    "trained": lambda pair, trained: trained is None or str(pair) in trained,
}
WORDS = {
    "one_language": "of one language",
    "one_script": "of one script",
    "trained": "that were trained",
}


def predictor_rows(comparisons: Sequence[Row], pairs: str, level: float) -> Iterator[Row]:
    """Yields a row for each contest of alphas and predictor: `effect` with bounds, what pairs with
    it gain beyond others, all predictors considered, and `p`. `pairs` are those trained, as a run's
    param has them.

    A predictor is left out that the pairs do not tell from those before it whichever language is
    left out, such as one that all pairs share, or those of one language alone.
    """
    trained = None if pairs == "all" else {*pairs.strip("[]").split(",")}
    by_contest = sorted(comparisons, key=_contest)
    for (alpha, against), rows in groupby(by_contest, key=_contest):
        chosen = [*rows]
        known = [LanguagePair.parse(row["pair"]) for row in chosen]
        values = {
            name: [float(has(pair, trained)) for pair in known] for name, has in PREDICTORS.items()
        }
        names: list[str] = []
        for name in values:
            if are_told_apart(_columns(values, [*names, name]), known):
                names.append(name)
        response_P = np.array([row["difference"] for row in chosen])
        found = effects(response_P, _columns(values, names), known, level=level) if names else ()
        for name, *of_predictor, p in zip(names, *found, strict=True):
            row = {"scale": chosen[0]["scale"], "alpha": alpha, "against": against}
            yield row | {"predictor": name} | bounded("effect", *of_predictor) | {"p": float(p)}


def predictors_said(rows: pl.DataFrame, best: Row | None, level: float) -> Iterator[str]:
    """Yields what language pairs gain more or less by the alpha of the best row."""
    if best is None or rows.is_empty():
        return
    chosen = pl.any_horizontal(pl.col("alpha", "against") == best["alpha"])
    for row in rows.filter(chosen, pl.col("p") <= 1 - level).iter_rows(named=True):
        more = "more" if row["effect"] > 0 else "less"
        yield (
            f"With alpha {row['alpha']:g} instead of {row['against']:g}, language pairs "
            f"{WORDS[row['predictor']]} gain {more} than others: "
            f"{ranged(row, 'effect', number=signed)}, p {p_value(row['p'])}."
        )


def script(language: str) -> str:
    """Returns the script that a language is usually written in; of one that CLDR does not know the
    language itself."""
    parts = language.replace("_", "-").split("-")
    stated = [part for part in parts[1:] if len(part) == 4]
    likely = get_global("likely_subtags").get(parts[0], language)
    return stated[0] if stated else likely.split("_")[min(1, likely.count("_"))]


def _columns(values: Mapping[str, Sequence[float]], names: Sequence[str]) -> Floats:
    return np.column_stack([values[name] for name in names])


def _contest(row: Row) -> tuple[float, float]:
    return row["alpha"], row["against"]
