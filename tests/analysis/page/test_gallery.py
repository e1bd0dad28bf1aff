import polars as pl

from lingmix.analysis.baselines import evaluated
from lingmix.analysis.groups import measured
from lingmix.analysis.page.figures.figure import Figure
from lingmix.analysis.page.figures.gallery import albums, bias_maps
from lingmix.analysis.summary import summarise
from tests.analysis.conftest import NO_CELLS, NO_EVALUATIONS, Cell, cell, evaluation, frame


def excess(own: float) -> dict[str, float]:
    return {f"{q}-{p}": own if q == p else -own for q in ("de", "en") for p in ("de", "en")}


def maps(cells: pl.DataFrame, evaluations: pl.DataFrame) -> list[Figure]:
    return bias_maps(measured(cells, "toy"), evaluated(evaluations, "toy"), set_name="toy")


def of_encoders(*rows: Cell) -> list[Figure]:
    return maps(NO_CELLS, frame(*rows))


def domain(figure: Figure) -> list[float]:
    return figure.chart["layer"][0]["encoding"]["color"]["scale"]["domain"]


def test_each_alpha_and_each_encoder_has_a_bias_map() -> None:
    cells = frame(*(cell(a, s, excess=excess(0.1)) for a in (0, 1) for s in (0, 400)))
    evaluations = frame(evaluation("a/b", excess=excess(0.2)), evaluation("bm25"))
    found = maps(cells, evaluations)
    assert [(figure.stem, figure.title) for figure in found] == [
        ("toy-bias-alpha-0", "toy: excess share at alpha 0"),
        ("toy-bias-alpha-1", "toy: excess share at alpha 1"),
        ("toy-bias-encoder-1", "toy: excess share of a/b"),
    ]
    assert found[0].data["scale"].unique(maintain_order=True).to_list() == ["0", "400"]


def test_runs_without_excess_shares_have_no_bias_map() -> None:
    assert maps(frame(cell(0), cell(1)), NO_EVALUATIONS) == []
    some = frame(cell(0), cell(1, excess=excess(0.1)))
    assert [figure.stem for figure in maps(some, NO_EVALUATIONS)] == ["toy-bias-alpha-1"]


def test_the_bias_maps_of_a_set_share_their_colours_ends() -> None:
    little, much = evaluation("a", excess=excess(0.1)), evaluation("b", excess=excess(0.5))
    assert domain(*of_encoders(little)) == [-0.1, 0.1]
    assert [*map(domain, of_encoders(little, much))] == [[-0.5, 0.5]] * 2


def test_languages_that_an_encoder_was_not_measured_in_are_not_in_its_map() -> None:
    few, many = evaluation("a", excess={"en-en": 0.1}), evaluation("b", excess=excess(0.1))
    assert of_encoders(few, many)[0].data.rows() == [("en", "en", 0.1)]


def test_a_name_with_braces_is_no_format() -> None:
    runs = measured(frame(*(cell(a, pair_maps={"en-de": a}) for a in (0.5, 1))), "toy")
    [album] = albums(runs, summarise(runs), set_name="a{b}", steps="")
    assert [figure.title for figure in album.changes] == ["a{b}: mAP, alpha 0.5 minus alpha 1"]
    assert [figure.stem for figure in album.changes] == ["a-b-change-alpha-0.5"]
