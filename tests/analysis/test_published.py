import polars as pl
import pytest

from lingmix.analysis.baselines import label
from lingmix.analysis.published import FILE
from lingmix.analysis.results import in_tables, results_of

from .conftest import NO_EVALUATIONS, cell, evaluation, frame

XQUAD_R = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]


def on_languages(*languages: str, set_name: str = "xquad_r"):
    return cell(set_name=set_name, pair_maps={f"{of}-{of}": 0.5 for of in languages})


def labels(*rows, evaluations=NO_EVALUATIONS) -> list[str]:
    (one,) = results_of(frame(*rows), evaluations).sets
    return [label(row) for row in one.encoders.iter_rows(named=True)]


def test_published_rows_stand_below_ours_and_say_so() -> None:
    found = labels(on_languages(*XQUAD_R), evaluations=frame(evaluation("e5", set_name="xquad_r")))
    assert found[0] == "e5"
    assert found[1] == "XLM-R, X-X-mono, published, arXiv 2408.10536"
    assert len(found) == 7


def test_the_report_prints_their_figures() -> None:
    printed = in_tables(results_of(frame(on_languages(*XQUAD_R)), NO_EVALUATIONS))
    lines = [line for line in printed.splitlines() if "LaBSE, hybrid, published" in line]
    assert [figure in line for figure, line in zip((".817", "221.1"), lines, strict=True)] == [
        True,
        True,
    ]


@pytest.mark.parametrize(
    "row", [on_languages(*XQUAD_R[:-1]), on_languages(*XQUAD_R, set_name="mlqa_r"), cell()]
)
def test_a_mean_over_other_languages_has_no_published_row(row) -> None:
    assert labels(row) == []


def test_the_published_means_are_those_of_the_published_reductions_of_language_bias() -> None:
    """The paper says by how much hybrid batches lower rank distance: 30.1 % and 15.4 % on XQuAD-R,
    21 % and 13.4 % on MLQA-R."""
    distance = pl.read_csv(FILE).pivot("settings", index=("set", "encoder"), values="rank_distance")
    reduction = distance.select(100 * (1 - pl.col("hybrid") / pl.col("X-X-mono"))).to_series()
    assert reduction.to_list() == pytest.approx([30.1, 15.4, 21.0, 13.4], abs=0.06)
