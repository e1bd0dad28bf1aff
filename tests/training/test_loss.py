from itertools import permutations
from math import exp, inf, log, nan

import pytest
import torch

from lingmix.data.batches import Batch
from lingmix.errors import InputError
from lingmix.training.loss import InfoNCE


def batch(size, *false_negatives, given=0) -> Batch:
    """Of so many pairs and given negatives; a false negative is a query and a passage."""
    return Batch(
        queries=None,
        passages=None,
        passage_count=size + given,
        false_negatives_E2=torch.tensor(false_negatives, dtype=torch.long).reshape(-1, 2),
        pair_B=torch.arange(size),
        monolingual=True,
        drawn=None,
    )


USUAL = {"directions": "query", "margin": 0.0, "dimensions": None, "mask_false_negatives": True}


def info_nce(**settings) -> InfoNCE:
    return InfoNCE(**(USUAL | settings))


APART = batch(3)
AXES = torch.eye(3)


@pytest.mark.parametrize("directions", ["query", "both"])
def test_vectors_that_are_all_equal_cost_the_log_of_the_batch(directions):
    same = torch.ones(3, 4) / 2
    loss = info_nce(temperature=0.05, directions=directions)(same, same, APART)
    assert loss.item() == pytest.approx(log(3))


def test_orthogonal_vectors_cost_what_the_softmax_says():
    loss = info_nce(temperature=0.5)(AXES, AXES, APART)
    assert loss.item() == pytest.approx(-log(exp(2) / (exp(2) + 2)))


def test_directions_differ_where_a_passage_suits_two_queries():
    queries = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    passages = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    two = batch(2)
    one_way = (log(1 + exp(-1)) + log(1 + exp(1))) / 2
    other_way = log(2)
    assert info_nce(temperature=1.0)(queries, passages, two).item() == pytest.approx(one_way)
    assert info_nce(temperature=1.0, directions="both")(
        queries, passages, two
    ).item() == pytest.approx((one_way + other_way) / 2)


def test_a_false_negative_costs_nothing_in_its_own_direction_alone():
    """The second passage answers the first query; the first passage does not answer the second."""
    two = batch(2, (0, 1))
    passages = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    queries = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    one_way = (log(1) + log(1 + exp(1))) / 2
    other_way = (log(2) + log(1)) / 2
    loss = info_nce(temperature=1.0, directions="both")(queries, passages, two)
    assert loss.item() == pytest.approx((one_way + other_way) / 2)


def test_without_the_mask_a_false_negative_costs_what_any_passage_does():
    vectors = torch.ones(2, 2) / 2**0.5
    loss = info_nce(temperature=1.0, mask_false_negatives=False)(vectors, vectors, batch(2, (0, 1)))
    assert loss.item() == pytest.approx(log(2))


def test_a_given_negative_counts_unless_it_is_a_false_one():
    given = batch(2, (1, 3), given=2)
    vectors = torch.ones(4, 2) / 2**0.5
    loss = info_nce(temperature=1.0)(vectors[:2], vectors, given)
    assert loss.item() == pytest.approx((log(4) + log(3)) / 2)


def test_masked_passages_get_no_gradient():
    queries = torch.randn(3, 4, requires_grad=True)
    passages = torch.randn(3, 4, requires_grad=True)
    all_one = batch(3, *permutations(range(3), 2))
    info_nce(temperature=0.1, directions="both")(queries, passages, all_one).backward()
    assert queries.grad.abs().max() == 0


@pytest.mark.parametrize("temperature", [0.0, -1.0, nan, inf, None])
def test_a_temperature_must_be_above_zero(temperature):
    with pytest.raises(InputError, match=r"loss.temperature: must be above 0 and finite"):
        info_nce(temperature=temperature)


def test_a_margin_is_taken_off_the_own_cosine_in_both_directions():
    for directions in ("query", "both"):
        loss = info_nce(temperature=0.5, directions=directions, margin=0.3)(AXES, AXES, APART)
        assert loss.item() == pytest.approx(-log(exp(1.4) / (exp(1.4) + 2)))


