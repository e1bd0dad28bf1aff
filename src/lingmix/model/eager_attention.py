"""Attention of packed texts by plain matrix products, for a CPU: one gather before, one after.

In the shapes here C counts the texts of a group, L is the length to which they are padded, F the
width of an attention head, N the slots of all groups (C * L of each) and S their states (N * H).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lingmix.model.micro_batches import BUDGET, chunk_sizes, for_device

WASTE = {"cpu": 256, "cuda": 4096}
"""Slots of padding that cost less time than one group more, by device."""

MULTIPLE = 32
"""Groups are padded to a multiple of it: a processor's vector of 16-bit numbers, without which its
softmax is half as fast."""


class Group(NamedTuple):
    """Texts padded to one length, and minus infinity for each slot without a token, else 0."""

    texts: int
    longest: int
    bias_C1L: Tensor


class Slots(NamedTuple):
    """Where the states of T tokens stand in the slots of all groups.

    `pad_3S` is the row of query, key and value (in `states_T3HF`, rows of F) of each state in a
    slot, any in an empty one; `unpad_TH` the slot of each head of each token; `unpad_T3H` the same
    in query, key and value. Texts ab and c, one head, L = 2:

        slots      a b   c .
        pad_3S     0 3 6 0   1 4 7 1   2 5 8 2
        unpad_TH   0 1 2
        unpad_T3H  0 4 8   1 5 9   2 6 10
    """

    groups: list[Group]
    pad_3S: Tensor
    unpad_TH: Tensor
    unpad_T3H: Tensor


def slots_of(descending: Sequence[int], *, heads: int, device: torch.device) -> Slots:
    """Lays out texts of these lengths, longest first."""
    groups, tokens, slots, begin, end = [], [], [], 0, 0
    head_H1 = torch.arange(heads)[:, None]
    lengths_B = torch.tensor(descending)
    for lengths_C in lengths_B.split(list(group_sizes(descending, device=device))):
        longest = padded_length(int(lengths_C[0]))
        mask_CL = torch.arange(longest) < lengths_C[:, None]
        token_CL = begin + mask_CL.flatten().cumsum(0).view_as(mask_CL) - 1
        tokens.append((token_CL.where(mask_CL, 0)[:, None] * 3 * heads + head_H1).flatten())
        text_T, column_T = mask_CL.nonzero().T
        slots.append(end + ((text_T[:, None] * heads + head_H1.T) * longest + column_T[:, None]))
        bias_C1L = torch.where(mask_CL, 0.0, -torch.inf)[:, None].to(device)
        groups.append(Group(len(lengths_C), longest, bias_C1L))
        begin += int(lengths_C.sum())
        end += mask_CL.numel() * heads
    row_S, unpad_TH = torch.cat(tokens), torch.cat(slots)
    kinds = torch.arange(3)[:, None]
    return Slots(
        groups,
        pad_3S=(row_S + kinds * heads).flatten().to(device),
        unpad_TH=unpad_TH.flatten().to(device),
        unpad_T3H=(unpad_TH[:, None] + kinds * end).flatten().to(device),
    )


def group_sizes(descending: Sequence[int], *, device: torch.device) -> Iterator[int]:
    """Yields the number of texts of each group."""
    padded = [padded_length(length) for length in descending]
    waste, budget = for_device(WASTE, device), for_device(BUDGET, device)
    return chunk_sizes(padded, waste=waste, budget=budget)


def padded_length(length: int) -> int:
    return length + -length % MULTIPLE


def attend_eagerly(states_T3HF: Tensor, slots: Slots, *, scaling: float, dropout: float) -> Tensor:
    """Returns `mixed_THF`, of each token; zero of those after the last text."""
    mixed_THF: Tensor = _Attention.apply(states_T3HF, slots, scaling, dropout)
    return mixed_THF


class _Attention(torch.autograd.Function):
    """Autograd's own would copy each product's operands into place, and mask in passes of their
    own."""

    @staticmethod
    def forward(
        context: Any, states_T3HF: Tensor, slots: Slots, scaling: float, dropout: float
    ) -> Tensor:
        width = states_T3HF.shape[-1]
        padded_3SF = states_T3HF.view(-1, width).index_select(0, slots.pad_3S).view(3, -1, width)
        mixed_SF = torch.empty_like(padded_3SF[0])
        weights, kept = [], []
        for group, part in _parts(slots, states_T3HF.shape[2]):
            query, key, value = (
                rows_SF[part].view(-1, group.longest, width) for rows_SF in padded_3SF
            )
            bias = group.bias_C1L.to(query.dtype).repeat_interleave(
                len(query) // group.texts, dim=0
            )
            scores = torch.baddbmm(bias, query, key.transpose(1, 2), alpha=scaling)
            weights.append(scores.softmax(-1))
            mixing = weights[-1]
            if dropout:
                mixing, mask = torch.native_dropout(mixing, dropout, train=True)
                kept.append(mask)
            torch.bmm(mixing, value, out=mixed_SF[part].view_as(value))
        context.save_for_backward(padded_3SF, *weights, *kept)
        context.slots, context.scaling, context.dropout = slots, scaling, dropout
        context.shape = states_T3HF.shape
        mixed_THF = states_T3HF.new_empty(len(states_T3HF), *states_T3HF.shape[2:])
        return _gathered(mixed_SF, slots.unpad_TH, out=mixed_THF)

    @staticmethod
    def backward(context: Any, gradient_THF: Tensor) -> tuple[Tensor, None, None, None]:
        slots: Slots = context.slots
        padded_3SF, *saved = context.saved_tensors
        weights, kept = saved[: len(slots.groups)], saved[len(slots.groups) :]
        width = context.shape[-1]
        rows = gradient_THF.reshape(-1, width)[: len(slots.unpad_TH)]
        mixed_SF = torch.zeros_like(padded_3SF[0]).index_copy_(0, slots.unpad_TH, rows)
        gradient_3SF = torch.empty_like(padded_3SF)
        for n, (group, part) in enumerate(_parts(slots, context.shape[2])):
            shape = (-1, group.longest, width)
            query, key, value = (one_SF[part].view(shape) for one_SF in padded_3SF)
            into = [one_SF[part].view(shape) for one_SF in gradient_3SF]
            mixed, mixing = mixed_SF[part].view(shape), weights[n]
            by_weight = torch.bmm(mixed, value.transpose(1, 2))
            if context.dropout:
                share = 1 / (1 - context.dropout)
                mixing = mixing * kept[n] * share
                by_weight.mul_(kept[n]).mul_(share)
            torch.bmm(mixing.transpose(1, 2), mixed, out=into[2])
            by_score = torch._softmax_backward_data(by_weight, weights[n], -1, weights[n].dtype)
            _scaled_bmm(by_score, key, context.scaling, out=into[0])
            _scaled_bmm(by_score.transpose(1, 2), query, context.scaling, out=into[1])
        gradient_T3HF = gradient_THF.new_empty(context.shape)
        _gathered(gradient_3SF.view(-1, width), slots.unpad_T3H, out=gradient_T3HF)
        return gradient_T3HF, None, None, None


def _parts(slots: Slots, heads: int) -> Iterator[tuple[Group, slice]]:
    begin = 0
    for group in slots.groups:
        end = begin + group.texts * heads * group.longest
        yield group, slice(begin, end)
        begin = end


def _gathered(rows_SF: Tensor, place_R: Tensor, *, out: Tensor) -> Tensor:
    """Selects rows; `out` is zero where it has more."""
    into = out.view(-1, rows_SF.shape[1])
    torch.index_select(rows_SF, 0, place_R, out=into[: len(place_R)])
    into[len(place_R) :] = 0
    return out


def _scaled_bmm(left: Tensor, right: Tensor, scaling: float, *, out: Tensor) -> None:
    torch.baddbmm(out, left, right, beta=0, alpha=scaling, out=out)
