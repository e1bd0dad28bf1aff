from collections import Counter

import pytest

from lingmix.augmentation.strata import stratified
from lingmix.errors import InputError
from tests.augmentation.made import draft


def drafts(count: int = 400):
    """A tenth is Chinese, three quarters are of section x; lengths go up to 40 letters."""
    return [
        draft(f"{'x' if n % 4 else 'y'}/{n}", **{"en" if n % 10 else "zh": "l" * (1 + n % 40)})
        for n in range(count)
    ]


def stratum(one):
    return (*one.passages, one.id[0])


@pytest.mark.parametrize("scale", [20, 60, 133, 400])
def test_every_scale_has_its_share_of_each_stratum(scale):
    whole = drafts()
    taken = Counter(map(stratum, stratified(whole, section="^.", seed=0)[:scale]))
    for name, size in Counter(map(stratum, whole)).items():
        # of the four quarters of the lengths each is right to less than one draft
        assert abs(taken[name] - scale * size / len(whole)) < 4


def test_lengths_are_covered_as_well():
    whole = drafts()
    lengths = [
        len(*text)
        for one in stratified(whole, section=None, seed=0)[:80]
        for text in one.passages.values()
    ]
    quarters = Counter((length - 1) // 10 for length in lengths)
    assert max(quarters.values()) - min(quarters.values()) <= 4


def test_the_order_does_not_depend_on_that_of_the_file_but_on_the_seed():
    whole = drafts()
    ordered = stratified(whole, section=None, seed=0)
    assert stratified(whole[::-1], section=None, seed=0) == ordered
    assert stratified(whole, section=None, seed=1) != ordered


def test_a_section_that_is_no_regular_expression_is_refused():
    with pytest.raises(InputError, match="section: must be a regular expression, got"):
        stratified(drafts(), section="[", seed=0)
