"""Texts laid end to end: nothing is padded but, where its kernel needs that, attention."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.utils.import_utils import is_flash_attn_2_available

from lingmix.model.micro_batches import BUDGET, chunk_sizes, of_device

PACKED = "lingmix_packed"
"""Transformers' name for `attend`."""

WASTE = 4096
"""Places of padding in attention that cost less time than computing one group more."""

MULTIPLE = 128
"""Tokens that the linear layers are given a multiple of on a CPU, which compiles a kernel for each
shape: micro-batches then share theirs. Few tokens are left as they are."""

Kernel = Literal["eager", "sdpa", "flash_attention_2", "varlen"]
"""The last two take texts of any lengths as they are, on a GPU and in 16 bits; `varlen`, PyTorch's
own, drops nothing out."""

UNPADDED: tuple[Kernel, ...] = ("flash_attention_2", "varlen")


class Padding(NamedTuple):
    """`place_N`: the token of each place, the first where there is none; `kept_T`: the place of
    each token; `bias_C11L`: minus infinity where a place is empty."""

    place_N: Tensor
    kept_T: Tensor
    bias_C11L: Tensor


class Group(NamedTuple):
    """C texts of like lengths, in attention each padded to the longest of them, L."""

    texts: int
    longest: int
    tokens: int
    padding: Padding | None


class Packing(NamedTuple):
    """Where each text ends, a 0 before them; those that are attended to together; and how many
    tokens come after them to fill up."""

    kernel: Kernel
    ends: Tensor
    longest: int
    groups: list[Group]
    filling: int

    @property
    def told(self) -> dict[str, Any]:
        """What a model passes on to its attention."""
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
    """On a CPU eager, faster than SDPA for short texts; on a GPU without padding where it can."""
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
    """Transformers' name."""
    return kernel if kernel == "flash_attention_2" else PACKED


def packing_of(descending: Sequence[int], *, kernel: Kernel, device: torch.device) -> Packing:
    """Of texts of these lengths."""
    lengths_B = torch.tensor(descending)
    ends = functional.pad(lengths_B.cumsum(0), (1, 0)).to(device, torch.int32)
    groups = []
    if kernel not in UNPADDED:
        sizes = attention_sizes(descending, device=device)
        groups = [_group(lengths_C, device) for lengths_C in lengths_B.split(list(sizes))]
    filling = filled(sum(descending), device=device) - sum(descending)
    return Packing(kernel, ends, descending[0], groups, filling)


def filled(tokens: int, *, device: torch.device) -> int:
    """How many the linear layers are given."""
    if device.type != "cpu" or tokens < 16 * MULTIPLE:
        return tokens
    return tokens + -tokens % MULTIPLE


def attention_sizes(descending: Sequence[int], *, device: torch.device) -> Iterator[int]:
    """Texts a group."""
    return chunk_sizes(descending, waste=WASTE, budget=of_device(BUDGET, device))


def _group(lengths_C: Tensor, device: torch.device) -> Group:
    texts, longest, tokens = len(lengths_C), int(lengths_C[0]), int(lengths_C.sum())
    if tokens == texts * longest:
        return Group(texts, longest, tokens, None)
    columns_L = torch.arange(longest)
    mask_CL = columns_L < lengths_C[:, None]
    starts_C = lengths_C.cumsum(0) - lengths_C
    padding = Padding(
        place_N=(starts_C[:, None] + columns_L).where(mask_CL, 0).flatten().to(device),
        kept_T=mask_CL.flatten().nonzero()[:, 0].to(device),
        bias_C11L=torch.where(mask_CL, 0.0, -torch.inf)[:, None, None].to(device),
    )
    return Group(texts, longest, tokens, padding)


