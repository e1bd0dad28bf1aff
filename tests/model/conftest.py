from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from tokenizers import processors
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from lingmix.data.tokens import Tokens
from lingmix.model.encoder import Encoder, load_encoder
from lingmix.model.unigram import learn_unigram

TEXTS = [
    "Which currency is used in Japan?",
    "Kürzer.",
    "The yen is the currency of Japan, and the euro that of Germany.",
    "Welche Währung hat Deutschland?",
    "Seit 2002 zahlt man in Deutschland mit dem Euro; davor mit der Mark.",
    "日本の通貨は何ですか",
    "日本の通貨は円です。首都は東京です。",
    "สกุลเงินของประเทศญี่ปุ่นคือเยน",
    "ما هي عملة اليابان؟",
    "Какая валюта в Японии?",
]
SETTINGS = {
    "revision": None,
    "prompts": None,
    "pooling": None,
    "max_length": None,
    "scratch": None,
    "texts": (),
    "seed": 0,
    "attention": None,
    "compile": False,
    "lora": None,
    "trust_remote_code": False,
}
SCRATCH = {
    "static": {"dimension": 16, "vocabulary": 400, "scale": 0.1, "sparse": False},
    "tiny": {"dimension": 16, "vocabulary": 400, "layers": 2, "heads": 4, "dropout": 0.0},
}
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def load(cache) -> Callable[..., Encoder]:
    """A folder, or by name an encoder that starts from `TEXTS`."""

    def loaded(name: str | Path, **settings) -> Encoder:
        if name in SCRATCH:
            settings = {"scratch": SCRATCH[name], "texts": TEXTS} | settings
        return load_encoder(**(SETTINGS | {"cache": cache, "name": str(name)} | settings))

    return loaded


@pytest.fixture(scope="session")
def bert_folder(cache, tmp_path_factory) -> Path:
    """BERT with its pooler."""
    return model_folder(tmp_path_factory.mktemp("bert"), cache, "bert")


@pytest.fixture(scope="session")
def unpackable_folder(cache, tmp_path_factory) -> Path:
    """A model whose texts cannot be packed."""
    folder = tmp_path_factory.mktemp("distilbert")
    return model_folder(folder, cache, "distilbert", max_position_embeddings=256, hidden_dim=32)


def model_folder(folder: Path, cache: Path, model_type: str, **settings) -> Path:
    """As `save_pretrained` leaves it; weights wide enough to tell vectors apart."""
    sizes = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 32,
        "max_position_embeddings": 64,
    }
    config = AutoConfig.for_model(
        model_type,
        vocab_size=save_tokenizer(folder, cache),
        initializer_range=0.3,
        pad_token_id=0,
        **(sizes | settings),
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        AutoModel.from_config(config).save_pretrained(folder)
    return folder


def save_tokenizer(folder: Path, cache: Path, **settings) -> int:
    """Learned from `TEXTS`; returns the size of its vocabulary, at most 400."""
    tokenizer = learn_unigram(
        TEXTS, vocabulary=400, special_tokens=list(SPECIAL.values()), cache=cache
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL, **settings)
    wrapped.save_pretrained(folder)
    return tokenizer.get_vocab_size()


def ragged(token_lists: list[list[int]]) -> Tokens:
    ids = torch.tensor([one for tokens in token_lists for one in tokens], dtype=torch.long)
    return Tokens(ids, torch.tensor([len(tokens) for tokens in token_lists]))


def embed(encoder: Encoder, texts: list[str], role: str = "query") -> torch.Tensor:
    with torch.inference_mode():
        return encoder.eval()(ragged(encoder.tokenize(texts, role)))


close = partial(torch.testing.assert_close, rtol=0)
