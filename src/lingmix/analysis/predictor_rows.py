"""What the response of a language pair goes with: its languages, its scripts, its training."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from math import log2
from typing import NamedTuple

import numpy as np
import polars as pl
from babel.core import get_global

from lingmix.analysis.frontier_rows import Row, bounded
from lingmix.analysis.inference.grid import Floats
from lingmix.analysis.inference.predictors import are_told_apart, effects
from lingmix.analysis.table import p_value, ranged, signed
from lingmix.data.items import LanguagePair
from lingmix.tracking.languages import LanguageFacts


class Known(NamedTuple):
    """What is known of language pairs: those trained on, None for all, and by language how many
    pairs were trained on and how many tokens a query takes, on average over the same ones."""

    trained: frozenset[str] | None
    pairs: Mapping[str, float] = {}
    tokens: Mapping[str, float] = {}


class Predictor(NamedTuple):
    """`words` follow "language pairs". `value` of a pair is None where it is not known."""

    words: str
    value: Callable[[LanguagePair, Known], float | None]


def _doublings(pair: LanguagePair, of_language: Mapping[str, float]) -> float | None:
    numbers = [of_language.get(language, 0) for language in pair]
    return sum(map(log2, numbers)) / 2 if min(numbers) > 0 else None


PREDICTORS = {
    "one_language": Predictor("of one language", lambda pair, known: pair.monolingual),
    "one_script": Predictor(
        "of one script", lambda pair, known: script(pair.query) == script(pair.passage)
    ),
    "trained": Predictor(
        "that were trained", lambda pair, known: known.trained is None or str(pair) in known.trained
    ),
    "fertility": Predictor(
        "whose languages take twice the tokens", lambda pair, known: _doublings(pair, known.tokens)
    ),
    "resource": Predictor(
        "whose languages have twice the training pairs",
        lambda pair, known: _doublings(pair, known.pairs),
    ),
}
"""In this order they are added, while languages suffice to tell them apart."""


def known_of(pairs: str, facts: LanguageFacts | None, set_name: str) -> Known:
    """Returns what is known of pairs in runs with this param `pairs`, on an evaluation set."""
    trained = None if pairs == "all" else frozenset(pairs.strip("[]").split(","))
    if facts is None:
        return Known(trained)
    of_language: dict[str, float] = {}
    for pair, count in facts.trained_pairs.items():
        for language in {*LanguagePair.parse(pair)}:
            of_language[language] = of_language.get(language, 0) + count
    return Known(trained, of_language, facts.query_tokens.get(set_name, {}))


def predictor_rows(comparisons: Sequence[Row], known: Known, level: float) -> Iterator[Row]:
    """Yields a row for each contest of alphas and predictor: `effect` with bounds, what pairs with
    it (or with twice as much of it) gain beyond others, all predictors considered, and `p`.

    Effect and p are null for a predictor that the pairs do not tell from those before it whichever
    language is left out, as that of one language alone. One that is unknown of a pair has no row,
    nor has one that all pairs share.
    """
    by_contest = sorted(comparisons, key=_contest)
    for (alpha, against), rows in groupby(by_contest, key=_contest):
        chosen = [*rows]
        pairs = [LanguagePair.parse(row["pair"]) for row in chosen]
        values = _values(pairs, known)
        names: list[str] = []
        for name in values:
            if are_told_apart(_columns(values, [*names, name]), pairs):
                names.append(name)
        response_P = np.array([row["difference"] for row in chosen])
        found = effects(response_P, _columns(values, names), pairs, level=level) if names else ()
        told = dict(zip(names, zip(*found, strict=True), strict=True))
        for name in values:
            *effect, p = told.get(name, [np.nan] * 4)
            row = {"scale": chosen[0]["scale"], "alpha": alpha, "against": against}
            row |= {"predictor": name} | bounded("effect", *effect)
            yield row | {"p": float(p) if name in told else None}


def predictors_said(rows: pl.DataFrame, best: Row | None, level: float) -> Iterator[str]:
    """Yields what language pairs gain more or less by the alpha of the best row."""
    for row in _of_best(rows, best):
        if row["p"] is None or row["p"] > 1 - level:
            continue
        more = "more" if row["effect"] > 0 else "less"
        yield (
            f"With alpha {row['alpha']:g} instead of {row['against']:g}, language pairs "
            f"{PREDICTORS[row['predictor']].words} gain {more} than others: "
            f"{ranged(row, 'effect', number=signed)}, p {p_value(row['p'])}."
        )


def predictors_not_found(rows: pl.DataFrame, best: Row | None) -> Iterator[str]:
    """Yields the properties of which these languages cannot tell whether pairs gain by them."""
    untold = dict.fromkeys(row["predictor"] for row in _of_best(rows, best) if row["p"] is None)
    if untold:
        words = " or ".join(PREDICTORS[name].words for name in untold)
        yield (
            f"Whether language pairs {words} gain more or less cannot be told: the languages are "
            "too few to tell it from their other properties."
        )


def script(language: str) -> str:
    """Returns the script that a language is usually written in; of one that CLDR does not know the
    language itself."""
    parts = language.replace("_", "-").split("-")
    stated = [part for part in parts[1:] if len(part) == 4]
    likely = get_global("likely_subtags").get(parts[0], language)
    return stated[0] if stated else likely.split("_")[min(1, likely.count("_"))]


def _of_best(rows: pl.DataFrame, best: Row | None) -> list[Row]:
    """The contests of the alpha of the best row."""
    if best is None:
        return []
    return [row for row in rows.to_dicts() if best["alpha"] in (row["alpha"], row["against"])]


def _values(pairs: Sequence[LanguagePair], known: Known) -> dict[str, list[float]]:
    """Of the predictors that are known of all pairs, and differ between some."""
    found = {}
    for name, predictor in PREDICTORS.items():
        values = [predictor.value(pair, known) for pair in pairs]
        numbers = [float(value) for value in values if value is not None]
        if len(numbers) == len(values) and len({*numbers}) > 1:
            found[name] = numbers
    return found


def _columns(values: Mapping[str, Sequence[float]], names: Sequence[str]) -> Floats:
    return np.column_stack([values[name] for name in names])


def _contest(row: Row) -> tuple[float, float]:
    return row["alpha"], row["against"]
