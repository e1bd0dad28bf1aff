import math

import polars as pl

from lingmix.analysis.groups import curves, gaps, groups, keys, measured

from .conftest import NO_CELLS, cell, frame


def test_a_set_that_no_cell_has_gives_no_rows() -> None:
    assert measured(frame(cell()), "b").is_empty()
    assert measured(NO_CELLS, "b").is_empty()


def test_only_params_that_differ_tell_runs_apart_and_copies_of_the_seed_do_not() -> None:
    cells = frame(
        cell(seed=1, optimizer__lr="0.1", data__seed="1", model="x"),
        cell(seed=2, optimizer__lr="0.2", data__seed="2", model="x"),
    )
    assert keys(measured(cells, "toy")) == ["pairs", "param.optimizer.lr"]


def test_a_param_that_only_some_runs_have_tells_them_apart() -> None:
    cells = frame(cell(seed=1), cell(seed=2, optimizer__lr="0.2"))
    assert measured(cells, "toy")["param.optimizer.lr"].to_list() == ["0.2", "—"]


def test_of_runs_that_repeat_a_seed_the_first_counts_which_is_the_newest() -> None:
    cells = frame(*(cell(seed=1, maps=(value, 0, 0)) for value in (0.2, 0.4)))
    assert measured(cells, "toy")["monolingual"].to_list() == [0.2]


def test_nan_is_not_measured() -> None:
    runs = measured(frame(cell(rank_distance=math.nan)), "toy")
    assert runs["rank_distance"].to_list() == [None]


def test_a_set_without_monolingual_queries_keeps_its_other_settings() -> None:
    runs = measured(frame(cell()).drop("test/toy/monolingual/map"), "toy")
    assert runs.select("monolingual", "crosslingual").rows() == [(None, 0.3)]


def test_rows_run_from_the_smallest_scale_to_all_and_params_in_number_order() -> None:
    cells = frame(*(cell(scale=s, batch=b) for s in (None, 400, 0) for b in ("1024", "256")))
    runs = measured(cells, "toy")
    assert runs.select("param.batch", "scale").rows() == [
        (batch, scale) for batch in ("256", "1024") for scale in (0, 400, None)
    ]


def test_params_that_differ_part_the_groups() -> None:
    cells = frame(cell(lr="1"), cell(lr="2"), cell(lr="2", pairs="[en-de]"))
    assert [words for words, _ in groups(measured(cells, "toy"))] == [
        "pairs [en-de], lr 2",
        "pairs all, lr 1",
        "pairs all, lr 2",
    ]


def test_a_param_that_follows_the_scale_names_the_curve_instead() -> None:
    cells = frame(*(cell(a, s, steps=str(s)) for s in (1000, 400) for a in (0, 1)))
    [(words, group)] = groups(measured(cells, "toy"))
    assert words == ""
    assert [name for name, _ in curves(group)] == [
        "scale 400, steps 400",
        "scale 1,000, steps 1000",
    ]


def test_a_full_grid_has_no_gaps(demo: pl.DataFrame) -> None:
    assert gaps(measured(demo, "toy")) == []


def test_gaps_are_named_by_cell_or_by_seed(demo: pl.DataFrame) -> None:
    alpha, scale, seed = pl.col("alpha"), pl.col("scale"), pl.col("seed")
    cells = demo.filter(
        ~((alpha == 1) & (scale == 400)) & ~((alpha == 0) & (scale == 0) & (seed > 1))
    )
    assert gaps(measured(cells, "toy")) == [
        "scale 0, alpha 0, seed 2, 3",
        "scale 400, alpha 1",
    ]
