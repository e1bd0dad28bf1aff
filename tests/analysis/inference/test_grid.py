import pytest

from lingmix.analysis.inference.grid import complete_axes
from lingmix.errors import InputError

FULL = [(alpha, scale, seed) for alpha in (0.0, 1.0) for scale in (0, None) for seed in (1, 2, 3)]


def test_a_full_design_is_kept_and_all_there_is_comes_last() -> None:
    assert complete_axes(FULL[::-1]) == ((0.0, 1.0), (0, None), (1, 2, 3), ())


def test_a_seed_that_lacks_one_run_is_cut_by_name() -> None:
    cells = [cell for cell in FULL if cell != (1.0, None, 2)]
    assert complete_axes(cells) == ((0.0, 1.0), (0, None), (1, 3), ("seed 2",))


def test_an_alpha_run_once_is_cut_before_the_seeds_that_lack_it() -> None:
    axes = complete_axes([*FULL, (0.5, 0, 1)])
    assert axes == ((0.0, 1.0), (0, None), (1, 2, 3), ("alpha 0.5",))


def test_no_run_is_refused() -> None:
    with pytest.raises(InputError, match="no run to analyse"):
        complete_axes([])
