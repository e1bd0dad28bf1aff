"""What every encoder promises: unit vectors that depend on the text alone, weights on the seed."""

import numpy as np
import pytest
import torch
from transformers.utils.import_utils import is_flash_attn_2_available

from lingmix.errors import InputError
from lingmix.model.embed import encode_texts
from lingmix.model.micro_batches import chunk_sizes
from tests.model.conftest import SCRATCH, TEXTS, close, embed, ragged

KINDS = ["static", "tiny"]
LONG = [" ".join(TEXTS[: 1 + n % 5]) for n in range(40)]


@pytest.mark.parametrize("kind", [*KINDS, "pooler"])
@pytest.mark.parametrize("half", [False, True])
def test_vectors_are_float32_and_of_length_one_even_under_autocast(load, bert_folder, kind, half):
    encoder = load(kind) if kind in KINDS else load(bert_folder, pooling="pooler")
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        vectors_BD = encoder(ragged(encoder.tokenize(TEXTS, "query")))
    assert vectors_BD.dtype == torch.float32
    close(vectors_BD.norm(dim=-1), torch.ones(len(TEXTS)), atol=1e-6)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_text_in_a_batch_and_alone_has_one_vector(load, kind, attention):
    encoder = load(kind, attention=attention)
    alone_BD = torch.cat([embed(encoder, [text]) for text in LONG])
    close(embed(encoder, LONG), alone_BD, atol=1e-6)


def test_every_weight_of_an_encoder_is_trained(load, bert_folder):
    for encoder in (
        load("static"),
        load("tiny"),
        load(bert_folder),
        load(bert_folder, pooling="pooler"),
    ):
        encoder(ragged(encoder.tokenize(LONG, "passage"))).sum().backward()
        assert all(p.grad is not None for p in encoder.parameters())


def test_chunks_pad_at_most_what_a_call_is_worth_and_keep_the_budget():
    def sizes(*descending, waste, budget):
        return list(chunk_sizes(descending, waste=waste, budget=budget))

    assert sizes(9, 9, 9, 2, 2, waste=6, budget=100) == [3, 2]
    assert sizes(9, 9, 9, 2, 2, waste=7, budget=100) == [4, 1]
    assert sizes(9, 9, 9, 2, 2, waste=99, budget=100) == [5]
    assert sizes(9, 9, 9, 2, 2, waste=99, budget=18) == [2, 2, 1]
    assert sizes(9, waste=0, budget=1) == [1]


@pytest.mark.parametrize("kind", KINDS)
def test_encoding_many_texts_keeps_their_order_and_the_encoders_mode(load, kind):
    encoder = load(kind).train()
    for batch_tokens in (1, 64, 10**6):
        vectors_ND = encode_texts(
            encoder, LONG, "query", batch_tokens=batch_tokens, precision="32-true"
        )
        assert encoder.training
        assert vectors_ND.dtype == np.float32
        close(torch.from_numpy(vectors_ND), embed(encoder, LONG), atol=1e-6)
        encoder.train()


@pytest.mark.parametrize("dropout", [False, True])
def test_a_trained_model_has_its_dropout_in_training_where_asked_for(load, bert_folder, dropout):
    """Also after texts were encoded in the middle of the training."""
    encoder = load(bert_folder, dropout=dropout)
    assert encoder.embedder.model.config.hidden_dropout_prob == 0.1
    for _ in range(2):
        encode_texts(encoder, TEXTS, "query", batch_tokens=64, precision="32-true")
        first, second = (encoder(ragged(encoder.tokenize(TEXTS, "query"))) for _ in range(2))
        assert torch.equal(first, second) is not dropout


def test_encoding_in_bf16_is_asked_for_and_near(load):
    encoder = load("tiny")
    exact, half = (
        encode_texts(encoder, LONG, "query", batch_tokens=99, precision=precision)
        for precision in ("32-true", "bf16-mixed")
    )
    assert not np.array_equal(exact, half)
    assert (exact * half).sum(1).min() > 0.999


def test_encoding_no_texts_gives_no_vectors(load):
    vectors_ND = encode_texts(load("static"), [], "query", batch_tokens=9, precision="32-true")
    assert vectors_ND.shape == (0, 16)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_depend_on_the_seed_alone_and_leave_global_randomness_be(load, kind):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = load(kind, seed=3).fingerprint()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert load(kind, seed=3).fingerprint() == first
    assert load(kind, seed=4).fingerprint() != first


