"""How often each language pair of each set is drawn, and the batches of several sets."""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from lingmix.data.items import Item
from lingmix.data.schedule import HybridSchedule
from lingmix.data.shares import shares
from lingmix.data.training_pairs import TrainingPairs, training_pairs
from lingmix.errors import InputError
from tests.columns import columns_of

SETS = ({"en-en": 300, "en-de": 100}, {"en-en": 100}, {"de-de": 40, "en-de": 30})


@pytest.mark.parametrize(
    ("size_exponent", "size_cap", "set_exponent", "expected"),
    [
        (0, None, None, [1 / 3, 1 / 3, 1 / 3]),
        (1, None, None, [0.6, 0.2, 0.2]),
        (1, 100, None, [1 / 3, 1 / 3, 1 / 3]),
        (1, None, 1, [0.6, 0.2, 0.2]),  # sets of 400 and 100
        (1, None, 0.5, [1 / 2, 1 / 6, 1 / 3]),  # 20 to 10, then 3 to 1
        (0, None, 0.5, [1 / 3, 1 / 3, 1 / 3]),  # 20 to 10, then 1 to 1
        (0, None, 0, [1 / 4, 1 / 4, 1 / 2]),
        (1, 150, 1, [150 / 350, 100 / 350, 100 / 350]),  # sets of 150 + 100 and 100
    ],
)
def test_shares_are_sizes_to_their_powers(size_exponent, size_cap, set_exponent, expected):
    found = shares(
        np.array([300, 100, 100]),
        np.array([0, 0, 4]),
        size_exponent=size_exponent,
        size_cap=size_cap,
        set_exponent=set_exponent,
    )
    assert found.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("set_exponent", [None, 0, 0.5])
def test_what_has_no_pairs_is_never_drawn(set_exponent):
    given = {"size_exponent": 0, "size_cap": None, "set_exponent": set_exponent}
    assert shares(np.array([0, 5]), np.array([0, 1]), **given).tolist() == [0, 1]
    assert shares(np.array([0, 0]), np.array([0, 1]), **given).tolist() == [0, 0]


@cache
def pairs_of(*, by_set: bool) -> TrainingPairs:
    sources = [
        [
            Item(f"{pair}{n}", "", {pair[:2]: (f"q{s}{pair}{n}",)}, {pair[3:]: (f"p{s}{pair}{n}",)})
            for pair, size in sizes.items()
            for n in range(size)
        ]
        for s, sizes in enumerate(SETS)
    ]
    return training_pairs(
        columns_of(*sources), items=None, languages=None, pairs="all", by_set=by_set
    )


def schedule(*, by_set: bool = True, **changes) -> HybridSchedule:
    chosen = {
        **{"alpha": 0.5, "alpha_end": None, "alpha_schedule": "constant", "steps": 600},
        **{"batch_size": 10, "size_exponent": 0.0, "homogeneous": "monolingual", "min_size": 1},
        **{"seed": 3, "set_exponent": 0.5, "size_cap": None},
    } | changes
    return HybridSchedule(pairs_of(by_set=by_set), **chosen)


def drawn(batches: HybridSchedule, steps: int = 600) -> Counter[str]:
    """Rows by set and language pair, as `0en-de`."""
    pairs = pairs_of(by_set=True)
    rows = np.concatenate([batches.rows(step) for step in range(steps)])
    return Counter(text[1:7] for text in pairs.texts.take(pairs.queries(rows)))


def test_pairs_of_a_language_pair_are_told_apart_by_set():
    pairs = pairs_of(by_set=True)
    columns = (map(str, pairs.language_pairs), pairs.set_Y.tolist(), pairs.size_Y.tolist())
    assert [*zip(*columns, strict=True)] == [
        ("de-de", 2, 40),
        ("en-de", 0, 100),
        ("en-de", 2, 30),
        ("en-en", 0, 300),
        ("en-en", 1, 100),
    ]
    assert pairs.sizes == pairs_of(by_set=False).sizes


def test_sets_are_drawn_by_their_shares_and_a_homogeneous_batch_is_of_one():
    """Monolingual: sets of 300, 100 and 40 pairs, to the power .5; cross-lingual: of 100 and 30."""
    batches = schedule()
    found, wanted = drawn(batches), {}
    for kind in ({"0en-en": 300, "1en-en": 100, "2de-de": 40}, {"0en-de": 100, "2en-de": 30}):
        total = sum(size**0.5 for size in kind.values())
        wanted |= {key: 3000 * size**0.5 / total for key, size in kind.items()}
    assert dict(found) == pytest.approx(wanted, rel=0.15)
    pairs = pairs_of(by_set=True)
    for step in range(100):
        kinds = {pairs.texts[int(row)][1:7] for row in pairs.queries(batches.rows(step))}
        assert len(kinds) == 1 or all(kind[1:] == "en-de" for kind in kinds)


def test_a_cap_makes_a_large_set_count_as_no_larger():
    found = drawn(schedule(alpha=1.0, set_exponent=1.0, size_cap=40))
    assert {key: n / 6000 for key, n in found.items()} == pytest.approx(
        {"0en-en": 1 / 3, "1en-en": 1 / 3, "2de-de": 1 / 3}, abs=0.05
    )


def test_a_pass_over_a_set_visits_each_of_its_rows_once():
    batches, seen = schedule(alpha=1.0), Counter()
    for step in range(400):
        (part,) = batches.plan(step)
        seen.update((part.language_pair, part.pass_number, row) for row in batches.rows(step))
    assert max(seen.values()) == 1
    assert len({number for _, number, _ in seen}) > 3


def test_the_batches_of_several_sets_depend_on_seed_and_step_alone():
    forwards, backwards = schedule(), schedule()
    there = [forwards.rows(step).tolist() for step in range(40)]
    assert there == [backwards.rows(step).tolist() for step in reversed(range(40))][::-1]
    assert there != [schedule(seed=4).rows(step).tolist() for step in range(40)]


def test_of_one_set_an_exponent_of_sets_changes_nothing():
    one, other = (schedule(by_set=False, set_exponent=exponent) for exponent in (None, 0.3))
    assert [one.plan(step) for step in range(50)] == [other.plan(step) for step in range(50)]


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("set_exponent", 1.5, r"in \[0, 1\]"),
        ("size_cap", 0, "at least 1"),
        ("size_exponent", -1, r"in \[0, 1\]"),
    ],
)
def test_a_share_that_cannot_be_is_refused(key, value, rule):
    with pytest.raises(InputError, match=rf"^sampler.{key}: must be .*{rule}"):
        schedule(**{key: value})
