"""An answer on the page: what is drawn, printed and said of it."""

import altair as alt
import polars as pl
import pytest

from lingmix.analysis.answer import Answer
from lingmix.analysis.answer_tables import (
    answer_tables,
    exchange_table,
    frontier_table,
    predictor_table,
    verdict_table,
)
from lingmix.analysis.exchange_words import exchange_not_found, exchange_said
from lingmix.analysis.page.figures.gallery import answer_figures
from lingmix.analysis.page.report import write_report
from lingmix.analysis.page.section import section_of
from lingmix.analysis.results import results_of
from lingmix.analysis.scale_tables import best_alpha_table, law_table, moves_table
from lingmix.analysis.table import TextTable
from tests.analysis.conftest import NO_EVALUATIONS

SCRIPT = "<script>alert(1)</script>"


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


def measured(scale: int, mean: float) -> dict[str, float | int | str | None]:
    place = {"setting": "crosslingual", "scale": scale, "alpha": 0.5, "against": None}
    return place | bounded("mean", mean, 0.05)


def step(gained: float, margin: float, rate: float | None) -> dict[str, float | int | None]:
    price = (
        bounded("rate", rate, 0.25) if rate else dict.fromkeys(["rate", "rate_low", "rate_high"])
    )
    place = {"scale": 400, "alpha_from": 1.0, "alpha_to": 0.5}
    return place | bounded("gained", gained, margin) | bounded("paid", 0.1, 0.05) | price