def test_no_margin_is_taken_off_a_masked_passage():
    same = torch.ones(2, 4) / 2
    both_own = batch(2, (0, 1), (1, 0))
    assert info_nce(temperature=0.5, margin=0.3)(same, same, both_own).item() == 0


def test_cut_vectors_are_of_length_one_again_and_count_as_the_whole_ones_do():
    queries = torch.tensor([[0.6, 0.8], [-0.6, 0.8]])
    passages = torch.tensor([[0.6, 0.8], [-0.6, -0.8]])
    two = batch(2)
    cut = log(1 + exp(-1 - 1))
    whole = (log(1 + exp(-1 - 1)) + log(1 + exp(0.28 + 0.28))) / 2
    for dimensions in ([1], [2, 1]):
        loss = info_nce(temperature=1.0, dimensions=dimensions)(queries, passages, two)
        assert loss.item() == pytest.approx((cut + whole) / 2)
    assert info_nce(temperature=1.0)(queries, passages, two).item() == pytest.approx(whole)


def test_masked_passages_get_no_gradient_from_cut_vectors_either():
    queries = torch.randn(3, 4, requires_grad=True)
    passages = torch.randn(3, 4, requires_grad=True)
    all_one = batch(3, *permutations(range(3), 2))
    loss = info_nce(temperature=0.1, directions="both", margin=0.3, dimensions=[1, 2])
    loss(queries, passages, all_one).backward()
    assert queries.grad.abs().max() == 0


def test_the_loss_is_the_same_under_autocast():
    generator = torch.Generator().manual_seed(0)
    queries, passages = torch.nn.functional.normalize(
        torch.randn(2, 3, 8, generator=generator), dim=-1
    )
    loss = info_nce(temperature=0.05, margin=0.1, dimensions=[4])
    exact = loss(queries, passages, APART)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(loss(queries, passages, APART), exact)


@pytest.mark.parametrize("dimensions", [[0, 2], [4]])
def test_dimensions_must_be_within_the_vectors(dimensions):
    with pytest.raises(InputError, match=r"loss.dimensions: must be within \[1, 3\]"):
        info_nce(temperature=1.0, dimensions=dimensions)(AXES, AXES, APART)


@pytest.mark.parametrize("dimensions", [4, [4.5], "32", [True]])
def test_dimensions_must_be_a_list_of_whole_numbers(dimensions):
    with pytest.raises(InputError, match=r"loss.dimensions: must be a list of whole numbers"):
        info_nce(temperature=1.0, dimensions=dimensions)


@pytest.mark.parametrize("margin", [-0.1, 1.1, True])
def test_a_margin_must_be_one_of_a_cosine(margin):
    with pytest.raises(InputError, match=r"loss.margin: must be in \[0, 1\]"):
        info_nce(temperature=1.0, margin=margin)


@pytest.mark.parametrize("directions", ["query", "both"])
@pytest.mark.parametrize("cells", [1, 20, 60])
def test_a_loss_in_blocks_has_the_value_and_gradient_of_the_whole(monkeypatch, directions, cells):
    generator = torch.Generator().manual_seed(0)
    of = batch(6, (0, 3), (3, 0), (1, 4), (4, 6), (5, 2), given=1)
    vectors = torch.randn(13, 8, generator=generator, dtype=torch.float64)
    loss = info_nce(temperature=0.1, directions=directions, margin=0.2, dimensions=[4])

    def figures() -> tuple[torch.Tensor, torch.Tensor]:
        both = torch.nn.functional.normalize(vectors, dim=-1).requires_grad_()
        value = loss(both[:6], both[6:], of)
        value.backward()
        return value.detach(), both.grad

    value, gradient = figures()
    monkeypatch.setattr("lingmix.training.loss.BLOCK_SCORES", cells)
    again, in_blocks = figures()
    assert torch.allclose(again, value, rtol=1e-6)
    assert torch.allclose(in_blocks, gradient, atol=1e-6)
