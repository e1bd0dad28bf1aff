import numpy as np

from lingmix.analysis.pareto_front import on_frontier


def test_frontier_of_five_points() -> None:
    points_N2 = np.array([[1, 5], [2, 4], [3, 1], [2, 3], [1, 4]])
    assert on_frontier(points_N2).tolist() == [True, True, True, False, False]


def test_equal_points_stay_together() -> None:
    points_N2 = np.array([[1.0, 1.0], [1.0, 1.0], [0.5, 1.0]])
    assert on_frontier(points_N2).tolist() == [True, True, False]


def test_one_point_is_its_own_frontier() -> None:
    assert on_frontier(np.array([[0.3, 0.7]])).tolist() == [True]
