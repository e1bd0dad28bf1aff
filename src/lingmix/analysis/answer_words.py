"""An answer in words: what the runs say and how surely, and what they cannot tell."""

from collections.abc import Iterator, Sequence

import polars as pl

from lingmix.analysis.answer import Answer
from lingmix.analysis.contest_rows import GAINS, LOSES, UNDECIDED
from lingmix.analysis.exchange_words import exchange_not_found, exchange_said
from lingmix.analysis.frontier_rows import Row
from lingmix.analysis.groups import scale_name
from lingmix.analysis.metric_columns import LABELS, label_of
from lingmix.analysis.predictor_rows import predictors_not_found, predictors_said
from lingmix.analysis.preference import Preference
from lingmix.analysis.scale_words import scale_not_found, scale_said
from lingmix.analysis.table import ranged, score, signed

CONFIDENT = 0.95
"""The probability above which a choice is called the best without reserve."""

NAMED_PAIRS = 5


def said(answer: Answer, preference: Preference) -> list[str]:
    """Returns the answer in sentences, the recommendation first."""
    return [
        *_recommendation(answer, preference),
        *_front(answer),
        *exchange_said(_at_largest(answer.exchange)),
        *_pairs(answer),
        *predictors_said(_at_largest(answer.predictors), recommended(answer), answer.level),
        *scale_said(answer),
    ]


def not_found(answer: Answer, left_out: Sequence[str]) -> list[str]:
    """Returns what the runs cannot tell, in sentences; `left_out` are values of the grid."""
    lines = [*_missing(answer, left_out), *_undecided(answer)]
    lines += [
        *exchange_not_found(_at_largest(answer.exchange)),
        *_undecided_pairs(answer),
        *predictors_not_found(_at_largest(answer.predictors), recommended(answer)),
        *scale_not_found(answer),
    ]
    return lines


def recommended(answer: Answer) -> Row | None:
    """Returns the row of `frontier` that is best by the preference at the largest scale; None
    where the preference weighs what was not measured."""
    rows = _at_largest(answer.frontier).drop_nulls("utility").sort("utility")
    return rows.row(-1, named=True) if rows.height else None


def _recommendation(answer: Answer, preference: Preference) -> Iterator[str]:
    best = recommended(answer)
    if best is None:
        return
    rivals = _at_largest(answer.frontier).height
    one_seed = best["seeds"] == 1
    sure = best["best"] >= CONFIDENT and not one_seed
    low, high = score(best["utility_low"]), score(best["utility_high"])
    if rivals > 1:
        choose = "Choose" if best["scale"] == 0 else f"At scale {scale_name(best['scale'])}, choose"
        yield (
            f"{choose} alpha {best['alpha']:g}: "
            f"{preference.words(label_of(answer.metric))} is {score(best['utility'])} "
            f"({answer.level:.0%} interval {low} to {high}), "
            f"{'the' if sure else 'possibly the'} highest of {rivals} alphas "
            f"(probability {_chance(best['best'])}{' over questions alone' * one_seed})."
        )
    settings = [s for s in LABELS if best.get(s) is not None]
    figures = [f"{LABELS[s]} {ranged(best, s)}" for s in settings]
    seeds, questions = best["seeds"], best["questions"]
    yield (
        f"Alpha {best['alpha']:g} reaches {', '.join(figures)}, over {seeds} "
        f"seed{'s' * (seeds != 1)} and {questions:,} questions."
    )


def _front(answer: Answer) -> Iterator[str]:
    rows = _at_largest(answer.frontier).drop_nulls("front")
    if rows.height < 2:
        return
    parts = [
        f"alpha {row['alpha']:g} {_chance(row['front'])}" for row in rows.iter_rows(named=True)
    ]
    yield (
        "Probability of being on the Pareto front of monolingual and cross-lingual scores: "
        f"{', '.join(parts)}."
    )


def _pairs(answer: Answer) -> Iterator[str]:
    for alpha, against, rows in _contests(answer):
        gaining, losing = (rows.filter(verdict=verdict) for verdict in (GAINS, LOSES))
        if not gaining.height + losing.height:
            continue
        parts = [
            f"{some.height} {verb}{'s' * (some.height == 1)} ({_named(some)})"
            for some, verb in ((gaining, "gain"), (losing, "lose"))
            if some.height
        ]
        undecided = rows.height - gaining.height - losing.height
        parts += [f"{undecided} cannot be told apart"] if undecided else []
        yield (
            f"Of {rows.height} language pairs, with alpha {alpha:g} instead of {against:g}: "
            f"{', '.join(parts)}."
        )


