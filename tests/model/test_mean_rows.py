"""The mean of a text's rows, and a gradient of the rows in use."""

import pytest
import torch
from torch import nn
from torch.nn.functional import embedding_bag
from torch.utils.checkpoint import checkpoint

from lingmix.data.tokens import Tokens
from lingmix.model.mean_rows import mean_rows

LENGTHS = torch.tensor([3, 0, 1, 7, 2])
TOKENS = Tokens(torch.tensor([4, 1, 4, 9, 1, 1, 1, 4, 0, 9, 4, 6, 6]), LENGTHS)
STARTS = LENGTHS.cumsum(0) - LENGTHS
USED = [0, 1, 4, 6, 9]


def made_weight(dtype=torch.float64) -> nn.Parameter:
    generator = torch.Generator().manual_seed(0)
    return nn.Parameter(torch.randn(11, 6, generator=generator, dtype=dtype))


def gradient(mean, weight_VD: nn.Parameter) -> torch.Tensor:
    weight_VD.grad = None
    mean_BD = mean(weight_VD)
    target_BD = torch.randn(mean_BD.shape, generator=torch.Generator().manual_seed(1))
    (mean_BD * target_BD.to(mean_BD)).sum().backward()
    return weight_VD.grad


def test_the_gradient_is_what_finite_differences_say():
    assert torch.autograd.gradcheck(
        lambda weight_VD: mean_rows(weight_VD, TOKENS, sparse=False), made_weight()
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("sparse", [False, True])
def test_means_and_gradient_are_those_of_an_embedding_bag(dtype, sparse):
    def bag(weight_VD):
        return embedding_bag(TOKENS.ids_T, weight_VD, STARTS, mode="mean")

    def own(weight_VD):
        return mean_rows(weight_VD, TOKENS, sparse=sparse)

    weight_VD = made_weight(dtype)
    torch.testing.assert_close(own(weight_VD), bag(weight_VD), rtol=0, atol=0)
    assert not own(weight_VD)[1].any()
    found_VD = gradient(own, weight_VD)
    assert found_VD.is_sparse == sparse
    torch.testing.assert_close(found_VD.to_dense(), gradient(bag, weight_VD))


def test_a_sparse_gradient_has_each_row_in_use_once_and_in_order():
    found_VD = gradient(lambda one: mean_rows(one, TOKENS, sparse=True), made_weight())
    assert found_VD._indices()[0].tolist() == USED
    assert found_VD._values().shape == (len(USED), 6)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_gradient_is_the_same_where_activations_are_made_again(sparse):
    def cached(weight_VD):
        return checkpoint(mean_rows, weight_VD, TOKENS, sparse=sparse, use_reentrant=False)

    weight_VD = made_weight()
    once_VD = gradient(lambda one: mean_rows(one, TOKENS, sparse=sparse), weight_VD)
    again_VD = gradient(cached, weight_VD)
    torch.testing.assert_close(again_VD.to_dense(), once_VD.to_dense(), rtol=0, atol=0)


def test_a_batch_of_empty_texts_moves_nothing():
    empty = Tokens(torch.zeros(0, dtype=torch.long), torch.zeros(2, dtype=torch.long))
    weight_VD = made_weight()
    assert not mean_rows(weight_VD, empty, sparse=True).any()
    assert gradient(lambda one: mean_rows(one, empty, sparse=True), weight_VD)._nnz() == 0
