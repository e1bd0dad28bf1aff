"""Encodes with an exported folder as other tools do: by their own code, not by ours."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lingmix.data.tokens import Role
from lingmix.errors import library_failure
from lingmix.model.encoder import Encoder
from lingmix.model.transformer import quiet
from lingmix.publishing.onnx_graph import EMBEDDING, INPUTS
from lingmix.search.vectors import Vectors

AT_ONCE = 16
"""Texts of one call: short of what fills the caches of a CPU, so that more are no faster."""

Encode = Callable[[Sequence[str], Role], NDArray[np.float32]]
Graph = Callable[[dict[str, NDArray[np.int64]]], NDArray[np.float32]]


def by_sentence_transformers(folder: Path) -> Encode:
    """Encodes with `SentenceTransformer`, which finds the prompts in the folder."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - an extra, and seconds

    logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
    with library_failure(f"sentence-transformers cannot load {folder}"), quiet():
        model = SentenceTransformer(str(folder), device="cpu")

    def encode(texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        encode_role = model.encode_query if role == "query" else model.encode_document
        return encode_role(list(texts), batch_size=AT_ONCE, show_progress_bar=False)

    return encode


def by_onnxruntime(path: Path, encoder: Encoder) -> Encode:
    """Encodes with ONNX Runtime on the CPU, from the token ids of the encoder's tokenizer."""
    import onnxruntime  # noqa: PLC0415 - an extra

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return _padded(encoder, lambda inputs: session.run([EMBEDDING], inputs)[0])


def by_openvino(path: Path, encoder: Encoder) -> Encode:
    """Encodes with OpenVINO on the CPU, in float32 also where the hardware has bf16."""
    import openvino  # noqa: PLC0415 - an extra

    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return _padded(encoder, lambda inputs: compiled(inputs)[EMBEDDING].copy())


def _padded(encoder: Encoder, graph: Graph) -> Encode:
    padding = int(getattr(encoder.embedder, "padding", 0))

    def encode(texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        ids_N = encoder.tokenize(texts, role)
        vectors_ND = np.empty((len(texts), encoder.dimension), np.float32)
        order_N = np.argsort([-len(ids) for ids in ids_N], kind="stable")
        for start in range(0, len(order_N), AT_ONCE):
            rows = order_N[start : start + AT_ONCE]
            vectors_ND[rows] = graph(_inputs([ids_N[row] for row in rows], padding))
        return vectors_ND

    return encode


def _inputs(ids_B: Sequence[Sequence[int]], padding: int) -> dict[str, NDArray[np.int64]]:
    longest = max(map(len, ids_B))
    shape: Any = (len(ids_B), longest)
    ids_BL, mask_BL = np.full(shape, padding, np.int64), np.zeros(shape, np.int64)
    for row, ids in enumerate(ids_B):
        ids_BL[row, : len(ids)], mask_BL[row, : len(ids)] = ids, 1
    return dict(zip(INPUTS, (ids_BL, mask_BL), strict=True))


def once_each(encode: Encode) -> Callable[[Sequence[str], Role], Vectors]:
    """Encodes equal texts once."""

    def encode_once(texts: Sequence[str], role: Role) -> Vectors:
        row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        rows = np.fromiter(map(row_of.__getitem__, texts), np.int64, count=len(texts))
        return Vectors(np.asarray(encode([*row_of], role), np.float32), rows)

    return encode_once