def _missing(answer: Answer, left_out: Sequence[str]) -> Iterator[str]:
    largest = _at_largest(answer.frontier)
    if largest.height == 1:
        yield "The runs have one alpha: nothing to compare."
    if recommended(answer) is None:
        yield "No recommendation: the preference weighs a score that the runs have not measured."
    if left_out:
        yield f"Left out, as runs are missing from the grid: {'; '.join(left_out)}."
    if largest["seeds"].max() == 1:
        yield (
            "The runs have one seed: what another would change is unknown, and every interval is "
            "over questions alone."
        )


def _undecided(answer: Answer) -> Iterator[str]:
    """On the recommended alpha and its rivals."""
    best = recommended(answer)
    if best is None:
        return
    rivals = _at_largest(answer.frontier).filter(
        pl.col("best") > 1 - CONFIDENT, pl.col("alpha") != best["alpha"]
    )
    if rivals.height:
        names = [f"alpha {a:g} ({_chance(b)})" for a, b in rivals.select("alpha", "best").rows()]
        yield f"Which alpha is the best is not certain; it may also be {' or '.join(names)}."
    contests = _at_largest(answer.components).drop_nulls("against").filter(
        pl.col("mean_low") <= 0, pl.col("mean_high") >= 0
    )  # fmt: skip
    own = contests.filter((pl.col("alpha") == best["alpha"]) | (pl.col("against") == best["alpha"]))
    for row in own.iter_rows(named=True):
        yield (
            f"In {LABELS[row['setting']]} {label_of(answer.metric)}, alpha {row['alpha']:g} and "
            f"{row['against']:g} cannot be told apart: "
            f"{ranged(row, 'mean', number=signed)}{_deciding(row)}."
        )


def _undecided_pairs(answer: Answer) -> Iterator[str]:
    for alpha, against, rows in _contests(answer):
        undecided = rows.filter(verdict=UNDECIDED)
        if not undecided.height:
            continue
        needed = undecided["seeds_needed"].sort(nulls_last=True)[(undecided.height - 1) // 2]
        decided = "" if needed is None else f"; {needed:,} seeds would decide half of them"
        yield (
            f"With alpha {alpha:g} instead of {against:g}, {undecided.height} of {rows.height} "
            f"language pairs cannot be told apart{decided}."
        )


def _contests(answer: Answer) -> Iterator[tuple[float, float, pl.DataFrame]]:
    """Those of the recommended alpha at the largest scale."""
    best = recommended(answer)
    if best is None or answer.comparisons.is_empty():
        return
    chosen = pl.any_horizontal(pl.col("alpha", "against") == best["alpha"])
    rows = _at_largest(answer.comparisons).filter(chosen)
    for alpha, against in rows.select("alpha", "against").unique(maintain_order=True).iter_rows():
        yield alpha, against, rows.filter(alpha=alpha, against=against)


def _at_largest(frame: pl.DataFrame) -> pl.DataFrame:
    """A scale of null, all there is, is the largest."""
    if frame.is_empty():
        return frame
    if frame["scale"].has_nulls():
        return frame.filter(pl.col("scale").is_null())
    return frame.filter(pl.col("scale") == pl.col("scale").max())


def _deciding(row: Row) -> str:
    ways = [
        f"{row[f'{what}_needed']:,} {what}"
        for what in ("seeds", "questions")
        if row[f"{what}_needed"] is not None
    ]
    return f"; {' or '.join(ways)} in all would decide it" if ways else ""


def _named(rows: pl.DataFrame) -> str:
    largest = rows.sort(pl.col("difference").abs(), descending=True).head(NAMED_PAIRS)
    names = [f"{pair} {signed(d)}" for pair, d in largest.select("pair", "difference").iter_rows()]
    return ", ".join([*names, "..."] if rows.height > NAMED_PAIRS else names)


def _chance(share: float) -> str:
    """Never certain, as it is a share of draws."""
    if share >= 0.995:
        return "above .99"
    return "below .01" if share < 0.01 else score(share, 2)