def attend(
    module: nn.Module,
    query_1HTE: Tensor,
    key_1HTE: Tensor,
    value_1HTE: Tensor,
    attention_mask: None,
    *,
    packing: Packing,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """A token attends to those of its own text. As Transformers calls it; returns `mixed_1THE`."""
    query_THE, key_THE, value_THE = (
        one.squeeze(0).transpose(0, 1) for one in (query_1HTE, key_1HTE, value_1HTE)
    )
    if packing.kernel == "varlen":
        ends, longest = packing.ends, packing.longest
        mixed_THE = varlen_attn(
            query_THE, key_THE, value_THE, ends, ends, longest, longest, scale=scaling
        )
        assert isinstance(mixed_THE, Tensor)
        return mixed_THE[None], None
    kernel = _eager if packing.kernel == "eager" else functional.scaled_dot_product_attention
    counts = [*(group.tokens for group in packing.groups), packing.filling]
    mixed = []
    for group, query, key, value in zip(
        packing.groups,
        *(one.split(counts) for one in (query_THE, key_THE, value_THE)),
        strict=False,  # the filling has no group
    ):
        mixed_CHLE = kernel(
            _placed(query, group),
            _placed(key, group),
            _placed(value, group),
            attn_mask=None if group.padding is None else group.padding.bias_C11L.to(query.dtype),
            dropout_p=dropout,
            scale=scaling,
        )
        mixed.append(_taken(mixed_CHLE, group))
    mixed.append(mixed[0].new_zeros(packing.filling, *mixed[0].shape[1:]))
    return torch.cat(mixed)[None], None


AttentionInterface.register(PACKED, attend)
AttentionMaskInterface.register(PACKED, lambda *_, **__: None)


def _eager(
    query_CHLE: Tensor,
    key_CHLE: Tensor,
    value_CHLE: Tensor,
    *,
    attn_mask: Tensor | None,
    dropout_p: float,
    scale: float,
) -> Tensor:
    scores_CHLL = query_CHLE * scale @ key_CHLE.transpose(2, 3)
    if attn_mask is not None:
        scores_CHLL = scores_CHLL + attn_mask
    weights_CHLL = functional.softmax(scores_CHLL, dim=-1)
    if dropout_p:
        weights_CHLL = functional.dropout(weights_CHLL, dropout_p)
    return weights_CHLL.to(value_CHLE.dtype) @ value_CHLE


def _placed(tokens_THE: Tensor, group: Group) -> Tensor:
    if group.padding:
        tokens_THE = _Padded.apply(tokens_THE, group.padding)
    return tokens_THE.unflatten(0, (group.texts, group.longest)).transpose(1, 2)


def _taken(mixed_CHLE: Tensor, group: Group) -> Tensor:
    places_NHE = mixed_CHLE.transpose(1, 2).flatten(0, 1)
    return _Unpadded.apply(places_NHE, group.padding) if group.padding else places_NHE


class _Padded(torch.autograd.Function):
    """Tokens to places. Its gradient, a selection too, is what autograd adds up row by row."""

    @staticmethod
    def forward(context: Any, tokens_THE: Tensor, padding: Padding) -> Tensor:
        context.padding = padding
        return tokens_THE.index_select(0, padding.place_N)

    @staticmethod
    def backward(context: Any, gradient_NHE: Tensor) -> tuple[Tensor, None]:
        return gradient_NHE.index_select(0, context.padding.kept_T), None


class _Unpadded(torch.autograd.Function):
    """Places to tokens."""

    @staticmethod
    def forward(context: Any, places_NHE: Tensor, padding: Padding) -> Tensor:
        context.padding = padding
        return places_NHE.index_select(0, padding.kept_T)

    @staticmethod
    def backward(context: Any, gradient_THE: Tensor) -> tuple[Tensor, None]:
        kept_T, place_N = context.padding.kept_T, context.padding.place_N
        zeros_NHE = gradient_THE.new_zeros(len(place_N), *gradient_THE.shape[1:])
        return zeros_NHE.index_copy_(0, kept_T, gradient_THE), None
