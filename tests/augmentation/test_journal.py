import pytest

from lingmix.augmentation.budget import Budget, Cost, Prices
from lingmix.augmentation.journal import NAME, Journal, open_journal
from lingmix.errors import InputError


@pytest.fixture
def folder(tmp_path):
    journal = Journal(tmp_path)
    journal.append({"sent": "a", "cost": Cost(1, 100, 50, 0.5)})
    journal.append({"answer": "a", "text": "ä", "failure": "", "cost": Cost(0, -60, -40, -0.25)})
    journal.append({"sent": "b", "cost": Cost(1, 10, 5, 0.0)})
    journal.close()
    return tmp_path


def test_what_was_written_is_found_again_and_its_costs_add_up(folder):
    with open_journal(folder) as journal:
        assert journal.answer("a")["text"] == "ä"
        assert journal.answer("b") is None
        assert journal.attempts == {"a": 1, "b": 1}
        assert journal.spent == Cost(2, 50, 15, 0.25)


def test_a_line_that_a_crash_cut_short_is_dropped_at_every_byte(folder):
    path = folder / NAME
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        journal = Journal(folder)
        assert journal.attempts == {"a": 1}
        journal.append({"sent": "c", "cost": Cost()})
        journal.close()
        assert path.read_bytes()[:start] == whole[:start]
        assert path.read_bytes().count(b"\n") == 3


def test_a_line_that_is_damaged_is_named(folder):
    path = folder / NAME
    path.write_bytes(path.read_bytes().replace("ä".encode(), b"xx"))
    with pytest.raises(InputError, match=f"{NAME}:2: the line is damaged"):
        Journal(folder)


def test_a_budget_counts_what_is_under_way_and_then_what_it_cost():
    budget = Budget({"requests": None, "tokens": 100, "money": None}, Cost(1, 10, 10, 0.0))
    most = Prices(1.0, 2.0).cost(30, 20)
    assert most.millionths == 70.0
    assert budget.reserve(most) == ""
    assert budget.reserve(most) == "tokens"  # 20 + 50 + 50
    budget.settle(Cost(0, -20, -10, 0.0))
    assert budget.reserve(most) == ""  # 20 + 20 + 50
