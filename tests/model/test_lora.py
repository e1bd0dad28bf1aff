"""Adapters beside frozen weights: what they train, and that a saved model shows nothing of them."""

import json

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from lingmix.errors import InputError
from lingmix.model.embed import encode_texts
from lingmix.model.folder import Model, write_folder
from lingmix.model.pooling import Dense
from lingmix.training.optimizer import adamw
from tests.model.conftest import TEXTS, close, embed, ragged

LORA = {"rank": 2, "alpha": 8, "dropout": 0.0, "targets": ["query", "value"]}


def trained(encoder):
    """A few steps, so that the adapters do something."""
    steps = adamw(
        encoder.parameters(), max_steps=9, lr=0.05, weight_decay=0.0, betas=(0.9, 0.999),
        warmup=0.0, decay="constant",
    )["optimizer"]  # fmt: skip
    tokens = ragged(encoder.tokenize(TEXTS, "query"))
    target_D = torch.ones(encoder.dimension)
    for _ in range(5):
        steps.zero_grad()
        (encoder.train()(tokens) @ target_D).sum().backward()
        steps.step()
    return encoder


def test_adapters_start_without_effect_and_train_alone(load, bert_folder):
    plain, adapted = load(bert_folder), load(bert_folder, lora=LORA)
    close(embed(adapted, TEXTS), embed(plain, TEXTS), atol=1e-6)
    learning = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
    # 2 layers x (query, value) x (A of 2 x 16, B of 16 x 2)
    assert sum(p.numel() for p in learning.values()) == 2 * 2 * (2 * 16 + 16 * 2)
    before = {name: p.detach().clone() for name, p in adapted.named_parameters()}
    trained(adapted)
    moved = {name for name, p in adapted.named_parameters() if not torch.equal(p, before[name])}
    assert moved == set(learning)


def test_the_heads_of_an_adapted_model_are_frozen(load, bert_folder, tmp_path):
    plain = load(bert_folder)
    head = Dense(torch.nn.Linear(plain.dimension, plain.dimension), torch.nn.Tanh())
    write_folder(tmp_path / "headed", Model(plain.embedder, [head], plain._model.tokenizer))
    adapted = load(tmp_path / "headed", lora=LORA)
    before = adapted.heads[0].linear.weight.detach().clone()
    trained(adapted)
    assert torch.equal(adapted.heads[0].linear.weight, before)
    assert all("lora_" in name for name, p in adapted.named_parameters() if p.requires_grad)


def test_a_merged_weight_is_the_old_one_plus_the_scaled_product(load, bert_folder, tmp_path):
    adapted = trained(load(bert_folder, lora=LORA))
    layer = adapted.embedder.model.get_submodule(
        "base_model.model.encoder.layer.1.attention.self.query"
    )
    product = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    expected = layer.base_layer.weight + 8 / 2 * product
    adapted.save(tmp_path / "model")
    saved = load_file(tmp_path / "model" / "model.safetensors")
    close(saved["encoder.layer.1.attention.self.query.weight"], expected.detach(), atol=1e-6)


def test_what_is_evaluated_and_what_is_saved_are_ordinary_models_of_the_same_vectors(
    load, bert_folder, tmp_path
):
    adapted = trained(load(bert_folder, lora=LORA))
    vectors = embed(adapted, TEXTS)
    assert (vectors - embed(load(bert_folder), TEXTS)).abs().max() > 0.1
    merged = adapted.merge_lora()
    close(embed(merged, TEXTS), vectors, atol=1e-5)
    close(embed(adapted, TEXTS), vectors, atol=0)
    merged.save(tmp_path / "model")
    assert not (tmp_path / "model" / "lora.json").exists()
    assert "peft" not in (tmp_path / "model" / "config.json").read_text()
    names = set(load_file(tmp_path / "model" / "model.safetensors"))
    assert names == set(load(bert_folder).embedder.model.state_dict())
    loaded = load(tmp_path / "model")
    assert loaded.fingerprint() == merged.fingerprint()
    theirs = SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(TEXTS)
    close(torch.from_numpy(theirs), vectors, atol=1e-5)


def test_an_encoder_without_adapters_is_its_own_merged_one(load):
    for kind in ("tiny", "static"):
        encoder = load(kind)
        assert encoder.merge_lora() is encoder


def test_a_checkpoint_with_adapters_says_how_they_were_trained(load, bert_folder, tmp_path):
    untrained = load(bert_folder, lora=LORA)
    untrained.save(tmp_path / "encoder")
    adapted = trained(untrained)
    state = {f"encoder.{name}": tensor for name, tensor in adapted.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "last.ckpt")
    loaded = load(tmp_path / "last.ckpt")
    assert loaded.fingerprint() == adapted.fingerprint()
    close(embed(loaded, TEXTS), embed(adapted, TEXTS), atol=0)
    assert json.loads((tmp_path / "encoder" / "lora.json").read_text()) == LORA
    with pytest.raises(InputError, match=r"encoder.lora: .*last.ckpt was trained with .*alpha"):
        load(tmp_path / "last.ckpt", lora=LORA | {"alpha": 2})


def test_adapters_of_a_checkpoint_without_any_start_from_its_weights(load, bert_folder, tmp_path):
    plain = load(bert_folder)
    plain.save(tmp_path / "encoder")
    with torch.no_grad():
        next(plain.parameters()).add_(0.1)
    state = {f"encoder.{name}": tensor for name, tensor in plain.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "last.ckpt")
    close(embed(load(tmp_path / "last.ckpt", lora=LORA), TEXTS), embed(plain, TEXTS), atol=1e-6)


def test_adapters_depend_on_the_seed_alone_and_leave_global_randomness_be(load, bert_folder):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = load(bert_folder, lora=LORA, seed=3).fingerprint()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert load(bert_folder, lora=LORA, seed=3).fingerprint() == first
    assert load(bert_folder, lora=LORA, seed=4).fingerprint() != first


def test_every_linear_layer_can_be_adapted_and_dropout_ends_with_training(load, bert_folder):
    everywhere = LORA | {"targets": "all-linear", "dropout": 0.5}
    encoder = trained(load(bert_folder, lora=everywhere))
    vectors = [
        encode_texts(encoder, TEXTS, "query", batch_tokens=999, precision="32-true")
        for _ in range(2)
    ]
    assert (vectors[0] == vectors[1]).all()
    # 2 layers x 6 linear layers, each an A and a B
    assert sum(p.requires_grad for p in encoder.parameters()) == 2 * 6 * 2


@pytest.mark.parametrize(
    ("lora", "says"),
    [
        ({}, "encoder.lora: must say alpha, dropout, rank, targets, got nothing"),
        (LORA | {"scale": 1}, "encoder.lora: must say .* got alpha, .*scale"),
        (LORA | {"rank": 0}, "encoder.lora: .*0"),
        (LORA | {"targets": ["nowhere"]}, "encoder.lora: .*nowhere.* not found"),
    ],
)
def test_adapters_that_cannot_be_are_refused(load, bert_folder, lora, says):
    with pytest.raises(InputError, match=says) as found:
        load(bert_folder, lora=lora)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("kind", ["static", "tiny"])
def test_weights_that_start_from_nothing_are_not_adapted(load, kind, tmp_path):
    with pytest.raises(InputError, match=f"encoder.lora: {kind} has no trained weights"):
        load(kind, lora=LORA)
    load("static").save(tmp_path / "static")
    with pytest.raises(InputError, match=r"encoder.lora: is for transformers"):
        load(tmp_path / "static", lora=LORA)
