import pytest

from lingmix.analysis.baselines import evaluated, label

from .conftest import NO_EVALUATIONS, Cell, evaluation, frame


def labels(*rows: Cell, set_name: str = "toy") -> list[str]:
    return [label(row) for row in evaluated(frame(*rows), set_name).iter_rows(named=True)]


def test_each_encoder_is_a_row_by_its_name_whatever_else_tells_it_from_others() -> None:
    assert labels(evaluation("e5", pooling="mean"), evaluation("bm25")) == ["bm25", "e5"]


def test_settings_tell_the_evaluations_of_one_encoder_apart() -> None:
    found = labels(
        evaluation("e5", depth="1000", precision="bf16"),
        evaluation("e5", depth="None", precision="bf16"),
        evaluation("bm25", depth="None"),
    )
    assert found == ["bm25", "e5, depth 1000", "e5, depth None"]


def test_a_setting_that_one_of_two_lacks_tells_them_apart() -> None:
    assert labels(evaluation("e5"), evaluation("e5", search__links="32")) == [
        "e5",
        "e5, search.links 32",
    ]


def test_of_evaluations_alike_the_first_counts_which_is_the_newest() -> None:
    rows = evaluation(maps=(0.9, 0.1, 0.2)), evaluation(maps=(0.1, 0.1, 0.1))
    assert evaluated(frame(*rows), "toy")["monolingual"].to_list() == [0.9]


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        ("evaluation__toy__split", ["bm25", "bm25, evaluation.toy.split test"]),
        ("evaluation__other__split", ["bm25"]),
    ],
)
def test_only_what_this_set_was_read_from_tells_apart(param: str, expected: list[str]) -> None:
    assert labels(evaluation(), evaluation(**{param: "test"})) == expected


def test_an_evaluation_on_another_set_has_no_row() -> None:
    rows = evaluation("bm25", set_name="other"), evaluation("e5")
    assert labels(*rows) == ["e5"]
    assert evaluated(NO_EVALUATIONS, "toy").is_empty()
