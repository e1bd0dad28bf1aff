import polars as pl
import pytest
import vl_convert as vlc

from lingmix.analysis.groups import measured
from lingmix.analysis.page.figures.against_alpha import against_alpha
from lingmix.analysis.page.figures.figure import Figure, png
from lingmix.analysis.page.figures.pair_map import MOST_NUMBERED, colours_of, pair_map
from lingmix.analysis.page.figures.points import points
from lingmix.analysis.page.figures.tradeoff import tradeoff
from lingmix.analysis.pair_scores import less, pair_scores, with_means
from lingmix.analysis.summary import summarise
from tests.analysis.conftest import cell, frame


def drawn_points(cells: pl.DataFrame) -> pl.DataFrame:
    runs = measured(cells, "toy")
    return points(runs, summarise(runs))


def map_of(scores: dict[tuple[str, str], float], *, difference: bool = False) -> Figure:
    data = pl.DataFrame(
        [(*pair, score) for pair, score in scores.items()],
        schema=["query", "passage", "score"],
        orient="row",
    )
    return pair_map(data, colours_of([data], difference=difference), stem="toy", title="toy")


def marks(svg: str, role: str) -> int:
    return svg.count(f'aria-roledescription="{role}"')


def test_dominated_points_are_told_apart_seed_by_seed() -> None:
    figure = tradeoff(
        drawn_points(
            frame(
                cell(0, 0, seed=1, maps=(0.5, 0.3, 0)),
                cell(0.5, 0, seed=1, maps=(0.7, 0.2, 0)),
                cell(0, 400, seed=1, maps=(0.6, 0.3, 0)),
                cell(0, 0, seed=2, maps=(0.7, 0.3, 0)),
            )
        ),
        stem="toy",
        title="toy",
    )
    dominated = figure.data.filter("dominated").select("curve", "alpha", "seed").rows()
    assert dominated == [("scale 0", 0.0, "1")]


def test_curves_have_a_mean_with_bounds_and_each_seed() -> None:
    runs = frame(*(cell(0.5, 0, seed, maps=(0.3 + seed / 10, 0.2, 0.1)) for seed in (1, 3)))
    found = drawn_points(runs).select("seed", "^monolingual.*$").rows()
    assert found[0] == ("mean", *map(pytest.approx, (0.5, 0.5 - 0.02**0.5, 0.5 + 0.02**0.5)))
    assert found[1:] == [("1", pytest.approx(0.4), None, None), ("3", 0.6, None, None)]


def test_a_missing_alpha_breaks_the_line() -> None:
    cells = frame(*(cell(a, s) for a, s in ((0, 0), (0.5, 0), (1, 0), (0, 400), (1, 400))))
    figure = against_alpha(drawn_points(cells), "monolingual", stem="toy", title="toy")
    means = figure.data.filter(seed="mean").select("curve", "alpha", "monolingual").rows()
    assert means[:3] == [("scale 0", alpha, 0.5) for alpha in (0, 0.5, 1)]
    assert means[3:] == [("scale 400", 0, 0.5), ("scale 400", 0.5, None), ("scale 400", 1, 0.5)]


def test_one_specification_draws_what_its_parameters_choose() -> None:
    cells = frame(*(cell(a, s, seed) for a in (0, 1) for s in (0, 400) for seed in (1, 2)))
    figure = against_alpha(drawn_points(cells), "monolingual", stem="toy", title="a <b> & $c$")
    symbols = 4
    svg = figure.svg()
    assert "a &lt;b&gt; &amp; $c$" in svg
    assert marks(svg, "point") == symbols
    assert png(svg).startswith(b"\x89PNG")
    chosen = figure.specification(width=300)
    chosen["params"] = [
        p | ({"value": "0"} if p["name"] == "scale" else {}) for p in chosen["params"]
    ]
    assert marks(vlc.vegalite_to_svg(chosen), "point") == symbols / 2


def test_the_description_says_the_means() -> None:
    cells = frame(cell(0, 0, maps=(0.5, 0.3, 0)), cell(1, 0, maps=(0.7, 0.1, 0)))
    assert tradeoff(drawn_points(cells), stem="toy", title="toy").description.endswith(
        "scale 0: .500 and .300 at alpha 0, .700 and .100 at alpha 1."
    )


def test_pair_scores_are_those_of_the_runs_that_have_them() -> None:
    runs = measured(
        frame(
            cell(seed=1, pair_maps={"en-de": 0.1, "de-en": 0.7}, excess={"en-en": 0.9}),
            cell(seed=2, pair_maps={"en-de": 0.3}),
        ),
        "toy",
    )
    scores = pair_scores(runs, "map", by=["alpha", "seed"])
    assert scores.rows() == [
        (0.5, 1, "en", "de", 0.1),
        (0.5, 2, "en", "de", 0.3),
        (0.5, 1, "de", "en", 0.7),
    ]
    assert pair_scores(runs, "excess_share", by=()).rows() == [("en", "en", 0.9)]
    means = with_means(scores, over="seed").filter(pl.col("seed").is_null())
    assert means.select("query", "passage", "score").rows() == [
        ("en", "de", pytest.approx(0.2)),
        ("de", "en", 0.7),
    ]


def test_a_change_is_of_the_pairs_that_both_have() -> None:
    scores = pl.DataFrame({"seed": [1, 2, None], "score": [0.5, 0.6, 0.55]})
    base = pl.DataFrame({"seed": [1, None], "score": [0.2, 0.3]})
    changes = less(scores, base, on=["seed"])
    assert changes.rows() == [(1, pytest.approx(0.3)), (None, pytest.approx(0.25))]


def test_query_languages_run_down_and_passage_languages_across() -> None:
    figure = map_of({("de", "fr"): 0.1, ("en", "fr"): 0.3, ("en", "ru"): 0.4})
    [cells, _] = figure.chart["layer"]
    assert (cells["encoding"]["x"]["field"], cells["encoding"]["y"]["field"]) == (
        "passage",
        "query",
    )
    assert "from .100 (queries in de, passages in fr) to .400" in figure.description


def test_a_share_that_is_due_is_the_middle_of_the_colours() -> None:
    figure = map_of({("en", "en"): 0.5, ("en", "de"): -0.2}, difference=True)
    assert figure.chart["layer"][0]["encoding"]["color"]["scale"]["domain"] == [-0.5, 0.5]


def test_cells_are_numbered_while_there_is_room() -> None:
    def numbers(languages: int) -> str:
        names = [f"{n:02}" for n in range(languages)]
        return map_of({(q, p): 1 for q in names for p in names}).svg()

    assert ">1.00<" in numbers(MOST_NUMBERED)
    assert ">1.00</text><" not in numbers(MOST_NUMBERED + 1).split("role-legend")[0]
