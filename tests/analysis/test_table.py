import polars as pl
import pytest

from lingmix.analysis.baselines import evaluated
from lingmix.analysis.groups import measured
from lingmix.analysis.summary import summarise
from lingmix.analysis.table import contest_table, markdown, score, set_tables, signed

from .conftest import NO_CELLS, NO_EVALUATIONS, cell, evaluation, frame


def tables(cells: pl.DataFrame, evaluations: pl.DataFrame = NO_EVALUATIONS) -> str:
    return markdown(set_tables(summarise(measured(cells, "toy")), evaluated(evaluations, "toy")))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.2274, ".227"),
        (1.0, "1.000"),
        (0.9996, "1.000"),
        (0.0, ".000"),
        (-0.0124, "−.012"),
        (-0.0004, ".000"),
    ],
)
def test_scores_are_printed_as_papers_do(value: float, text: str) -> None:
    assert score(value) == text


def test_differences_carry_their_sign() -> None:
    assert [signed(0.0406), signed(-0.0406), signed(None)] == ["+.041", "−.041", "—"]
    assert [signed(-0.0004), signed(-0.0)] == ["+.000", "+.000"]


def test_markdown_of_a_hand_made_grid() -> None:
    cells = frame(
        cell(0, 0, 1, maps=(0.5, 0.3, 0.2), rank_distance=80),
        cell(1, 0, 1, maps=(0.7, 0.1, 0.1), rank_distance=90),
        cell(1, 0, 2, maps=(0.9, 0.1, 0.1), rank_distance=90),
    )
    assert tables(cells).partition("\n#")[0] == (
        "| scale | alpha | seeds | monolingual | cross-lingual | multilingual | rank distance |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| 0 | 0 | 1 | .500 | **.300** | **.200** | **80.0** |\n"
        "| 0 | 1 | 2 | **.800 ± .141** | .100 ± .000 | .100 ± .000 | 90.0 ± 0.0 |\n"
    )


def test_what_differs_leads_the_line_and_cannot_break_the_table() -> None:
    cells = frame(cell(lr="a|b\nc"), cell(lr="1", pairs="[en-de]"))
    lines = tables(cells).splitlines()
    assert lines[0].startswith("| pairs | lr | scale | alpha |")
    assert lines[2].startswith("| [en-de] | 1 | 400 |")
    assert lines[3].startswith("| all | a\\|b c | 400 |")


def test_a_setting_that_was_not_measured_is_a_dash() -> None:
    cells = frame(cell()).with_columns(pl.lit(None).alias("test/toy/crosslingual/map"))
    assert "| .500 | — | .200 |" in tables(cells)


def test_contests_have_the_differences_of_settings_with_their_intervals() -> None:
    contests = pl.DataFrame(
        {
            "group": [""], "scale": [400], "alpha": [0.5], "against": [1.0],
            "monolingual": [-0.2], "monolingual_low": [-0.3], "monolingual_high": [-0.1],
        }
    )  # fmt: skip
    table = contest_table(contests)
    assert table.header[:3] == ("scale", "alpha", "against alpha")
    assert [e.text for e in table.rows[0]] == [
        *("400", "0.5", "1", "−.200 (−.300 to −.100)", "—", "—")
    ]


BIAS = {
    "rank_distance": 80.0,
    "share_gap": 0.25,
    "same_language_preference": 0.5,
    "same_language_excess": -0.125,
}


def test_an_experiment_of_evaluations_alone_has_their_tables_and_no_other() -> None:
    evaluations = frame(evaluation("e5", bias=BIAS | {"peer": 0.5}), evaluation("bm25", bias=BIAS))
    assert tables(NO_CELLS, evaluations) == (
        "### Encoders evaluated as they are\n"
        "\n"
        "| encoder | monolingual | cross-lingual | multilingual | rank distance |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| bm25 | .800 | .100 | .300 | 80.0 |\n"
        "| e5 | .800 | .100 | .300 | 80.0 |\n"
        "\n"
        "### Language bias\n"
        "\n"
        "| encoder | rank distance | share gap | same-language preference | same-language excess "
        "| PEER |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| bm25 | 80.0 | .250 | +.500 | −.125 | — |\n"
        "| e5 | 80.0 | .250 | +.500 | −.125 | .500 |\n"
    )


def test_language_bias_of_cells_is_the_mean_over_seeds_with_its_spread() -> None:
    cells = frame(
        *(
            cell(1, 0, seed, bias=BIAS | {"same_language_preference": value})
            for seed, value in ((1, -0.25), (2, -0.75))
        ),
        cell(0, 0, 1, bias=BIAS),
    )
    lines = tables(cells).partition("### Language bias")[2].splitlines()
    assert lines[2].startswith("| scale | alpha | seeds | rank distance | share gap |")
    assert lines[4] == "| 0 | 0 | 1 | **80.0** | **.250** | **+.500** | **−.125** | — |"
    assert lines[5].startswith(
        "| 0 | 1 | 2 | **80.0 ± 0.0** | **.250 ± .000** | **−.500 ± .354** |"
    )


def test_without_a_figure_of_language_bias_there_is_no_table_of_it() -> None:
    cells = frame(cell()).drop("test/toy/multilingual/rank_distance")
    assert "Language bias" in tables(frame(cell()))
    assert "Language bias" not in tables(cells, frame(evaluation()))