def test_loading_a_folder_leaves_global_randomness_be(load, tmp_path):
    load("tiny").save(tmp_path / "model")
    before = torch.get_rng_state()
    load(tmp_path / "model")
    assert torch.equal(torch.get_rng_state(), before)


def test_fingerprints_change_with_what_they_stand_for(load, bert_folder):
    plain = load(bert_folder)
    assert plain.fingerprint() != load(bert_folder, pooling="cls").fingerprint()
    assert plain.tokenizer_fingerprint == load(bert_folder, pooling="cls").tokenizer_fingerprint
    others = [
        load(bert_folder, prompts={"query": "q: ", "passage": ""}),
        load(bert_folder, max_length={"query": 9, "passage": None}),
        load("static"),
    ]
    assert len({e.tokenizer_fingerprint for e in [plain, *others]}) == 4
    with torch.no_grad():
        next(plain.parameters())[0, 0] += 1e-6
    assert plain.fingerprint() != load(bert_folder).fingerprint()


def test_sparse_gradients_hold_the_rows_of_the_batch_alone(load):
    encoder = load("static", scratch=SCRATCH["static"] | {"sparse": True})
    tokens = ragged(encoder.tokenize(TEXTS[:2], "query"))
    encoder(tokens).sum().backward()
    gradient = encoder.embedder.embedding.weight.grad.coalesce()
    assert set(gradient.indices()[0].tolist()) == set(tokens.ids_T.tolist())


def test_a_transformers_gradient_is_made_sparse_without_other_values(load):
    plain, sparse = load("tiny"), load("tiny")
    sparse.make_gradient_sparse()
    tokens = ragged(plain.tokenize(TEXTS[:2], "query"))
    found = []
    for encoder in (plain, sparse):
        encoder(tokens)[:, 0].sum().backward()
        found.append(encoder.embedder.model.get_input_embeddings().weight.grad)
    assert set(found[1].coalesce().indices()[0].tolist()) == set(tokens.ids_T.tolist())
    torch.testing.assert_close(found[1].to_dense(), found[0])
    with pytest.raises(InputError, match="is for transformers, not for static embeddings"):
        load("static").make_gradient_sparse()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"scratch": None}, "encoder.scratch: name=tiny needs .* got nothing"),
        ({"scratch": SCRATCH["static"]}, "encoder.scratch: name=tiny needs"),
        ({"scratch": SCRATCH["tiny"] | {"heads": 3}}, "encoder.scratch.heads: .* got 3"),
        ({"scratch": SCRATCH["tiny"] | {"vocabulary": 200}}, "vocabulary: must be above 260"),
        ({"scratch": SCRATCH["tiny"] | {"layers": -1}}, "encoder.scratch.layers: must .* got -1"),
        ({"scratch": SCRATCH["tiny"] | {"heads": 0}}, "encoder.scratch.heads: must .* got 0"),
        ({"scratch": SCRATCH["tiny"] | {"dropout": 2}}, r"scratch.dropout: must be in \[0, 1\)"),
        ({"pooling": "sum"}, "encoder.pooling: must be one of mean, cls, max, .*, pooler, or null"),
        ({"pooling": "pooler"}, "encoder.pooling: tiny cannot pool by pooler"),
        (
            {"attention": "flash"},
            "attention: must be one of eager, sdpa, flash_attention_2, or null",
        ),
        pytest.param(
            {"attention": "flash_attention_2"},
            "encoder.attention: flash_attention_2 needs a GPU and the package flash-attn",
            marks=pytest.mark.skipif(is_flash_attn_2_available(), reason="flash-attn is here"),
        ),
        ({"texts": ()}, "training texts and there are none"),
        ({"dropout": True}, "encoder.dropout: tiny has encoder.scratch.dropout; leave it false"),
        ({"prompts": {"query": "q"}}, "encoder.prompts: must name query and passage"),
        ({"max_length": {"query": 2, "passage": 9}}, "encoder.max_length.query: must be 3"),
    ],
)
def test_settings_that_make_no_encoder_are_refused(load, settings, says):
    with pytest.raises(InputError, match=says):
        load("tiny", **settings)


def test_a_static_encoder_of_zeros_is_refused(load):
    with pytest.raises(InputError, match=r"encoder.scratch.scale: must be above 0"):
        load("static", scratch=SCRATCH["static"] | {"scale": 0})
