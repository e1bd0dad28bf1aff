"""Packed texts get the vectors that each gets by itself."""

import copy
import pickle

import pytest
import torch
from torch.nn.functional import normalize
from transformers import AutoModel

from lingmix.model import eager_attention, packed, transformer
from lingmix.model.eager_attention import attend_eagerly, slots_of
from lingmix.model.packed import attend, fastest_kernel, packing_of
from lingmix.model.proof import PACKABLE
from tests.model.conftest import TEXTS, close, model_folder, ragged

LONG = [" ".join(TEXTS[: 1 + n % 5]) for n in range(12)]
LENGTHS = [5, 3, 3, 1]
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=[*PACKABLE, "distilbert"])
def folder(request, cache, tmp_path_factory, unpackable_folder):
    if request.param == "distilbert":
        return unpackable_folder
    place = tmp_path_factory.mktemp(request.param)
    return model_folder(place, cache, request.param, max_position_embeddings=128)


@pytest.mark.parametrize("attention", [None, "eager", "sdpa"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_vector_is_that_of_transformers_given_the_text_alone(load, folder, attention, pooling):
    encoder = load(folder, attention=attention, pooling=pooling)
    reference = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    assert encoder.embedder.packs == (reference.config.model_type != "distilbert")
    lists = encoder.tokenize(LONG, "query")
    with torch.inference_mode():
        hidden = [reference(input_ids=torch.tensor([ids])).last_hidden_state[0] for ids in lists]
        vectors_BD = encoder.eval()(ragged(lists))
    expected = [one.mean(0) if pooling == "mean" else one[0] for one in hidden]
    close(vectors_BD, normalize(torch.stack(expected)), atol=1e-6)


def test_the_gradient_is_that_of_transformers_given_each_text_alone(load, folder):
    encoder = load(folder, pooling="mean").eval()
    reference = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    lists = encoder.tokenize(LONG, "query")
    target_BD = torch.randn(len(lists), 16, generator=torch.Generator().manual_seed(0))
    (encoder(ragged(lists)) * target_BD).sum().backward()
    for ids, target_D in zip(lists, target_BD, strict=True):
        mean_D = reference(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0)
        (normalize(mean_D, dim=0) @ target_D).backward()
    expected = {name: weight.grad for name, weight in reference.named_parameters()}
    for name, weight in encoder.embedder.model.named_parameters():
        torch.testing.assert_close(weight.grad, expected[name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("kind", ["tiny", "distilbert"])
def test_gradients_do_not_depend_on_how_a_batch_is_cut(load, unpackable_folder, monkeypatch, kind):
    encoder = load("tiny") if kind == "tiny" else load(unpackable_folder).eval()
    tokens = ragged(encoder.tokenize(LONG, "passage"))
    target_BD = torch.randn(len(LONG), 16, generator=torch.Generator().manual_seed(0))

    def gradients(waste):
        monkeypatch.setitem(eager_attention.WASTE, "cpu", waste)
        monkeypatch.setitem(transformer.WASTE, "cpu", waste)
        encoder.zero_grad()
        (encoder(tokens) * target_BD).sum().backward()
        return [p.grad.clone() for p in encoder.parameters()]

    for one, other in zip(gradients(0), gradients(10**9), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_many_tokens_are_filled_up_and_change_no_vector(load, monkeypatch):
    encoder = load("tiny")
    tokens = ragged(encoder.tokenize(LONG, "query"))
    expected_BD = encoder(tokens)
    count = len(tokens.ids_T)
    assert packed.rounded_up(count, device=CPU) == count
    assert packed.rounded_up(2048 + 1, device=CPU) == 2048 + 128
    monkeypatch.setattr(packed, "MULTIPLE", 11)
    rounded_up = packed.rounded_up(count, device=CPU)
    assert rounded_up > count
    assert rounded_up % 11 == 0
    close(encoder(tokens), expected_BD, atol=1e-6)


@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
@pytest.mark.parametrize("waste", [0, 100])
def test_a_token_attends_to_its_own_text_alone(monkeypatch, kernel, waste):
    """Against the softmax written out for each text, gradients by finite differences."""
    monkeypatch.setitem(eager_attention.WASTE, "cpu", waste)
    monkeypatch.setattr(eager_attention, "MULTIPLE", 2)
    packing = packing_of(LENGTHS, kernel=kernel, heads=2, device=CPU)
    groups = packing.slots.groups if kernel == "eager" else packing.groups
    assert len(groups) == (3 if waste == 0 else 1)
    random = torch.Generator().manual_seed(0)
    three = [
        torch.randn(1, 2, sum(LENGTHS), 3, generator=random, dtype=torch.float64).requires_grad_()
        for _ in range(3)
    ]

    def mixed(*parts):
        return attend(torch.nn.Module(), *parts, None, packing=packing, scaling=0.5)[0]

    expected = [
        (q @ k.mT / 2).softmax(-1) @ v
        for q, k, v in zip(*(part.split(LENGTHS, dim=2) for part in three), strict=True)
    ]
    close(mixed(*three), torch.cat(expected, dim=2).transpose(1, 2), atol=1e-12)
    assert torch.autograd.gradcheck(mixed, three)


def test_dropout_leaves_out_weights_of_attention_in_training_alone(load):
    scratch = {"dimension": 16, "vocabulary": 400, "layers": 1, "heads": 4, "dropout": 0.0}
    encoder = load("tiny", scratch=scratch)
    encoder.embedder.model.encoder.layer[0].attention.self.dropout.p = 0.5
    tokens = ragged(encoder.tokenize(LONG, "query"))
    one, other = (encoder.train()(tokens) for _ in range(2))
    assert not torch.equal(one, other)
    one, other = (encoder.eval()(tokens) for _ in range(2))
    assert torch.equal(one, other)


def test_the_gradient_of_attention_with_dropout_is_that_of_the_weights_left_in():
    """Gradients by finite differences, drawing the same weights again."""
    slots = slots_of(LENGTHS, heads=2, device=CPU)
    random = torch.Generator().manual_seed(0)
    states = torch.randn(sum(LENGTHS), 3, 2, 3, generator=random, dtype=torch.float64)

    def mixed(states_T3HF):
        torch.manual_seed(3)
        return attend_eagerly(states_T3HF, slots, scaling=0.5, dropout=0.4)

    assert not torch.equal(mixed(states), attend_eagerly(states, slots, scaling=0.5, dropout=0.0))
    with torch.random.fork_rng():
        assert torch.autograd.gradcheck(mixed, [states.requires_grad_()])


def test_queries_keys_and_values_come_of_one_product(load):
    encoder = load("tiny")
    layer = encoder.embedder.model.encoder.layer[0]
    called = []
    layer.attention.self.register_forward_hook(lambda *_: called.append(1))
    encoder(ragged(encoder.tokenize(LONG, "query")))
    assert not called


def test_an_encoder_that_is_sent_to_another_process_or_copied_is_the_same(load):
    """So does Lightning, where it starts a process a device."""
    encoder = load("tiny").eval()
    tokens = ragged(encoder.tokenize(LONG, "query"))
    sent = pickle.loads(pickle.dumps(encoder))  # noqa: S301 - its own
    for other in (sent, copy.deepcopy(encoder)):
        assert torch.equal(other(tokens), encoder(tokens))
        with torch.no_grad():
            other.embedder.model.encoder.layer[0].attention.self.query.weight.zero_()
        assert not torch.equal(other(tokens), encoder(tokens))


def test_on_a_cpu_attention_is_eager(load):
    with torch.autocast("cpu", torch.bfloat16):
        assert fastest_kernel(load("tiny").embedder.model, CPU) == "eager"


def test_pytorchs_kernel_for_texts_of_any_lengths_is_given_what_it_takes():
    """On a device without numbers; the kernel itself needs a GPU."""
    packing = packing_of(LENGTHS, kernel="varlen", heads=2, device=CPU)
    assert packing.ends.tolist() == [0, 5, 8, 11, 12]
    three = torch.empty(3, 1, 2, 12, 8, dtype=torch.bfloat16, device="meta", requires_grad=True)
    packing = packing._replace(ends=packing.ends.to("meta"))
    mixed, _ = attend(torch.nn.Module(), *three, None, packing=packing, scaling=0.5)
    mixed.sum().backward()
    assert mixed.shape == (1, 12, 2, 8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_every_kernel_gives_the_vectors_of_the_cpu(load):
    encoder = load("tiny").eval()
    tokens = ragged(encoder.tokenize(LONG, "query"))
    expected_BD = encoder(tokens)
    encoder.cuda()
    for half in (False, True):
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            vectors_BD = encoder(type(tokens)(*(part.cuda() for part in tokens)))
        close(vectors_BD.cpu(), expected_BD, atol=0.03 if half else 1e-4)
