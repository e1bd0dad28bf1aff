import math

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from lingmix.analysis.groups import measured
from lingmix.analysis.plots.against_alpha import against_alpha
from lingmix.analysis.plots.heatmap import PairScores, heatmap, pair_scores
from lingmix.analysis.plots.tradeoff import tradeoff
from lingmix.analysis.summary import summarise
from tests.analysis.conftest import cell, frame


def drawn(cells: pl.DataFrame) -> Figure:
    return tradeoff(summarise(measured(cells, "toy")), title="toy ($x$)")


def test_dominated_points_are_hollow() -> None:
    figure = drawn(
        frame(
            cell(0, 0, maps=(0.5, 0.3, 0)),
            cell(0.5, 0, maps=(0.7, 0.2, 0)),
            cell(0, 400, maps=(0.6, 0.3, 0)),
        )
    )
    [axes] = figure.axes
    faces = {
        tuple(np.asarray(line.get_xydata())[0]): line.get_markerfacecolor()
        for line in axes.lines
        if line.get_marker() in {"o", "s"}
    }
    hollow = {point for point, face in faces.items() if isinstance(face, str) and face == "white"}
    assert len(faces) == 3
    assert hollow == {(0.5, 0.3)}


def test_every_point_carries_its_alpha_and_no_label_overlaps_another() -> None:
    alphas = (0, 0.25, 0.5, 0.75, 1)
    figure = drawn(
        frame(*(cell(a, s, maps=(0.5 + a / 9 + s / 9e4, 0.4 - a**2 / 9, 0))
                for a in alphas for s in (0, 400)))
    )  # fmt: skip
    figure.draw_without_rendering()
    labels = [text for text in figure.axes[0].texts if isinstance(text, Annotation)]
    assert sorted(label.get_text() for label in labels) == sorted(f"{a:g}" for a in alphas * 2)
    boxes = [label.get_window_extent() for label in labels]
    assert not any(boxes[i].overlaps(boxes[j]) for i in range(len(boxes)) for j in range(i))


def test_a_missing_alpha_breaks_the_line() -> None:
    cells = frame(*(cell(a, s) for a, s in ((0, 0), (0.5, 0), (1, 0), (0, 400), (1, 400))))
    figure = against_alpha(summarise(measured(cells, "toy")), "monolingual", title="toy")
    solid = [line for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    drawn_N2 = [np.asarray(line.get_xydata()) for line in solid]
    heights = [points_N2[:, 1].tolist() for points_N2 in drawn_N2 if len(points_N2) == 3]
    assert heights[0] == [0.5, 0.5, 0.5]
    assert [math.isnan(value) for value in heights[1]] == [False, True, False]


def test_query_languages_run_down_and_passage_languages_across() -> None:
    runs = measured(
        frame(
            cell(seed=1, pair_maps={"en-de": 0.1, "de-en": 0.7}, excess={"en-en": 0.9}),
            cell(seed=2, pair_maps={"en-de": 0.3, "de-en": 0.7}),
        ),
        "toy",
    )
    scores = pair_scores(runs, "map")
    assert (scores.queries, scores.passages) == (("de", "en"), ("de", "en"))
    np.testing.assert_allclose(scores.scores_QP, [[np.nan, 0.7], [0.2, np.nan]])
    assert pair_scores(runs, "excess_share").scores_QP.tolist() == [[0.9]]


def test_the_heat_map_is_drawn_and_labelled_as_the_table_reads() -> None:
    scores = PairScores(("de", "en"), ("fr", "ru"), np.array([[0.1, np.nan], [0.3, 0.4]]))
    figure = heatmap(scores, title="toy", limits=(0.1, 0.4), difference=False)
    axes = figure.axes[0]
    assert axes.get_ylabel() == "query language"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["de", "en"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["fr", "ru"]
    assert {(t.get_position(), t.get_text()) for t in axes.texts} == {
        ((0, 0), ".10"),
        ((0, 1), ".30"),
        ((1, 1), ".40"),
    }
    drawn = axes.images[0].get_array()
    assert drawn is not None
    np.testing.assert_array_equal(np.ma.getdata(drawn), scores.scores_QP)


def test_thirteen_languages_are_too_many_for_numbers() -> None:
    names = tuple("abcdefghijklm")
    scores = PairScores(names, names, np.ones((13, 13)))
    assert not heatmap(scores, title="", limits=(0, 1), difference=False).axes[0].texts
