"""Means of an embedding's rows, with a gradient whose cost is that of the rows in use."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

from lingmix.data.tokens import Tokens


def mean_rows(weight_VD: Tensor, tokens: Tokens, *, sparse: bool) -> Tensor:
    """Returns `mean_BD`, the mean of the rows of each text's tokens; zero where a text is empty.

    The weight's gradient is that of PyTorch's `embedding_bag`; where `sparse`, each row occurs in
    it once and in ascending order, not once for each token.
    """
    mean_BD: Tensor = _MeanRows.apply(weight_VD, *tokens, sparse)
    return mean_BD


class _MeanRows(torch.autograd.Function):
    """The backward is an `embedding_bag` too, with rows and texts swapped: a row's gradient is the
    sum of those of the texts that contain it, each divided by the text's length.

    Two texts of ids [7 2 7] and [2] (U = 2 distinct rows):

        ids_T     7 2 7 | 2        sorted_T  2 2 7 7      id_U    2 7
        text of   0 0 0 | 1        text_T    0 1 0 0      count_U 2 2
        row 2 = g0/3 + g1/1        row 7 = g0/3 + g0/3
    """

    @staticmethod
    def forward(
        ctx: Any, weight_VD: Tensor, ids_T: Tensor, lengths_B: Tensor, sparse: bool
    ) -> Tensor:
        ctx.save_for_backward(ids_T, lengths_B)
        ctx.shape, ctx.sparse = weight_VD.shape, sparse
        starts_B = (lengths_B.cumsum(0) - lengths_B).to(ids_T.dtype)
        weight_VD = weight_VD.detach()  # a weight that requires a gradient gets a slower kernel
        return embedding_bag(ids_T, weight_VD, starts_B, mode="mean")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_BD: Tensor) -> tuple[Tensor, None, None, None]:
        ids_T, lengths_B = ctx.saved_tensors
        sorted_T, order_T = ids_T.sort(stable=True)
        id_U, count_U = sorted_T.unique_consecutive(return_counts=True)
        texts_B = torch.arange(len(lengths_B), device=ids_T.device)
        text_T = texts_B.repeat_interleave(lengths_B)[order_T]
        share_BD = gradient_BD / lengths_B[:, None]
        row_UD = embedding_bag(text_T, share_BD, count_U.cumsum(0) - count_U, mode="sum")
        if ctx.sparse:
            gradient_VD = torch.sparse_coo_tensor(
                id_U[None], row_UD, ctx.shape, is_coalesced=True, check_invariants=False
            )
        else:
            gradient_VD = row_UD.new_zeros(ctx.shape).index_copy_(0, id_U, row_UD)
        return gradient_VD, None, None, None
