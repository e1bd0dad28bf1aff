"""Means of an embedding's rows, with a gradient that costs what the rows in use cost."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

from lingmix.data.tokens import Tokens


def mean_rows(weight_VD: Tensor, tokens: Tokens, *, sparse: bool) -> Tensor:
    """mean_BD: of each text's rows of the weight; zero where a text is empty.

    The gradient of the weight is that of PyTorch's `embedding_bag`; a sparse one has each row once
    and in order, not once for each token.
    """
    mean_BD: Tensor = _MeanRows.apply(weight_VD, *tokens, sparse)
    return mean_BD


class _MeanRows(torch.autograd.Function):
    """Backwards it is the same again: of each row, the sum over the texts that hold it."""

    @staticmethod
    def forward(
        ctx: Any, weight_VD: Tensor, ids_T: Tensor, lengths_B: Tensor, sparse: bool
    ) -> Tensor:
        ctx.save_for_backward(ids_T, lengths_B)
        ctx.shape, ctx.sparse = weight_VD.shape, sparse
        starts_B = (lengths_B.cumsum(0) - lengths_B).to(ids_T.dtype)
        weight_VD = weight_VD.detach()  # the kernel for weights that train does more
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
