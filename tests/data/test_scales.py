import random

import numpy as np
import pytest

from lingmix.data.items import Item
from lingmix.data.scales import scaled_items
from lingmix.errors import InputError
from tests.columns import columns_of

ITEMS = [Item(f"{domain}{n}", domain, {}, {}) for domain in ("base", "extra") for n in range(20)]


def trained(scale, items=ITEMS, seed=0) -> list[str]:
    """The ids in their order."""
    columns = columns_of(items)
    place_I = scaled_items(columns, domain="extra", scale=scale, seed=seed)
    return [columns.item_ids[int(row)] for row in np.argsort(place_I) if place_I[row] >= 0]


def added(scale, items=ITEMS, seed=0) -> list[str]:
    return [id for id in trained(scale, items, seed) if id.startswith("extra")]


def test_a_scale_adds_that_many_items_to_the_whole_base():
    assert trained(5)[:20] == [f"base{n}" for n in range(20)]
    assert len(added(5)) == 5
    assert added(0) == []
    assert len(added(None)) == 20


def test_a_larger_scale_holds_every_smaller_one():
    assert all(added(large)[:small] == added(small) for large in (10, 20) for small in (1, 5, 10))


def test_scales_do_not_depend_on_the_order_of_the_files_and_do_on_the_seed():
    shuffled = random.Random(1).sample(ITEMS, len(ITEMS))
    assert added(7, shuffled) == added(7)
    assert added(7, seed=1) != added(7)


def test_without_a_domain_items_are_taken_as_they_stand():
    assert scaled_items(columns_of(ITEMS), domain=None, scale=0, seed=0) is None


@pytest.mark.parametrize(
    ("domain", "scale", "message"),
    [
        ("extra", 21, r"must be in \[0, 20\].*got 21"),
        ("extra", -1, r"must be in \[0, 20\].*got -1"),
        ("law", 3, r"no training item is of domain 'law'; there are base, extra"),
        (None, 3, r"without an augmentation.domain it must be 0, got 3"),
    ],
)
def test_a_scale_that_cannot_be_had_is_refused(domain, scale, message):
    with pytest.raises(InputError, match=message):
        scaled_items(columns_of(ITEMS), domain=domain, scale=scale, seed=0)
