from collections import Counter
from functools import cache

import numpy as np
import pytest

from lingmix.data.items import Item
from lingmix.data.schedule import HybridSchedule
from lingmix.data.training_pairs import TrainingPairs
from lingmix.errors import InputError
from tests.columns import training_pairs

SIZES = {"en-en": 100, "de-de": 40, "en-de": 100, "de-en": 25}
RISING = {"alpha": 0.0, "alpha_end": 1.0, "alpha_schedule": "linear"}


def pairs_with(sizes: dict[str, int]) -> TrainingPairs:
    """As many one-pair items of each language pair."""
    return _pairs_with(tuple(sizes.items()))


@cache
def _pairs_with(sizes: tuple[tuple[str, int], ...]) -> TrainingPairs:
    items = [
        Item(f"{pair}{n}", "", {pair[:2]: (f"q{pair}{n}",)}, {pair[3:]: (f"p{pair}{n}",)})
        for pair, size in sizes
        for n in range(size)
    ]
    return training_pairs(items, languages=None, pairs="all", expand_pairs=False)


def schedule(sizes=SIZES, **changes) -> HybridSchedule:
    chosen = {
        "alpha": 0.5,
        "alpha_end": None,
        "alpha_schedule": "constant",
        "steps": 400,
        "batch_size": 10,
        "size_exponent": 0.0,
        "homogeneous": True,
        "min_size": 1,
        "seed": 3,
    } | changes
    return HybridSchedule(pairs_with(sizes), **chosen)


def language_pairs(rows, sizes=SIZES) -> set[str]:
    pairs = pairs_with(sizes)
    return {str(pairs.language_pairs[n]) for n in pairs.language_pair_N[rows]}


def is_monolingual(rows, sizes=SIZES) -> bool:
    kinds = {pair[:2] == pair[3:] for pair in language_pairs(rows, sizes)}
    assert len(kinds) == 1, "a batch is of one kind"
    return kinds.pop()


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_a_batch_is_monolingual_with_probability_alpha(alpha):
    batches = schedule(alpha=alpha)
    share = sum(is_monolingual(batches.rows(n)) for n in range(400)) / 400
    assert share == pytest.approx(alpha, abs=0.07)


CHANGED = (
    "the batches of a seed are others than in every release so far: no recorded run can be made "
    "again. If that is meant, say so in CHANGELOG.md and write the new ones here"
)


def test_the_batches_of_a_seed_are_those_of_every_release():
    batches = schedule()
    taken = [(1, 0), (2, 0), (2, 10), (2, 20), (2, 30), (0, 0), (2, 40), (3, 0)]
    assert [slices[0] for slices in map(batches.plan, range(8))] == [
        (pair, 0, start, 10) for pair, start in taken
    ], CHANGED
    pairs = pairs_with(SIZES)
    assert [pairs.texts.take(pairs.queries(batches.rows(n)[:3])) for n in range(3)] == [
        ["qde-en14", "qde-en10", "qde-en24"],
        ["qen-de17", "qen-de68", "qen-de29"],
        ["qen-de58", "qen-de39", "qen-de75"],
    ], CHANGED


@pytest.mark.parametrize(
    ("name", "alphas"),
    [("linear", [1, 0.75, 0.5, 0.25, 0, 0]), ("cosine", [1, 0.8536, 0.5, 0.1464, 0, 0])],
)
def test_alpha_goes_from_the_first_step_to_the_last_and_stays(name, alphas):
    down = schedule(alpha=1.0, alpha_end=0.0, alpha_schedule=name, steps=5)
    up = schedule(alpha=0.0, alpha_end=1.0, alpha_schedule=name, steps=5)
    assert [down.alpha(n) for n in range(6)] == pytest.approx(alphas, abs=1e-4)
    assert [1 - up.alpha(n) for n in range(6)] == pytest.approx(alphas, abs=1e-4)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_batches_turn_from_one_kind_to_the_other_as_alpha_does(name):
    batches = schedule(alpha=1.0, alpha_end=0.0, alpha_schedule=name)
    kinds = np.array([is_monolingual(batches.rows(n)) for n in range(400)])
    expected = np.array([batches.alpha(n) for n in range(400)])
    assert kinds.reshape(4, 100).mean(1) == pytest.approx(expected.reshape(4, 100).mean(1), abs=0.1)
    assert kinds[0]
    assert not kinds[-1]


