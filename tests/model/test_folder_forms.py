"""Forms of folders that others write: read as the library that wrote them reads them."""

import json
import shutil

import numpy as np
import pytest
import torch
from model2vec import StaticModel
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Normalize, Transformer
from sentence_transformers.sentence_transformer import modules as st
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.nn.functional import normalize
from transformers import AutoTokenizer

from lingmix.errors import InputError
from lingmix.model.unigram import UNKNOWN
from tests.model.conftest import TEXTS, close, embed, model_folder

LONG = [" ".join(TEXTS), *TEXTS]


def theirs(folder, **how):
    """A text at a time: nothing is padded, wherever the padding would be."""
    model = SentenceTransformer(str(folder), device="cpu")
    vectors_BD = model.encode(LONG, batch_size=1, convert_to_tensor=True, **how)
    return normalize(vectors_BD, dim=-1)


def sentence_transformer(source, folder, *, pooling="mean", include_prompt=True, **how):
    modules = [Transformer(str(source)), st.Pooling(16, pooling, include_prompt=include_prompt)]
    SentenceTransformer(modules=modules, device="cpu", **how).save(str(folder))
    return folder


def with_tokenizer(source, folder, **settings):
    """A copy of the model, its tokenizer set otherwise."""
    shutil.copytree(source, folder)
    AutoTokenizer.from_pretrained(source, **settings).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("saved_by_us", [False, True])
def test_a_tokenizer_that_cuts_the_beginning_off(load, bert_folder, tmp_path, saved_by_us):
    source = with_tokenizer(
        bert_folder, tmp_path / "left", truncation_side="left", model_max_length=12
    )
    folder = sentence_transformer(source, tmp_path / "model")
    encoder = load(folder)
    right = load(bert_folder, max_length={"query": 12, "passage": 12})
    assert encoder.tokenize(LONG[:1], "query") != right.tokenize(LONG[:1], "query")
    assert encoder.tokenizer_fingerprint != right.tokenizer_fingerprint
    if saved_by_us:
        encoder.save(folder := tmp_path / "ours")
    close(theirs(folder), embed(encoder, LONG), atol=1e-5)
    assert load(folder).tokenize(LONG, "query") == encoder.tokenize(LONG, "query")


