import polars as pl
import pytest

from lingmix.analysis.findings import findings
from lingmix.analysis.groups import measured
from lingmix.analysis.overview import facts, steps
from lingmix.analysis.results import results_of
from lingmix.analysis.summary import summarise

from .conftest import NO_EVALUATIONS, cell, frame


def found(cells: pl.DataFrame) -> list[tuple[str, list[str]]]:
    runs = measured(cells, "toy")
    return findings(runs, summarise(runs))


def test_the_sentences_of_the_demo_follow_from_its_numbers(demo: pl.DataFrame) -> None:
    [(words, sentences)] = found(demo)
    assert words == ""
    assert sentences == [
        "Without augmentation (scale 0), alpha 0.5 reaches multilingual mAP .177 ± .004, against "
        ".165 ± .000 (alpha 1) and .186 ± .000 (alpha 0): −.009 against alpha 0, 95% interval "
        "−.019 to +.001 over 3 seeds, so it may be noise.",
        "At scale 400, alpha 0.5 reaches multilingual mAP .227 ± .004, against .165 ± .000 "
        "(alpha 1) and .186 ± .000 (alpha 0): +.041 against alpha 0, 95% interval +.031 to +.051 "
        "over 3 seeds.",
        "In the other settings alpha 0.5 means, at scale 400: −.110 monolingual and +.213 "
        "cross-lingual against alpha 1; +.191 monolingual and +.021 cross-lingual against "
        "alpha 0.",
        "The gain of alpha 0.5 over the better pure strategy in multilingual mAP is −.009 at "
        "scale 0 and +.041 at scale 400.",
    ]


def test_one_seed_is_said_to_be_one() -> None:
    [(_, [first, *_])] = found(frame(cell(0.5), cell(1)))
    assert first.endswith(
        "against .200 (alpha 1): +.000 against alpha 1 (one seed, so it may be noise)."
    )


def test_without_a_hybrid_the_scores_are_only_listed() -> None:
    [(_, sentences)] = found(frame(cell(0), cell(1)))
    assert sentences == ["At scale 400, multilingual mAP is .200 (alpha 0) and .200 (alpha 1)."]


def test_of_several_hybrids_the_best_is_named_as_such() -> None:
    cells = frame(cell(0.3), cell(0.7, maps=(0.5, 0.3, 0.4)), cell(0), cell(1))
    [(_, [first, *_])] = found(cells)
    assert "alpha 0.7 (the best of 2 hybrids) reaches multilingual mAP .400" in first


def test_strategies_that_share_no_seed_are_not_tested() -> None:
    [(_, [sentence])] = found(frame(cell(0.5, seed=1), cell(1, seed=2)))
    assert sentence.endswith("no seed is shared, so the difference is not tested.")


def test_without_the_multilingual_setting_the_next_one_speaks() -> None:
    cells = frame(cell(0.5), cell(1)).drop("test/toy/multilingual/map")
    [(_, [first, *_])] = found(cells)
    assert "reaches cross-lingual mAP .300" in first


@pytest.mark.parametrize(
    ("counts", "short", "told"),
    [
        (["300", "300"], "300 steps", "every run trained for 300 steps"),
        (
            ["1000", "300"],
            "steps differ",
            "runs trained for different numbers of steps (300, 1000)",
        ),
    ],
)
def test_steps_are_stated_or_said_to_differ(counts: list[str], short: str, told: str) -> None:
    cells = frame(cell(0), cell(1)).with_columns(pl.Series("param.trainer.max_steps", counts))
    assert steps(cells) == short
    assert dict(facts(results_of(cells, NO_EVALUATIONS)))["Training"] == told


def test_facts_count_runs_and_seeds_and_name_what_differs() -> None:
    told = dict(
        facts(
            results_of(
                frame(
                    cell(0, None, lr="0.1", encoder__name="tiny"),
                    cell(1, 0, seed=2, lr="0.2", encoder__name="tiny"),
                ),
                NO_EVALUATIONS,
            )
        )
    )
    assert told["Runs"] == "2 complete; 2 seeds (1, 2)"
    assert told["Scale"] == "0, all"
    assert told["lr differs"].startswith("0.1, 0.2;")
    assert told["encoder.name"] == "tiny"
