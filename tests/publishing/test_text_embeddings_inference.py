"""What text-embeddings-inference reads of a folder (router and backends of its 1.8), by its names.

A key without a default must be there, and of its type; a module of another name is an error there.
"""

import json
from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from tokenizers import Tokenizer

from lingmix.model.layout import write_json
from lingmix.publishing.records import load_encoder_of


class Struct(BaseModel):
    """Unknown keys are ignored, as serde does."""

    model_config = ConfigDict(strict=True)


class ModelConfig(Struct):
    architectures: list[str]
    model_type: str
    max_position_embeddings: int = Field(ge=0)
    pad_token_id: int = Field(0, ge=0)


class PoolConfig(Struct):
    pooling_mode_cls_token: bool
    pooling_mode_mean_tokens: bool
    pooling_mode_lasttoken: bool = False

    @property
    def pool(self) -> str:
        if self.pooling_mode_cls_token:
            return "cls"
        return "mean" if self.pooling_mode_mean_tokens else "last-token"


class SentenceConfig(Struct):
    max_seq_length: int = Field(ge=0)


class SentenceTransformersConfig(Struct):
    prompts: dict[str, str] | None


class ModuleType(StrEnum):
    DENSE = "sentence_transformers.models.Dense"
    NORMALIZE = "sentence_transformers.models.Normalize"
    POOLING = "sentence_transformers.models.Pooling"
    TRANSFORMER = "sentence_transformers.models.Transformer"


class Module(Struct):
    model_config = ConfigDict(strict=False)
    idx: int
    name: str
    path: str
    type: ModuleType


class Activation(StrEnum):
    TANH = "torch.nn.modules.activation.Tanh"
    IDENTITY = "torch.nn.modules.linear.Identity"


class DenseConfig(Struct):
    model_config = ConfigDict(strict=False)
    in_features: int
    out_features: int
    bias: bool
    activation_function: Activation | None = None


def read(folder: Path, file: str, struct: type) -> object:
    return TypeAdapter(struct).validate_json((folder / file).read_text("utf-8"))


@pytest.fixture(scope="module", params=[None, 8])
def folder(request, trained, tmp_path_factory):
    encoder = load_encoder_of(trained.recorded)
    folder = tmp_path_factory.mktemp("tei") / "model"
    (encoder.cut_to(request.param) if request.param else encoder).save(folder)
    return folder


def test_all_that_it_reads_is_there(folder):
    config = read(folder, "config.json", ModelConfig)
    assert not any(name.endswith("Classification") for name in config.architectures)
    assert read(folder, "1_Pooling/config.json", PoolConfig).pool == "mean"
    length = read(folder, "sentence_bert_config.json", SentenceConfig).max_seq_length
    assert 0 < length <= config.max_position_embeddings
    prompts = read(folder, "config_sentence_transformers.json", SentenceTransformersConfig).prompts
    assert prompts == {"query": "query: ", "passage": "passage: ", "document": "passage: "}
    assert Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size() > 0
    assert (folder / "model.safetensors").is_file()


def test_it_applies_each_dense_layer_that_the_modules_name(folder):
    modules = read(folder, "modules.json", list[Module])
    dense = [one.path for one in modules if one.type == ModuleType.DENSE]
    for path in dense:
        layer = read(folder, f"{path}/config.json", DenseConfig)
        assert (layer.in_features, layer.out_features, layer.bias) == (16, 8, False)
        assert layer.activation_function == Activation.IDENTITY
        assert (folder / path / "model.safetensors").is_file()
    assert len(dense) == len(modules) - 3


def test_these_structs_refuse_what_sentence_transformers_6_writes(folder, tmp_path):
    write_json({"embedding_dimension": 16, "pooling_mode": "mean"}, tmp_path / "config.json")
    with pytest.raises(ValidationError, match="pooling_mode_cls_token"):
        read(tmp_path, "config.json", PoolConfig)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "sentence_transformers.base.modules.transformer.Transformer"
    write_json(modules, tmp_path / "modules.json")
    with pytest.raises(ValidationError, match="type"):
        read(tmp_path, "modules.json", list[Module])
