import pytest

from lingmix.analysis.gains import gains
from lingmix.analysis.groups import measured
from lingmix.analysis.summary import summarise

from .conftest import cell, frame


def test_gain_is_over_the_better_pure_strategy_of_scale_and_setting() -> None:
    cells = frame(
        cell(0, None, maps=(0.5, 0.3, 0.2)),
        cell(0.5, None, maps=(0.7, 0.4, 0.1)),
        cell(1, None, maps=(0.8, 0.1, 0.2)),
    )
    [row] = gains(summarise(measured(cells, "toy"))).to_dicts()
    assert row["monolingual"] == pytest.approx(-0.1)
    assert row["crosslingual"] == pytest.approx(0.1)
    assert row["multilingual"] == pytest.approx(-0.1)
    assert (row["monolingual_over"], row["crosslingual_over"]) == (1, 0)


def test_gain_is_unknown_without_both_pure_strategies() -> None:
    cells = frame(cell(0, 0), cell(0.5, 0), cell(0.5, 400), cell(1, 400))
    assert gains(summarise(measured(cells, "toy")))["monolingual"].to_list() == [None, None]
