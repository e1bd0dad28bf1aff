"""Which figures an evaluation set gets."""

import base64
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from lingmix.analysis.baselines import label
from lingmix.analysis.groups import groups, scale_name
from lingmix.analysis.metric_columns import LABELS
from lingmix.analysis.plots.against_alpha import against_alpha
from lingmix.analysis.plots.heatmap import PairScores, heatmap, pair_scores
from lingmix.analysis.plots.style import png
from lingmix.analysis.plots.tradeoff import tradeoff
from lingmix.evaluation.metric_names import EXCESS_SHARE, MAP, SETTINGS


class Picture(NamedTuple):
    stem: str
    caption: str
    png: bytes

    @property
    def file(self) -> str:
        return f"{self.stem}.png"

    @property
    def data_uri(self) -> str:
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


class Album(NamedTuple):
    """Pictures of one group of comparable runs; `words` tell it from the other groups."""

    words: str
    tradeoffs: list[Picture]
    lines: list[Picture]
    heatmaps: list[Picture]
    changes: list[Picture]

    @property
    def pictures(self) -> list[Picture]:
        return [*self.tradeoffs, *self.lines, *self.heatmaps, *self.changes]


class Place(NamedTuple):
    """Where a group's pictures lie, and what of."""

    stem: str
    about: str


def albums(
    runs: pl.DataFrame, summary: pl.DataFrame, *, set_name: str, steps: str
) -> Iterator[Album]:
    both = zip(_groups(runs, set_name), groups(summary), strict=True)
    for (words, place, group), (_, means) in both:
        yield Album(
            words,
            list(_tradeoffs(means, *place, steps)),
            list(_lines(means, *place, steps)),
            *_heatmaps(group, *place),
        )


def bias_maps(runs: pl.DataFrame, encoders: pl.DataFrame, *, set_name: str) -> list[Picture]:
    """The excess share of each language pair, of each alpha at the largest scale and of each
    encoder evaluated as it is; one colour scale for all."""
    found = [*_bias_of_alphas(runs, set_name), *_bias_of_encoders(encoders, set_name)]
    widest = max(map(abs, _extremes(scores for _, scores in found))) or 1.0
    return [
        Picture(
            place.stem,
            place.about,
            png(heatmap(scores, title=place.about, limits=(-widest, widest), difference=True)),
        )
        for place, scores in found
    ]


def _groups(runs: pl.DataFrame, set_name: str) -> Iterator[tuple[str, Place, pl.DataFrame]]:
    for number, (words, group) in enumerate(groups(runs), start=1):
        stem = _slug(set_name) if not words else f"{_slug(set_name)}-{number}"
        yield words, Place(stem, ", ".join(filter(None, [set_name, words]))), group


def _bias_of_alphas(runs: pl.DataFrame, set_name: str) -> Iterator[tuple[Place, PairScores]]:
    for _, (stem, about), group in _groups(runs, set_name):
        scale, by_alpha = _at_largest_scale(group, EXCESS_SHARE)
        for alpha, scores in by_alpha.items():
            title = f"{about}, scale {scale}: excess share at alpha {alpha:g}"
            yield Place(f"{stem}-bias-alpha-{alpha:g}", title), scores


def _bias_of_encoders(encoders: pl.DataFrame, set_name: str) -> Iterator[tuple[Place, PairScores]]:
    for number, row in enumerate(encoders.iter_slices(1), start=1):
        scores = pair_scores(row[[c.name for c in row if c.count()]], EXCESS_SHARE)
        if scores.queries:
            title = f"{set_name}: excess share of {label(row.row(0, named=True))}"
            yield Place(f"{_slug(set_name)}-bias-encoder-{number}", title), scores


def _tradeoffs(summary: pl.DataFrame, stem: str, about: str, steps: str) -> Iterator[Picture]:
    if not summary.drop_nulls(["monolingual", "crosslingual"]).is_empty():
        title = f"{about}: cross-lingual against monolingual mAP ({steps})"
        yield Picture(f"{stem}-tradeoff", title, png(tradeoff(summary, title=title)))


def _lines(summary: pl.DataFrame, stem: str, about: str, steps: str) -> Iterator[Picture]:
    if summary["alpha"].n_unique() == 1:
        return
    for setting in SETTINGS:
        if summary[setting].count():
            title = f"{about}: {LABELS[setting]} mAP ({steps})"
            figure = against_alpha(summary, setting, title=title)
            yield Picture(f"{stem}-alpha-{setting}", title, png(figure))


def _at_largest_scale(group: pl.DataFrame, figure: str) -> tuple[str, dict[float, PairScores]]:
    """The scale's name, and the figure by alpha, where any pair was measured."""
    largest = group["scale"][-1]
    rows = group.filter(pl.col("scale").eq_missing(largest)).sort("alpha")
    found = {
        alpha: pair_scores(part, figure)
        for (alpha,), part in rows.group_by(["alpha"], maintain_order=True)
    }
    return scale_name(largest), {
        alpha: scores for alpha, scores in found.items() if not np.isnan(scores.scores_QP).all()
    }


def _heatmaps(group: pl.DataFrame, stem: str, about: str) -> tuple[list[Picture], list[Picture]]:
    """Of each alpha at the largest scale, and of each hybrid minus alpha 1."""
    scale, by_alpha = _at_largest_scale(group, MAP)
    changes = {
        alpha: found._replace(scores_QP=found.scores_QP - by_alpha[1.0].scores_QP)
        for alpha, found in by_alpha.items()
        if 0 < alpha < 1 and 1.0 in by_alpha
    }
    place = f"{about}, scale {scale}"
    lowest, highest = _extremes(by_alpha.values())
    widest = max(map(abs, _extremes(changes.values()))) or 1.0
    maps = [
        Picture(
            f"{stem}-pairs-alpha-{alpha:g}",
            title := f"{place}: mAP at alpha {alpha:g}",
            png(heatmap(found, title=title, limits=(lowest, highest), difference=False)),
        )
        for alpha, found in by_alpha.items()
    ]
    differences = [
        Picture(
            f"{stem}-change-alpha-{alpha:g}",
            title := f"{place}: mAP, alpha {alpha:g} minus alpha 1",
            png(heatmap(found, title=title, limits=(-widest, widest), difference=True)),
        )
        for alpha, found in changes.items()
    ]
    return maps, differences


def _extremes(scores: Iterable[PairScores]) -> tuple[float, float]:
    values = np.concatenate([[], *(found.scores_QP.ravel() for found in scores)])
    values = values[~np.isnan(values)]
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-.") or "set"