def law(setting: str, exponent: float | None) -> dict[str, float | str | None]:
    numbers = {}
    for name, value, margin in (("exponent", 1, 0.5), ("limit", 0.7, 0.1), ("enough", 4500, 500)):
        found = bounded(name, value, margin)
        numbers |= found if exponent else dict.fromkeys(found)
    status = "converged" if exponent else "not identifiable"
    return {"setting": setting, "alpha": 0.5, "status": status, "miss": None, **numbers}


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
                *(measured(scale, mean) for scale, mean in ((0, 0.2), (100, 0.3), (400, 0.35))),
            ]
        ),
        exchange=pl.DataFrame([step(0.2, 0.1, 0.5), step(0.01, 0.1, None), step(-0.2, 0.1, None)]),
        predictors=pl.DataFrame(
            [
                {"scale": 400, "alpha": 0.5, "against": 1.0, "predictor": "trained", "p": 0.004}
                | bounded("effect", 0.03, 0.02)
            ]
        ),
        laws=pl.DataFrame([law("crosslingual", 1.0), law("monolingual", None)]),
        law_curves=pl.DataFrame(
            [
                {"setting": "crosslingual", "alpha": 0.5, "scale": scale, "measured": scale <= 400}
                | bounded("score", 0.2 + scale / 4000, 0.1)
                for scale in (0, 100, 400, 1600)
            ]
        ).cast({"measured": pl.Float64}),
        moves=pl.DataFrame([{"setting": "utility", "p": 0.004, "f": None, "p_f": None}]),
        best_alphas=pl.DataFrame(
            [
                {"setting": "utility", "scale": scale, "measured": float(scale <= 400)}
                | bounded("best", 0.5, 0.25)
                for scale in (400, 1600)
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
    drawn = answer_figures(answer, number=1)
    [front], [contest] = drawn.front, drawn.pairs
    assert front.data["alpha"].to_list() == [0.5, 1.0, None]
    assert "alpha 1: .800 and .100, on the front with probability .20" in front.description
    assert contest.stem == "toy-answer-1-pairs-0.5-against-1"
    assert contest.data.select("query", "passage").rows() == [("de", "en"), ("zh-Hans", "de")]
    assert contest.description.endswith(
        "Of 2 language pairs: gains: 1, loses: 0, cannot be told apart: 1."
    )
    for figure in (front, contest):
        assert 'aria-roledescription="point"' in figure.svg()


def texts(table: TextTable) -> list[list[str]]:
    return [[entry.text for entry in row] for row in table.rows]


def test_a_rate_is_undefined_or_cannot_be_told_where_it_is_not_a_number(answer: Answer) -> None:
    assert [row[-1] for row in texts(exchange_table(answer))] == [
        *("0.50 (0.25 to 0.75)", "cannot be told", "undefined")
    ]
    [told] = exchange_said(answer.exchange)
    assert told == (
        "From alpha 1 to 0.5, each cross-lingual point gained costs 0.50 monolingual points "
        "(0.25 to 0.75): 20.0 are gained, 10.0 paid."
    )
    untold, undefined = exchange_not_found(answer.exchange)
    assert untold.startswith(
        "The exchange rate from alpha 1 to 0.5: cannot be told, as the cross-lingual gain itself, "
        "+.010 (−.090 to +.110), may be 0; the monolingual loss is "
    )
    assert undefined.startswith(
        "The exchange rate from alpha 1 to 0.5: undefined, as the cross-lingual gain itself, "
        "−.200 (−.300 to −.100), is none; the monolingual loss is "
    )


def test_a_law_that_is_not_told_has_its_status_for_a_number(answer: Answer) -> None:
    assert texts(law_table(answer)) == [
        ["cross-lingual", "0.5", "1.00 (.50 to 1.50)", ".700 (.600 to .800)",
         "4,500 (4,000 to 5,000)", "—"],
        ["monolingual", "0.5", "not identifiable", "—", "—", "—"],
    ]  # fmt: skip


def test_best_alphas_their_test_and_predictors_are_printed(answer: Answer) -> None:
    assert texts(best_alpha_table(answer)) == [
        ["preferred", "400", ".50 (.25 to .75)"],
        ["preferred", "1,600 (foretold)", ".50 (.25 to .75)"],
    ]
    assert texts(moves_table(answer)) == [["preferred", "below .01", "—", "—"]]
    assert texts(predictor_table(answer)) == [
        ["pairs that were trained", "400", "0.5", "1", "+.030 (+.010 to +.050)*", "below .01"]
    ]


def test_laws_are_drawn_with_what_was_measured_and_what_is_foretold(answer: Answer) -> None:
    [figure] = answer_figures(answer, number=1).laws
    assert figure.stem == "toy-answer-1-scale-crosslingual"
    kinds = figure.data.select("kind", "items").rows()
    assert kinds[:6] == [("measured", n) for n in (0, 100, 400)] + [
        ("fitted", n) for n in (0, 100, 400)
    ]
    assert kinds[6:] == [("foretold", 400), ("foretold", 1600)]
    assert figure.description.endswith("alpha 0.5: .200 at 0, .300 at 100, .350 at 400.")
    assert 'stroke-dasharray="5,4"' in figure.svg()
    untold = answer._replace(laws=pl.DataFrame([law("crosslingual", None)]))
    [figure] = answer_figures(untold, number=1).laws
    assert set(figure.data["kind"]) == {"measured", "fitted"}


def test_figures_are_valid_vega_lite(answer: Answer, demo: pl.DataFrame) -> None:
    """Altair raises a ValidationError for a chart that is not."""
    [one] = results_of(demo, NO_EVALUATIONS).sets
    for figure in section_of(one._replace(answers=(answer,)), "300 steps").figures:
        alt.LayerChart.from_dict(figure.chart)


def test_empty_frames_show_nothing(answer: Answer) -> None:
    """As of one alpha and one scale."""
    told = answer._asdict()
    kept = {name: told[name] for name in ("frontier", "region", "components")}
    frames = {name for name, value in told.items() if isinstance(value, pl.DataFrame)}
    bare = answer._replace(**dict.fromkeys(frames, pl.DataFrame()) | kept)
    drawn = answer_figures(bare, number=1)
    assert (len(drawn.front), drawn.pairs, drawn.laws) == (1, [], [])
    shown = answer_tables(bare)._asdict().items()
    assert [name for name, table in shown if table.text.rows] == ["frontier"]


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


def test_a_script_in_the_name_of_a_group_or_a_metric_is_text(
    answer: Answer, demo: pl.DataFrame, tmp_path
) -> None:
    named = answer._replace(set_name=SCRIPT, group=SCRIPT, metric=SCRIPT, said=[SCRIPT])
    results = results_of(demo, NO_EVALUATIONS)
    results = results._replace(sets=[one._replace(answers=(named,)) for one in results.sets])
    [page, *_] = write_report(results, name=SCRIPT, folder=tmp_path)
    html = page.read_text()
    assert SCRIPT not in html
    assert html.count("&lt;script&gt;alert(1)") > 10
