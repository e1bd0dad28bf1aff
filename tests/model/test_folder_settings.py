"""Whatever a folder's files say, it is read or refused in one line."""

import json
import shutil
from collections.abc import Iterator

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer import modules as st

from lingmix.errors import InputError
from tests.model.conftest import TEXTS, embed

VALUES = [None, -1, 2.5, "x", [], {"a": 1}]
TORN = ["", "{", "\x00", "[" * 10**5]

FILES = [
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer_config.json",
]


@pytest.fixture(scope="module")
def whole(bert_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "model"
    modules = [Transformer(str(bert_folder)), st.Pooling(16, "mean"), Dense(16, 8), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder))
    return folder


def spoilt(text: str) -> Iterator[str]:
    """Every key removed, and set to what is no value of it."""
    yield from TORN
    value = json.loads(text)
    for part in [value] if isinstance(value, dict) else value:
        for key, right in list(part.items()):
            for wrong in VALUES:
                part[key] = wrong
                yield json.dumps(value)
            del part[key]
            yield json.dumps(value)
            part[key] = right


@pytest.mark.parametrize("name", FILES)
def test_a_folder_is_read_or_refused_in_one_line(load, whole, tmp_path, name):
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    lines = []
    for text in spoilt((whole / name).read_text()):
        (folder / name).write_text(text)
        try:
            vectors_BD = embed(load(folder), TEXTS)
        except InputError as refused:
            lines.append(str(refused))
        else:
            assert torch.isfinite(vectors_BD).all()
    assert len(lines) > len(TORN)
    assert not [line for line in lines if "\n" in line]
