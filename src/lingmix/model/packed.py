"""Sequence packing: all texts in one sequence, padded only in attention, where its kernel needs it.

In the shapes here C counts the texts of a group and F is the width of an attention head.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.utils.import_utils import is_flash_attn_2_available

from lingmix.model.eager_attention import Slots, attend_eagerly, group_sizes, slots_of

PACKED = "lingmix_packed"
"""Transformers' name for `attend`."""

MULTIPLE = 128
"""On a CPU, which compiles a kernel for each shape, the number of tokens is rounded up to a
multiple, so that micro-batches share kernels. Few tokens are left as they are."""

Kernel = Literal["eager", "sdpa", "flash_attention_2", "varlen"]
"""The last two take texts of any lengths without padding, on a GPU and in 16 bits; `varlen`
(PyTorch's) has no dropout."""

UNPADDED: tuple[Kernel, ...] = ("flash_attention_2", "varlen")


class Padding(NamedTuple):
    """Where the T tokens of C texts stand in N = C * L slots, padded to length L.

    `token_N` is the token in each slot, 0 where the slot is empty; `slot_T` is the slot of each
    token; `bias_C11L` is minus infinity in empty slots, else 0. Texts abc, de and f, whose tokens
    are numbered from 0:

        slots      a b c   d e .   f . .
        token_N    0 1 2   3 4 0   5 0 0
        slot_T     0 1 2   3 4     6
    """

    token_N: Tensor
    slot_T: Tensor
    bias_C11L: Tensor


class AttentionGroup(NamedTuple):
    """C texts of like lengths, in attention each padded to the longest of them, L."""

    texts: int
    longest: int
    tokens: int
    padding: Padding | None


class Packing(NamedTuple):
    """How one call of the model attends: `ends` are 0 and the end of each text among the tokens;
    `filling` counts the tokens after the last text that only round their number up. Eager attention
    has `slots`, SDPA `groups`."""

    kernel: Kernel
    ends: Tensor
    longest: int
    groups: list[AttentionGroup]
    filling: int
    slots: Slots | None

    @property
    def attention_kwargs(self) -> dict[str, Any]:
        """Keyword arguments that a Transformers model passes on to its attention."""
        if self.kernel != "flash_attention_2":
            return {"packing": self}
        ends, longest = self.ends, self.longest
        return {
            "cu_seq_lens_q": ends,
            "cu_seq_lens_k": ends,
            "max_length_q": longest,
            "max_length_k": longest,
        }


def fastest_kernel(model: PreTrainedModel, device: torch.device) -> Kernel:
    """Returns eager on a CPU, where it is faster than SDPA for short texts; on a GPU a kernel
    without padding where the precision, the hardware and the dropout allow one."""
    if device.type != "cuda":
        return "eager"
    if not (torch.is_autocast_enabled("cuda") or model.dtype in (torch.float16, torch.bfloat16)):
        return "sdpa"
    if is_flash_attn_2_available():
        return "flash_attention_2"
    drops_out = model.training and model.config.attention_probs_dropout_prob > 0
    ampere = torch.cuda.get_device_capability(device) >= (8, 0)
    return "varlen" if ampere and not drops_out else "sdpa"


def implementation(kernel: Kernel) -> str:
    """The kernel's name in Transformers."""
    return kernel if kernel == "flash_attention_2" else PACKED


def packing_of(
    descending: Sequence[int], *, kernel: Kernel, heads: int, device: torch.device
) -> Packing:
    """Lays out texts of these lengths, longest first."""
    lengths_B = torch.tensor(descending)
    ends = functional.pad(lengths_B.cumsum(0), (1, 0)).to(device, torch.int32)
    groups = []
    if kernel == "sdpa":
        sizes = group_sizes(descending, device=device)
        groups = [_group(lengths_C, device) for lengths_C in lengths_B.split(list(sizes))]
    filling = rounded_up(sum(descending), device=device) - sum(descending)
    slots = slots_of(descending, heads=heads, device=device) if kernel == "eager" else None
    return Packing(kernel, ends, descending[0], groups, filling, slots)


def rounded_up(tokens: int, *, device: torch.device) -> int:
    """Returns how many tokens the linear layers compute for so many."""
    if device.type != "cpu" or tokens < 16 * MULTIPLE:
        return tokens
    return tokens + -tokens % MULTIPLE