@pytest.mark.parametrize("side", ["left", "right"])
def test_static_embeddings_cut_texts_where_their_tokenizer_says(load, tmp_path, side):
    load("static").save(tmp_path / "model")
    path = tmp_path / "model" / "0_StaticEmbedding" / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(6, direction=side)
    tokenizer.save(str(path))
    encoder = load(tmp_path / "model")
    close(theirs(tmp_path / "model"), embed(encoder, LONG), atol=1e-5)
    encoder.save(tmp_path / "ours")
    close(theirs(tmp_path / "ours"), embed(encoder, LONG), atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
def test_the_side_of_padding_moves_no_vector(load, bert_folder, tmp_path, pooling):
    source = with_tokenizer(bert_folder, tmp_path / "left", padding_side="left")
    folder = sentence_transformer(source, tmp_path / "model", pooling=pooling)
    close(theirs(folder), embed(load(folder), LONG), atol=1e-5)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen3"])
@pytest.mark.parametrize("pooling", ["lasttoken", "weightedmean"])
def test_decoders(load, cache, tmp_path, kind, pooling):
    heads = {"num_key_value_heads": 2, "head_dim": 4} if kind == "qwen3" else {}
    source = model_folder(tmp_path / kind, cache, kind, **heads)
    left = with_tokenizer(source, tmp_path / "left", padding_side="left")
    folder = sentence_transformer(left, tmp_path / "model", pooling=pooling)
    encoder = load(folder)
    assert not encoder.embedder.packs
    close(theirs(folder), embed(encoder, LONG), atol=1e-5)


def test_a_transformer_in_a_folder_of_its_own(load, bert_folder, tmp_path):
    """As releases before 2.3 wrote it."""
    folder = sentence_transformer(bert_folder, tmp_path / "model", pooling="cls")
    (folder / "0_Transformer").mkdir()
    for name in ("config.json", "model.safetensors", "sentence_bert_config.json"):
        (folder / name).rename(folder / "0_Transformer" / name)
    for path in folder.glob("tokenizer*"):
        path.rename(folder / "0_Transformer" / path.name)
    rows = json.loads((folder / "modules.json").read_text())
    rows[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(rows))
    close(theirs(folder), embed(load(folder), LONG), atol=1e-5)


def test_a_prompt_that_is_left_out_of_the_pooling_is_refused_for_either_side(
    load, bert_folder, tmp_path
):
    for side in ("query", "document"):
        folder = sentence_transformer(
            bert_folder, tmp_path / side, include_prompt=False, prompts={side: "Q: "}
        )
        with pytest.raises(InputError, match="include_prompt must be true"):
            load(folder)
    empty = {"query": "", "passage": ""}
    close(theirs(folder), embed(load(folder, prompts=empty), LONG), atol=1e-5)


def test_what_a_folder_asks_attention_to_be_is_left_to_the_encoder(load, bert_folder, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(bert_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config["_attn_implementation"] = config["attn_implementation"] = "flash_attention_2"
    (folder / "config.json").write_text(json.dumps(config))
    close(embed(load(folder), LONG), embed(load(bert_folder), LONG), atol=0)


@pytest.mark.parametrize("outside", ["../heads", "absolute", "link"])
def test_modules_stay_in_their_folder(load, bert_folder, tmp_path, outside):
    folder = sentence_transformer(bert_folder, tmp_path / "model")
    shutil.copytree(folder / "1_Pooling", tmp_path / "heads")
    (folder / "link").symlink_to(tmp_path / "heads")
    rows = json.loads((folder / "modules.json").read_text())
    rows[1]["path"] = outside if outside != "absolute" else str(tmp_path / "heads")
    (folder / "modules.json").write_text(json.dumps(rows))
    with pytest.raises(InputError, match=r"modules.json: a module's path must stay in its folder"):
        load(folder)


@pytest.fixture(scope="module")
def word_tokenizer():
    """Whole words, of which it knows some: the others are one unknown token."""
    words = [UNKNOWN, "the", "currency", "of", "Japan", "euro", "Germany", "yen", "in", "is"]
    vocabulary = {word: n for n, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize(("length", "listed"), [(4, True), (None, False)])
def test_model2vec(load, word_tokenizer, tmp_path, *, quantised, length, listed):
    """Its unknown tokens count nothing; `quantised`: tokens share rows and have weights."""
    random = np.random.default_rng(0)
    rows = 4 if quantised else 10
    model = StaticModel(
        random.normal(size=(rows, 16)).astype(np.float32),
        word_tokenizer,
        config={"model_type": "model2vec"},
        normalize=True,
        max_length=length,
        weights=random.uniform(size=10).astype(np.float32) if quantised else None,
        token_mapping=random.integers(0, rows, 10) if quantised else None,
    )
    model.save_pretrained(tmp_path / "model")
    if not listed:
        (tmp_path / "model" / "modules.json").unlink()
    texts = ["in of is in of is Japan", "is of 2? in Japan", "? ?"] if length else LONG
    expected_BD = torch.from_numpy(model.encode(texts)).float()
    assert 0 < expected_BD.norm(dim=-1).count_nonzero() < len(texts)
    encoder = load(tmp_path / "model")
    close(embed(encoder, texts), expected_BD, atol=1e-5)
    encoder.save(tmp_path / "ours")
    close(embed(load(tmp_path / "ours"), texts), expected_BD, atol=1e-5)
    saved = SentenceTransformer(str(tmp_path / "ours"), device="cpu")
    close(saved.encode(texts, convert_to_tensor=True), expected_BD, atol=1e-5)


def test_static_embeddings_of_sentence_transformers(load, word_tokenizer, tmp_path):
    """Its unknown tokens count."""
    weight_VD = torch.randn(10, 16, generator=torch.Generator().manual_seed(0))
    static = st.StaticEmbedding(word_tokenizer, embedding_weights=weight_VD)
    SentenceTransformer(modules=[static, Normalize()], device="cpu").save(str(tmp_path / "model"))
    close(theirs(tmp_path / "model"), embed(load(tmp_path / "model"), LONG), atol=1e-5)


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({"embeddings": np.ones((3, 4), np.float32)}, "has 10 tokens and .* 3 rows"),
        ({"other": np.ones((10, 4), np.float32)}, "must hold the tensor embedding.weight or"),
    ],
)
def test_static_weights_that_do_not_fit_are_refused(load, word_tokenizer, tmp_path, tensors, says):
    word_tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text('{"model_type": "model2vec"}')
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=says):
        load(tmp_path)
