import polars as pl
import pytest

from lingmix.analysis.overview import facts, steps
from lingmix.analysis.results import results_of

from .conftest import NO_EVALUATIONS, cell, frame


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
