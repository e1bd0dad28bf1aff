"""Writes a transformer encoder as an ONNX graph, in float32 and int8, and as OpenVINO's.

Inputs are `input_ids` and `attention_mask`, B x L. `last_hidden_state` is the output that
sentence-transformers and text-embeddings-inference pool themselves; `sentence_embedding` is the
pooled and normalised vector, for those who have an ONNX runtime alone.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lingmix.errors import InputError, library_failure
from lingmix.model.encoder import Encoder
from lingmix.model.layout import Pooling
from lingmix.model.transformer import Transformer

INPUTS = ("input_ids", "attention_mask")
HIDDEN, EMBEDDING = "last_hidden_state", "sentence_embedding"

LARGEST_FILE = 2_000_000_000
"""Bytes of an ONNX file, whose format ends at 2 GiB; greater weights lie beside it."""


class _Graph(nn.Module):
    def __init__(self, transformer: Transformer, heads: nn.Sequential) -> None:
        super().__init__()
        self.model, self.heads = transformer.model, heads
        self._pooling = transformer.pooling

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        hidden_BLD = self.model(
            input_ids=input_ids, attention_mask=attention_mask
        ).last_hidden_state
        pooled_BD = pool_padded(hidden_BLD, attention_mask, self._pooling)
        return hidden_BLD, functional.normalize(self.heads(pooled_BD), dim=-1)


def pool_padded(hidden_BLD: Tensor, mask_BL: Tensor, pooling: Pooling) -> Tensor:
    """Pools as `model.pooling.pool` does, texts that are padded at their end."""
    length_B1 = mask_BL.sum(1, keepdim=True)
    if pooling == "cls":
        return hidden_BLD[:, 0]
    if pooling == "lasttoken":
        last_BL = mask_BL * (mask_BL.cumsum(1) == length_B1)
        return (hidden_BLD * last_BL[:, :, None]).sum(1)
    if pooling == "max":
        return hidden_BLD.masked_fill(mask_BL[:, :, None] == 0, float("-inf")).amax(1)
    weight_BL = mask_BL.to(hidden_BLD.dtype)
    if pooling == "weightedmean":  # the n-th token counts n times
        weight_BL = weight_BL * weight_BL.cumsum(1)
    mean_BD = (hidden_BLD * weight_BL[:, :, None]).sum(1) / weight_BL.sum(1, keepdim=True)
    return mean_BD * length_B1.sqrt() if pooling == "mean_sqrt_len_tokens" else mean_BD


def write_onnx(encoder: Encoder, path: Path) -> None:
    """Writes the graph in float32. Raises InputError for what is no transformer, or one that
    torch.onnx cannot trace."""
    if not isinstance(encoder.embedder, Transformer):
        raise InputError("forms: onnx and openvino are of transformers, and this encoder is static")
    path.parent.mkdir(exist_ok=True)
    encoder.embedder.set_attention(on_cpu=True)
    graph = _Graph(encoder.embedder, encoder.heads).eval()
    sizes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens")}
    mask_BL = torch.tensor([[1] * 7, [1] * 5 + [0] * 2])
    weights = sum(one.numel() * one.element_size() for one in graph.parameters())
    with library_failure("forms: torch.onnx cannot export this model"), _quiet(), torch.no_grad():
        torch.onnx.export(
            graph,
            (mask_BL * 3, mask_BL),
            path,
            input_names=INPUTS,
            output_names=(HIDDEN, EMBEDDING),
            dynamic_shapes=dict.fromkeys(INPUTS, sizes),
            dynamo=True,
            external_data=weights > LARGEST_FILE,
            verbose=False,
        )


def write_int8(onnx: Path, path: Path) -> None:
    """Quantises the weights of a graph to 8 bits, a scale a row; activations as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - an extra

    with library_failure("forms: onnxruntime cannot quantise this model"), _quiet():
        quantize_dynamic(onnx, path, weight_type=QuantType.QInt8, per_channel=True)


def write_openvino(onnx: Path, path: Path) -> None:
    """Converts a graph to OpenVINO's, in float32: `path` and its weights beside it."""
    import openvino  # noqa: PLC0415 - an extra

    path.parent.mkdir(exist_ok=True)
    with library_failure("forms: openvino cannot convert this model"):
        openvino.save_model(openvino.convert_model(onnx), path, compress_to_fp16=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences notes on operators of packages that are not used, and on deprecations of torch's."""
    chatty: list[Any] = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "root")]
    before = [one.level for one in chatty]
    for one in chatty:
        one.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for one, level in zip(chatty, before, strict=True):
                one.setLevel(level)
