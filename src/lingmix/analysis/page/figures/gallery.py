"""Which figures an evaluation set gets."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from lingmix.analysis.answer import Answer
from lingmix.analysis.baselines import label
from lingmix.analysis.curve_scores import ENTROPIES
from lingmix.analysis.groups import SCALE_NAMES, groups
from lingmix.analysis.metric_columns import LABELS, label_of
from lingmix.analysis.page.figures.against_alpha import against_alpha
from lingmix.analysis.page.figures.against_scale import against_scale
from lingmix.analysis.page.figures.controls import MEAN
from lingmix.analysis.page.figures.figure import Figure
from lingmix.analysis.page.figures.front import front
from lingmix.analysis.page.figures.pair_gains import pair_gains
from lingmix.analysis.page.figures.pair_map import colours_of, pair_map
from lingmix.analysis.page.figures.points import points
from lingmix.analysis.page.figures.tradeoff import tradeoff
from lingmix.analysis.pair_scores import less, pair_scores, with_means
from lingmix.analysis.scale_words import NAMES
from lingmix.data.items import LanguagePair
from lingmix.evaluation.metric_names import EXCESS_SHARE, MAP, SETTINGS


class Album(NamedTuple):
    """Figures of one group of comparable runs; `words` tell it from the other groups."""

    words: str
    tradeoffs: list[Figure]
    lines: list[Figure]
    maps: list[Figure]
    changes: list[Figure]

    @property
    def figures(self) -> list[Figure]:
        return [*self.tradeoffs, *self.lines, *self.maps, *self.changes]


class Place(NamedTuple):
    """What the names of a group's files begin with, and what its figures are of."""

    stem: str
    about: str


def albums(
    runs: pl.DataFrame, summary: pl.DataFrame, *, set_name: str, steps: str
) -> Iterator[Album]:
    """Yields the figures of each group of comparable runs of a set; `steps` says how long they
    were trained."""
    both = zip(_groups(runs, set_name), groups(summary), strict=True)
    for (words, place, group), (_, means) in both:
        drawn = points(group, means)
        yield Album(
            words,
            list(_tradeoffs(drawn, *place, steps)),
            list(_lines(drawn, *place, steps)),
            *_maps(group, *place),
        )


class AnswerFigures(NamedTuple):
    """The front, what each alpha changes of each language pair against another, and scores against
    scale; none where there is nothing to draw."""

    front: list[Figure]
    pairs: list[Figure]
    laws: list[Figure]


def answer_figures(answer: Answer, *, number: int) -> AnswerFigures:
    """`number` is the answer's among its set's."""
    stem = f"{slug(answer.set_name)}-answer-{number}"
    about = ", ".join(filter(None, [answer.set_name, answer.group]))
    metric = label_of(answer.metric)
    drawn = AnswerFigures([], [], [])
    if {"monolingual", "crosslingual"} <= {*answer.frontier.columns}:
        title = f"{about}: cross-lingual against monolingual {metric}"
        drawn.front.append(front(answer, metric=metric, stem=f"{stem}-front", title=title))
    contests = answer.comparisons
    if contests.height:
        for (alpha, against), rows in contests.group_by(["alpha", "against"], maintain_order=True):
            what = f"pairs-{alpha:g}-against-{against:g}"
            title = f"{about}: {metric} of language pairs, alpha {alpha:g} minus alpha {against:g}"
            drawn.pairs.append(pair_gains(rows, stem=f"{stem}-{what}", title=title))
    if answer.law_curves.height:
        for setting in answer.law_curves["setting"].unique(maintain_order=True):
            if setting in ENTROPIES:
                continue  # the tables have their laws
            drawn.laws.append(
                against_scale(
                    answer,
                    setting,
                    metric=metric,
                    stem=f"{stem}-scale-{setting}",
                    title=f"{about}: {NAMES[setting]} {metric} against scale",
                )
            )
    return drawn


def bias_maps(runs: pl.DataFrame, encoders: pl.DataFrame, *, set_name: str) -> list[Figure]:
    """The excess share of each language pair, of each alpha and of each encoder evaluated as it is;
    one colour scale for all."""
    found = [*_bias_of_alphas(runs, set_name), *_bias_of_encoders(encoders, set_name)]
    colours = colours_of([scores for _, scores in found], difference=True)
    return [pair_map(scores, colours, stem=p.stem, title=p.about) for p, scores in found]


