import io

import numpy as np
import polars as pl
from PIL import Image

from lingmix.analysis.baselines import evaluated
from lingmix.analysis.groups import measured
from lingmix.analysis.plots.gallery import Picture, bias_maps
from tests.analysis.conftest import NO_CELLS, NO_EVALUATIONS, Cell, cell, evaluation, frame


def excess(own: float) -> dict[str, float]:
    return {f"{q}-{p}": own if q == p else -own for q in ("de", "en") for p in ("de", "en")}


def maps(cells: pl.DataFrame, evaluations: pl.DataFrame) -> list[Picture]:
    return bias_maps(measured(cells, "toy"), evaluated(evaluations, "toy"), set_name="toy")


def of_encoders(*rows: Cell) -> list[Picture]:
    return maps(NO_CELLS, frame(*rows))


def test_each_alpha_of_the_largest_scale_and_each_encoder_has_a_bias_map() -> None:
    cells = frame(*(cell(a, s, excess=excess(0.1)) for a in (0, 1) for s in (0, 400)))
    evaluations = frame(evaluation("a/b", excess=excess(0.2)), evaluation("bm25"))
    found = maps(cells, evaluations)
    assert [(picture.file, picture.caption) for picture in found] == [
        ("toy-bias-alpha-0.png", "toy, scale 400: excess share at alpha 0"),
        ("toy-bias-alpha-1.png", "toy, scale 400: excess share at alpha 1"),
        ("toy-bias-encoder-1.png", "toy: excess share of a/b"),
    ]


def test_runs_without_excess_shares_have_no_bias_map() -> None:
    assert maps(frame(cell(0), cell(1)), NO_EVALUATIONS) == []
    some = frame(cell(0), cell(1, excess=excess(0.1)))
    assert [picture.stem for picture in maps(some, NO_EVALUATIONS)] == ["toy-bias-alpha-1"]


def test_the_bias_maps_of_a_set_share_their_colours_ends() -> None:
    little, much = evaluation("a", excess=excess(0.1)), evaluation("b", excess=excess(0.5))
    [little_alone], [much_alone] = of_encoders(little), of_encoders(much)
    little_beside, much_beside = of_encoders(little, much)
    assert little_beside.png != little_alone.png
    assert much_beside.png == much_alone.png


def test_a_share_that_is_due_is_neither_blue_nor_red() -> None:
    def reddest(other: float) -> int:
        [picture] = of_encoders(evaluation(excess={"en-en": 0.5, "en-de": other}))
        with Image.open(io.BytesIO(picture.png)) as image:
            return int((np.asarray(image.convert("RGB")) == (103, 0, 31)).all(axis=-1).sum())

    assert reddest(-0.5) > 3000
    assert reddest(0.0) < 1000


def test_languages_that_an_encoder_was_not_measured_in_are_not_in_its_map() -> None:
    few, many = evaluation("a", excess={"en-en": 0.1}), evaluation("b", excess=excess(0.1))
    [alone] = of_encoders(few)
    assert of_encoders(few, many)[0].png == alone.png
