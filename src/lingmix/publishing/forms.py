"""The forms of an exported model in one folder, as sentence-transformers lays them out."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from lingmix.errors import InputError
from lingmix.model.encoder import Encoder
from lingmix.publishing.onnx_graph import write_int8, write_onnx, write_openvino
from lingmix.publishing.readers import (
    Encode,
    by_onnxruntime,
    by_openvino,
    by_sentence_transformers,
)

SENTENCE_TRANSFORMERS = "sentence_transformers"
ONNX, ONNX_INT8, OPENVINO = "onnx", "onnx_int8", "openvino"

FILES = {
    ONNX: "onnx/model.onnx",
    ONNX_INT8: "onnx/model_int8.onnx",
    OPENVINO: "openvino/openvino_model.xml",
}
"""Where sentence-transformers looks for a model of another form."""

NEEDED = {
    ONNX: ("onnx", "onnxscript", "onnxruntime"),
    ONNX_INT8: ("onnx", "onnxscript", "onnxruntime"),
    OPENVINO: ("onnx", "onnxscript", "openvino"),
}
"""Packages by form; `sentence_transformers` is needed by all."""


def require_packages(forms: Sequence[str]) -> None:
    """Raises InputError where a package that writes or reads a form is not installed."""
    for form in (SENTENCE_TRANSFORMERS, *forms):
        for package in NEEDED.get(form, (SENTENCE_TRANSFORMERS,)):
            if find_spec(package) is None:
                raise InputError(
                    f"forms: {form} needs the package {package.replace('_', '-')}; install it with "
                    "pip install 'lingmix[export]'"
                )


def write_forms(encoder: Encoder, folder: Path, forms: Sequence[str]) -> dict[str, Encode]:
    """Writes sentence-transformers' own files and `forms`; returns, for each, how the tool that it
    is for encodes with it."""
    encoder.save(folder)
    readers = {SENTENCE_TRANSFORMERS: by_sentence_transformers(folder)}
    if not forms:
        return readers
    onnx = folder / FILES[ONNX]
    write_onnx(encoder, onnx)
    for form in forms:
        path = folder / FILES[form]
        if form == ONNX_INT8:
            write_int8(onnx, path)
        elif form == OPENVINO:
            write_openvino(onnx, path)
        read = by_openvino if form == OPENVINO else by_onnxruntime
        readers[form] = read(path, encoder)
    if ONNX not in forms:
        for file in onnx.parent.glob(f"{onnx.name}*"):
            file.unlink()
        if not any(onnx.parent.iterdir()):
            onnx.parent.rmdir()
    return readers