def transfer_maps(moved: pl.DataFrame, *, set_name: str) -> list[Figure]:
    """What each choice of pairs to train on changes of each language pair; one colour scale for
    all."""
    if moved.is_empty():
        return []
    pairs = [LanguagePair.parse(pair) for pair in moved["pair"]]
    rows = moved.with_columns(
        query=pl.Series([pair.query for pair in pairs]),
        passage=pl.Series([pair.passage for pair in pairs]),
        score="difference",
    )
    by = ["group", "trained", "against"]
    found = [*rows.group_by(by, maintain_order=True)]
    colours = colours_of([rows], difference=True)
    return [
        pair_map(
            some.select("query", "passage", "score"),
            colours,
            stem=f"{slug(set_name)}-transfer-{number}",
            title=", ".join(filter(None, [set_name, group]))
            + f": trained on {trained} instead of {against}",
        )
        for number, ((group, trained, against), some) in enumerate(found, start=1)
    ]


def _groups(runs: pl.DataFrame, set_name: str) -> Iterator[tuple[str, Place, pl.DataFrame]]:
    for number, (words, group) in enumerate(groups(runs), start=1):
        stem = slug(set_name) if not words else f"{slug(set_name)}-{number}"
        yield words, Place(stem, ", ".join(filter(None, [set_name, words]))), group


def _bias_of_alphas(runs: pl.DataFrame, set_name: str) -> Iterator[tuple[Place, pl.DataFrame]]:
    for _, (stem, about), group in _groups(runs, set_name):
        for alpha, scores in _by_alpha(group, EXCESS_SHARE).items():
            title = f"{about}: excess share at alpha {alpha:g}"
            yield Place(f"{stem}-bias-alpha-{alpha:g}", title), scores


def _bias_of_encoders(
    encoders: pl.DataFrame, set_name: str
) -> Iterator[tuple[Place, pl.DataFrame]]:
    for number, row in enumerate(encoders.iter_slices(1), start=1):
        scores = pair_scores(row, EXCESS_SHARE, by=())
        if scores.height:
            title = f"{set_name}: excess share of {label(row.row(0, named=True))}"
            yield Place(f"{slug(set_name)}-bias-encoder-{number}", title), scores


def _tradeoffs(drawn: pl.DataFrame, stem: str, about: str, steps: str) -> Iterator[Figure]:
    if drawn.drop_nulls(["monolingual", "crosslingual"]).height:
        title = f"{about}: cross-lingual against monolingual mAP ({steps})"
        yield tradeoff(drawn, stem=f"{stem}-tradeoff", title=title)


def _lines(drawn: pl.DataFrame, stem: str, about: str, steps: str) -> Iterator[Figure]:
    if drawn["alpha"].n_unique() == 1:
        return
    for setting in SETTINGS:
        if drawn[setting].count():
            title = f"{about}: {LABELS[setting]} mAP ({steps})"
            yield against_alpha(drawn, setting, stem=f"{stem}-alpha-{setting}", title=title)


def _maps(group: pl.DataFrame, stem: str, about: str) -> tuple[list[Figure], list[Figure]]:
    """Of each alpha, and of each hybrid minus alpha 1."""
    by_alpha = _by_alpha(group, MAP)
    on = ["scale", "seed", "query", "passage"]
    changes = {
        alpha: less(scores, by_alpha[1.0], on=on)
        for alpha, scores in by_alpha.items()
        if 0 < alpha < 1 and 1.0 in by_alpha
    }
    mixes = {alpha: f"mAP at alpha {alpha:g}" for alpha in by_alpha}
    hybrids = {alpha: f"mAP, alpha {alpha:g} minus alpha 1" for alpha in changes}
    return (
        _drawn(by_alpha, mixes, Place(f"{stem}-pairs", about), difference=False),
        _drawn(changes, hybrids, Place(f"{stem}-change", about), difference=True),
    )


def _drawn(
    maps: dict[float, pl.DataFrame], titles: dict[float, str], place: Place, *, difference: bool
) -> list[Figure]:
    colours = colours_of([*maps.values()], difference=difference)
    return [
        pair_map(
            scores,
            colours,
            stem=f"{place.stem}-alpha-{alpha:g}",
            title=f"{place.about}: {titles[alpha]}",
        )
        for alpha, scores in maps.items()
    ]


def _by_alpha(group: pl.DataFrame, metric: str) -> dict[float, pl.DataFrame]:
    """Of the alphas that have it: scale, seed (and their mean), languages and score."""
    scores = with_means(pair_scores(group, metric, by=["alpha", "scale", "seed"]), over="seed")
    scores = scores.with_columns(SCALE_NAMES, pl.col("seed").cast(pl.String).fill_null(MEAN))
    return {
        alpha: part.drop("alpha")
        for (alpha,), part in scores.sort("alpha", maintain_order=True).group_by(
            ["alpha"], maintain_order=True
        )
    }


def slug(text: str) -> str:
    """What may stand in a file's name."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "set"