def _group(lengths_C: Tensor, device: torch.device) -> AttentionGroup:
    texts, longest, tokens = len(lengths_C), int(lengths_C[0]), int(lengths_C.sum())
    if tokens == texts * longest:
        return AttentionGroup(texts, longest, tokens, None)
    columns_L = torch.arange(longest)
    mask_CL = columns_L < lengths_C[:, None]
    starts_C = lengths_C.cumsum(0) - lengths_C
    padding = Padding(
        token_N=(starts_C[:, None] + columns_L).where(mask_CL, 0).flatten().to(device),
        slot_T=mask_CL.flatten().nonzero()[:, 0].to(device),
        bias_C11L=torch.where(mask_CL, 0.0, -torch.inf)[:, None, None].to(device),
    )
    return AttentionGroup(texts, longest, tokens, padding)


def attend(
    module: nn.Module,
    query_1HTF: Tensor,
    key_1HTF: Tensor,
    value_1HTF: Tensor,
    attention_mask: None,
    *,
    packing: Packing,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Has each token attend to those of its text; Transformers defines the signature. Returns
    `mixed_1THF`, and no attention weights."""
    query_THF, key_THF, value_THF = (
        states.squeeze(0).transpose(0, 1) for states in (query_1HTF, key_1HTF, value_1HTF)
    )
    if packing.kernel == "varlen":
        ends, longest = packing.ends, packing.longest
        mixed_THF = varlen_attn(
            query_THF, key_THF, value_THF, ends, ends, longest, longest, scale=scaling
        )
        assert isinstance(mixed_THF, Tensor)
    elif packing.slots is not None:
        states_T3HF = torch.stack([query_THF, key_THF, value_THF], dim=1)
        mixed_THF = attend_eagerly(states_T3HF, packing.slots, scaling=scaling, dropout=dropout)
    else:
        mixed_THF = _attend_in_groups(
            query_THF, key_THF, value_THF, packing=packing, scaling=scaling, dropout=dropout
        )
    return mixed_THF[None], None


AttentionInterface.register(PACKED, attend)
AttentionMaskInterface.register(PACKED, lambda *_, **__: None)


def _attend_in_groups(
    *states_THF: Tensor, packing: Packing, scaling: float, dropout: float
) -> Tensor:
    counts = [*(group.tokens for group in packing.groups), packing.filling]
    mixed = []
    for group, query, key, value in zip(
        packing.groups,
        *(states.split(counts) for states in states_THF),
        strict=False,  # the filling has no group
    ):
        mixed_CHLF = functional.scaled_dot_product_attention(
            _pad(query, group),
            _pad(key, group),
            _pad(value, group),
            attn_mask=None if group.padding is None else group.padding.bias_C11L.to(query.dtype),
            dropout_p=dropout,
            scale=scaling,
        )
        mixed.append(_unpad(mixed_CHLF, group))
    mixed.append(mixed[0].new_zeros(packing.filling, *mixed[0].shape[1:]))
    return torch.cat(mixed)


def _pad(tokens_THF: Tensor, group: AttentionGroup) -> Tensor:
    if group.padding:
        tokens_THF = _Select.apply(tokens_THF, group.padding.token_N, group.padding.slot_T)
    return tokens_THF.unflatten(0, (group.texts, group.longest)).transpose(1, 2)


def _unpad(mixed_CHLF: Tensor, group: AttentionGroup) -> Tensor:
    slots_NHF = mixed_CHLF.transpose(1, 2).flatten(0, 1)
    return _Select.apply(slots_NHF, group.padding.slot_T, None) if group.padding else slots_NHF


class _Select(torch.autograd.Function):
    """Selects rows, of which each counts once in the gradient: it is copied, where autograd's
    `index_select` would add it up row by row.

    `position_R` is where the result has each row; None where it lacks some, which get zeros.
    """

    @staticmethod
    def forward(context: Any, rows_RHF: Tensor, index_S: Tensor, position_R: Any) -> Tensor:
        context.save_for_backward(index_S, position_R)
        context.rows = len(rows_RHF)
        return rows_RHF.index_select(0, index_S)

    @staticmethod
    def backward(context: Any, gradient_SHF: Tensor) -> tuple[Tensor, None, None]:
        index_S, position_R = context.saved_tensors
        if position_R is not None:
            return gradient_SHF.index_select(0, position_R), None, None
        gradient_RHF = gradient_SHF.new_zeros(context.rows, *gradient_SHF.shape[1:])
        return gradient_RHF.index_copy_(0, index_S, gradient_SHF), None, None
