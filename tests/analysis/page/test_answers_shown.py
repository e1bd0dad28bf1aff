"""An answer on the page: what is drawn, printed and said of it."""

import polars as pl
import pytest

from lingmix.analysis.answer import Answer
from lingmix.analysis.answer_tables import frontier_table, verdict_table
from lingmix.analysis.page.figures.gallery import answer_figures
from lingmix.analysis.page.report import write_report
from lingmix.analysis.results import results_of
from tests.analysis.conftest import NO_EVALUATIONS


def bounded(name: str, value: float, margin: float) -> dict[str, float]:
    return {name: value, f"{name}_low": value - margin, f"{name}_high": value + margin}


def point(alpha: float, mono: float, cross: float, front: float) -> dict[str, float | int]:
    scores = bounded("monolingual", mono, 0.01) | bounded("crosslingual", cross, 0.02)
    return {"scale": 400, "alpha": alpha, "front": front, "best": 0.5} | scores


def contest(pair: str, difference: float, verdict: str) -> dict[str, float | int | str]:
    return {
        **{"scale": 400, "pair": pair, "alpha": 0.5, "against": 1.0, "verdict": verdict},
        **bounded("difference", difference, 0.05),
        **{"effect": 0.1, "p": 0.1, "p_holm": 0.1, "p_max_t": 0.1, "seeds_needed": 4},
    }


@pytest.fixture(scope="module")
def answer() -> Answer:
    differs = {"scale": 400, "alpha": 0.5, "against": 1.0}
    none = dict.fromkeys(Answer._fields, pl.DataFrame())
    return Answer(**none)._replace(
        set_name="toy",
        metric="map",
        group="",
        level=0.95,
        said=["Choose <alpha> 0.5."],
        not_found=["4 more seeds would."],
        frontier=pl.DataFrame([point(0.5, 0.7, 0.3, 0.9), point(1, 0.8, 0.1, 0.2)]),
        region=pl.DataFrame(
            [{"scale": 400, "monolingual": 0.7} | bounded("crosslingual", 0.3, 0.1)]
        ),
        comparisons=pl.DataFrame(
            [contest("de-en", 0.2, "gains"), contest("zh-Hans-de", 0.02, "cannot be told apart")]
        ),
        components=pl.DataFrame(
            [
                {"setting": "crosslingual"} | differs | bounded("mean", 0.2, 0.1),
                {"setting": "monolingual"} | differs | bounded("mean", -0.1, 0.2),
            ]
        ),
    )


def test_marks_are_of_what_differs_from_the_largest_alpha(answer: Answer) -> None:
    [hybrid, mono] = frontier_table(answer).rows
    assert [entry.text for entry in hybrid] == [
        *("400", "0.5", ".700 (.690 to .710)", ".300 (.280 to .320)*", ".90", ".50"),
    ]
    assert not any("*" in entry.text for entry in mono)


def test_marks_are_of_pairs_that_are_told_apart(answer: Answer) -> None:
    assert [[entry.text for entry in row[-3:]] for row in verdict_table(answer).rows] == [
        ["+.200*", "+.150 to +.250", "gains"],
        ["+.020", "−.030 to +.070", "cannot be told apart"],
    ]


def test_the_front_and_each_contest_are_drawn(answer: Answer) -> None:
    front, contest = answer_figures(answer, number=1)
    assert front.data["alpha"].to_list() == [0.5, 1.0, None]
    assert "alpha 1: .800 and .100, on the front with probability .20" in front.description
    assert contest.stem == "toy-answer-1-pairs-0.5-against-1"
    assert contest.data.select("query", "passage").rows() == [("de", "en"), ("zh-Hans", "de")]
    assert contest.description.endswith(
        "Of 2 language pairs: 1 gains, 0 loses, 1 cannot be told apart."
    )
    for figure in (front, contest):
        assert 'aria-roledescription="point"' in figure.svg()


def test_the_recommendation_comes_first_and_then_what_was_not_found(
    answer: Answer, demo: pl.DataFrame, tmp_path
) -> None:
    results = results_of(demo, NO_EVALUATIONS)
    results = results._replace(sets=[one._replace(answers=(answer,)) for one in results.sets])
    [page, *_] = write_report(results, name="demo", folder=tmp_path)
    html = page.read_text()
    told = ["Choose &lt;alpha&gt; 0.5.", "4 more seeds would.", "What was compared", "<figure>"]
    places = [html.index(words) for words in told]
    assert places == sorted(places)
    assert "*" in (tmp_path / "tables" / "toy-answer-1-pairs.tex").read_text()