@pytest.mark.parametrize(
    "changes", [{}, RISING, {"homogeneous": False}, {"homogeneous": "monolingual"}]
)
def test_the_batch_of_a_step_does_not_depend_on_what_was_asked_before(changes):
    forwards, backwards = schedule(**changes), schedule(**changes)
    there = [forwards.rows(step) for step in range(50)]
    back = [backwards.rows(step) for step in reversed(range(50))][::-1]
    for a, b in zip(there, back, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(
        (a != b).any()
        for a, b in zip(
            there, [schedule(seed=4, **changes).rows(n) for n in range(50)], strict=True
        )
    )


@pytest.mark.parametrize("homogeneous", [True, False, "monolingual"])
def test_a_pass_over_a_language_pair_visits_no_row_twice(homogeneous):
    batches = schedule(homogeneous=homogeneous)
    seen: dict[tuple[int, int], list[int]] = {}
    for step in range(200):
        rows, at = batches.rows(step), 0
        for part in batches.plan(step):
            seen.setdefault((part.language_pair, part.pass_number), []).extend(
                rows[at:][: part.size]
            )
            at += part.size
    assert all(len(set(rows)) == len(rows) for rows in seen.values())
    assert max(number for _, number in seen) > 1, "several passes were made"


@pytest.mark.parametrize("homogeneous", [True, False])
def test_a_pass_of_a_pair_too_large_to_shuffle_visits_each_row_once(monkeypatch, homogeneous):
    monkeypatch.setattr("lingmix.data.pass_orders.SHUFFLED", 50)
    batches = schedule({"en-en": 100}, alpha=1.0, homogeneous=homogeneous)
    orders = [np.concatenate([batches.rows(10 * n + k) for k in range(10)]) for n in range(3)]
    assert all(np.sort(order).tolist() == [*range(100)] for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    again = schedule({"en-en": 100}, alpha=1.0, homogeneous=homogeneous)
    np.testing.assert_array_equal(again.rows(27), orders[2][70:80])


def test_passes_differ_in_their_order():
    batches = schedule({"en-en": 10}, alpha=1.0)
    first, second = batches.rows(0), batches.rows(1)
    assert set(first) == set(second)
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize(("exponent", "share"), [(0.0, 1 / 2), (1.0, 100 / 125), (0.5, 2 / 3)])
def test_a_language_pair_is_drawn_in_proportion_to_its_size_to_the_exponent(exponent, share):
    batches = schedule(alpha=0.0, size_exponent=exponent)
    drawn = Counter(next(iter(language_pairs(batches.rows(n)))) for n in range(1000))
    assert drawn["en-de"] / 1000 == pytest.approx(share, abs=0.04)


EIGHT = {f"{query}-{passage}": 60 for query in ("en", "de") for passage in ("en", "de", "fr", "ru")}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("homogeneous", "mixed"),
    [(True, set()), (False, {True, False}), ("monolingual", {False})],
)
def test_a_batch_is_of_one_kind_and_mixes_language_pairs_where_its_kind_does(
    homogeneous, mixed, seed
):
    """Of 20 rows all would be of one pair of two with probability 2^-19."""
    batches = schedule(EIGHT, homogeneous=homogeneous, batch_size=20, seed=seed)
    for step in range(40):
        rows = batches.rows(step)
        kind, found = is_monolingual(rows, EIGHT), language_pairs(rows, EIGHT)
        assert len(set(rows)) == len(rows) == 20
        assert (len(found) > 1) == (kind in mixed)
        (part, *_), drawn = batches.plan(step), batches.drawn(step)
        assert drawn == (None if kind in mixed else (min(found), part.pass_number, 60))


@pytest.mark.parametrize(("exponent", "share"), [(0.0, 1 / 2), (1.0, 100 / 125)])
def test_rows_of_a_mixed_batch_are_drawn_in_proportion_to_size_to_the_exponent(exponent, share):
    batches = schedule(alpha=0.0, size_exponent=exponent, homogeneous="monolingual")
    sizes = Counter()
    for step in range(400):
        for part in batches.plan(step):
            sizes[part.language_pair] += part.size
    assert max(sizes.values()) / 4000 == pytest.approx(share, abs=0.03)


def test_monolingual_batches_of_one_language_draw_languages_uniformly():
    batches = schedule(alpha=1.0, homogeneous="monolingual")
    drawn = Counter(batches.drawn(n).language_pair for n in range(1000))
    assert drawn["en-en"] / 1000 == pytest.approx(1 / 2, abs=0.04)
    assert set(drawn) == {"en-en", "de-de"}


@pytest.mark.parametrize(("alpha", "same_as"), [(0.0, False), (1.0, True)])
def test_the_papers_batches_are_mixed_where_cross_lingual_and_of_one_language_where_not(
    alpha, same_as
):
    papers = schedule(alpha=alpha, homogeneous="monolingual")
    other = schedule(alpha=alpha, homogeneous=same_as)
    for step in range(30):
        np.testing.assert_array_equal(papers.rows(step), other.rows(step))


def test_a_mixed_batch_is_full_while_its_kind_has_rows_left():
    """Half of 60 rows would be of a language pair that has 25; the other makes up for it."""
    batches = schedule(alpha=0.0, batch_size=60, homogeneous="monolingual")
    assert [str(pair) for pair in batches.short] == ["de-de"]
    for step in range(30):
        assert len(set(batches.rows(step))) == 60
    few = schedule(alpha=0.0, batch_size=140, homogeneous=False)
    assert [str(pair) for pair in few.short] == ["de-en", "en-de"]
    assert len(set(few.rows(0))) == 125


def test_a_small_language_pair_gives_short_batches_and_is_named(caplog):
    batches = schedule(alpha=0.0, batch_size=50)
    assert [str(pair) for pair in batches.short] == ["de-de", "de-en"]
    assert caplog.messages == [
        "2 language pairs are small and give batches of all they have: de-en 25, de-de 40 ..."
    ]
    sizes = {next(iter(language_pairs(batches.rows(n)))): len(batches.rows(n)) for n in range(50)}
    assert sizes == {"en-de": 50, "de-en": 25}


def test_a_language_pair_below_min_size_is_never_drawn_and_is_named(caplog):
    batches = schedule(alpha=0.0, min_size=30)
    left_out = {str(pair) for pair in batches.left_out}
    assert left_out == {pair for pair, size in SIZES.items() if size < 30}
    assert "are left out (sampler.min_size): de-en 25" in caplog.text
    assert all(language_pairs(batches.rows(n)) == {"en-de"} for n in range(50))


@pytest.mark.parametrize(
    ("sizes", "changes", "message"),
    [
        (SIZES, {"alpha": 1.5}, r"sampler.alpha: must be in \[0, 1\], got 1.5"),
        (SIZES, RISING | {"alpha_end": 2}, r"sampler.alpha_end: must be in \[0, 1\], got 2"),
        (SIZES, {"alpha_end": 1.0}, r"sampler.alpha_end: is where .* got 1.0 and constant"),
        (SIZES, {"alpha_schedule": "linear"}, r"sampler.alpha_end: is .* got None and linear"),
        (SIZES, RISING | {"alpha_schedule": "step"}, r"sampler.alpha_schedule: .* got 'step'"),
        (SIZES, {"alpha": True}, r"sampler.alpha: must be in \[0, 1\], got True"),
        (SIZES, {"homogeneous": 1}, r"homogeneous: must be true, false or monolingual, got 1$"),
        (SIZES, {"homogeneous": "mono"}, r"sampler.homogeneous: must be true, false .* got 'mono'"),
        (SIZES, {"size_exponent": -1}, r"sampler.size_exponent: must be in \[0, 1\], got -1"),
        (SIZES, {"size_exponent": 400}, r"sampler.size_exponent: must be in \[0, 1\], got 400"),
        (SIZES, {"min_size": None}, r"sampler.min_size: must be a whole number .* got None"),
        (
            SIZES,
            {"batch_size": 8.5},
            r"sampler.batch_size: must be a whole number in \[2, 265\].*got 8.5",
        ),
        ({"en-en": 20}, RISING, r"no cross-lingual language pair is left"),
        ({"en-de": 20}, RISING, r"no monolingual language pair is left"),
        (
            SIZES,
            {"batch_size": 266},
            r"sampler.batch_size: must be a whole number in \[2, 265\].*got 266",
        ),
        ({"en-en": 20}, {}, r"no cross-lingual language pair is left.*choose sampler=monolingual"),
        ({"en-de": 20}, {}, r"no monolingual language pair is left.*choose sampler=crosslingual"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused(sizes, changes, message):
    with pytest.raises(InputError, match=message):
        schedule(sizes, **changes)
