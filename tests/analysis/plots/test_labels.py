import numpy as np

from lingmix.analysis.plots.labels import place

BOUNDS = np.array([0.0, 0.0, 200.0, 100.0])


def overlaps(first: np.ndarray, second: np.ndarray) -> bool:
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    return bool((high > low + 1e-9).all())


def test_labels_of_a_crowd_cover_neither_points_nor_each_other() -> None:
    points_N2 = np.array([[100.0, 50], [106, 50], [100, 56], [94, 47], [99, 42]])
    markers = np.hstack([points_N2 - 3, points_N2 + 3])
    sizes = np.full((5, 2), [20.0, 10.0])
    boxes = place(points_N2=points_N2, sizes_N2=sizes, taken_T4=markers, bounds=BOUNDS)
    assert np.allclose(boxes[:, 2:] - boxes[:, :2], sizes)
    assert not any(overlaps(box, marker) for box in boxes for marker in markers)
    assert not any(overlaps(boxes[i], boxes[j]) for i in range(5) for j in range(i))


def test_a_label_at_the_corner_stays_inside() -> None:
    [box] = place(
        points_N2=np.array([[199.0, 99.0]]),
        sizes_N2=np.array([[20.0, 10.0]]),
        taken_T4=np.empty((0, 4)),
        bounds=BOUNDS,
    )
    assert (box[:2] >= BOUNDS[:2]).all()
    assert (box[2:] <= BOUNDS[2:]).all()


def test_a_lone_label_stands_above_its_point() -> None:
    [box] = place(
        points_N2=np.array([[100.0, 50.0]]),
        sizes_N2=np.array([[20.0, 10.0]]),
        taken_T4=np.empty((0, 4)),
        bounds=BOUNDS,
    )
    assert (box[0] + box[2]) / 2 == 100
    assert box[1] > 50
