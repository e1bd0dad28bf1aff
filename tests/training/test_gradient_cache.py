"""Gradient caching: the gradient of the whole batch, the memory of a micro-batch."""

import weakref

import pytest
import pytorch_lightning as pl
import torch

from lingmix.data.tokens import Texts, Tokens
from lingmix.errors import InputError
from lingmix.model.micro_batches import micro_batch_sizes
from lingmix.training.gradient_cache import embed
from tests.training.module import datamodule_of, encoder_of, loss_of, trained


def gradients(encoder, batch, *, budget, directions="both", embed=embed) -> dict:
    encoder.zero_grad()
    queries, passages = (
        embed(encoder, texts.tokens, micro_batch_tokens=budget)[texts.place_B]
        for texts in (batch.queries, batch.passages)
    )
    loss_of(directions)(queries, passages, batch).backward()
    found = {name: one.grad for name, one in encoder.named_parameters() if one.grad is not None}
    return {name: one.to_dense().clone() for name, one in found.items()}


def distance(got: dict, expected: dict) -> float:
    """Of all gradients together, in parts of the expected one's length."""
    assert got.keys() == expected.keys()
    both = [torch.cat([one[name].flatten() for name in expected]) for one in (got, expected)]
    return ((both[0] - both[1]).norm() / both[1].norm()).item()


def each_apart(texts: Texts) -> Texts:
    """The same texts, with those that are the same as many times as they stand there."""
    parts = split(texts.tokens, [1] * len(texts.tokens.lengths_B))
    apart = [parts[place] for place in texts.place_B.tolist()]
    tokens = Tokens(*map(torch.cat, zip(*apart, strict=True)))
    return Texts(tokens, torch.arange(len(apart)))


def test_a_text_that_stands_in_a_batch_several_times_is_embedded_once_with_the_same_gradient(
    tmp_path,
):
    encoder = encoder_of("tiny", tmp_path).double()
    passages = datamodule_of(encoder, tmp_path, batch_size=20).batches[0].passages
    several = passages._replace(place_B=passages.place_B % 9)
    weights_BD = torch.randn(len(several.place_B), 16, generator=torch.Generator().manual_seed(0))
    found = []
    for texts in (several, each_apart(several)):
        encoder.zero_grad()
        embedded_BD = embed(encoder, texts.tokens, micro_batch_tokens=None)[texts.place_B]
        (embedded_BD * weights_BD).sum().backward()
        found.append({name: one.grad.clone() for name, one in encoder.named_parameters()})
    assert distance(*found) < 1e-6


@pytest.mark.parametrize("directions", ["query", "both"])
@pytest.mark.parametrize("kind", ["tiny", "static", "sparse"])
def test_the_gradient_is_that_of_the_whole_batch_however_it_is_cut(kind, directions, tmp_path):
    encoder = encoder_of(kind, tmp_path).double()
    batch = datamodule_of(encoder, tmp_path, batch_size=20).batches[0]
    assert batch.passage_count > len(batch.pair_B), "with given negatives"
    plain = gradients(encoder, batch, budget=None, directions=directions)
    for budget in (1, 40, 100):
        cut = gradients(encoder, batch, budget=budget, directions=directions)
        assert distance(cut, plain) < 1e-5


def test_embeddings_come_in_the_order_of_the_texts(tmp_path):
    encoder = encoder_of("tiny", tmp_path)
    tokens = datamodule_of(encoder, tmp_path, batch_size=20).batches[0].passages.tokens
    torch.testing.assert_close(embed(encoder, tokens, micro_batch_tokens=30), encoder(tokens))


def split(tokens: Tokens, sizes: list[int]) -> list[Tokens]:
    ids = tokens.ids_T.split(tokens.lengths_B.tolist())
    ends = torch.tensor(sizes).cumsum(0).tolist()
    return [
        Tokens(torch.cat(ids[end - size : end]), tokens.lengths_B[end - size : end])
        for size, end in zip(sizes, ends, strict=True)
    ]


def kept(encoder, tokens, *, micro_batch_tokens):
    """Each micro-batch embedded once, in the order of `embed`: the longest texts last."""
    order = tokens.lengths_B.argsort(descending=True, stable=True)
    ids = tokens.ids_T.split(tokens.lengths_B.tolist())
    longest_first = Tokens(torch.cat([ids[n] for n in order]), tokens.lengths_B[order])
    sizes = micro_batch_sizes(longest_first.lengths_B.tolist(), budget=micro_batch_tokens)
    longest, *others = split(longest_first, list(sizes))
    assert len(others) > 1
    parts = [encoder(part) for part in (*others, longest)]
    return torch.cat([parts[-1], *parts[:-1]])[order.argsort()]


@pytest.mark.parametrize(("autocast", "rounding"), [(False, 1e-12), (True, 0.02)])
def test_dropout_falls_the_same_when_a_micro_batch_is_embedded_again(autocast, rounding, tmp_path):
    encoder = encoder_of("tiny", tmp_path, dropout=0.3).train()
    encoder = encoder if autocast else encoder.double()
    batch = datamodule_of(encoder, tmp_path, batch_size=20).batches[0]

    def found(how, seed):
        torch.manual_seed(seed)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return gradients(encoder, batch, budget=40, embed=how), torch.rand(1)

    (cached, after_cached), (whole, after_whole), (other, _) = (
        found(how, seed) for how, seed in ((embed, 7), (kept, 7), (kept, 8))
    )
    assert distance(cached, whole) < rounding
    assert distance(other, whole) > 10 * rounding
    assert after_cached == after_whole, "the backward draws nothing"


def test_a_gradient_is_the_same_to_the_bit_each_time(tmp_path):
    encoder = encoder_of("tiny", tmp_path, dropout=0.3).train()
    batch = datamodule_of(encoder, tmp_path, batch_size=20).batches[0]
    results = []
    for _ in range(2):
        torch.manual_seed(7)
        results.append(gradients(encoder, batch, budget=40))
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_only_one_micro_batch_is_held_at_a_time_and_one_is_embedded_once(tmp_path):
    encoder = encoder_of("tiny", tmp_path)
    tokens = datamodule_of(encoder, tmp_path, batch_size=20).batches[0].passages.tokens
    alive, most = weakref.WeakSet(), 0

    def keep(module, arguments, output):
        nonlocal most
        alive.add(output)
        most = max(most, len(alive))

    encoder.embedder.model.encoder.layer[0].intermediate.register_forward_hook(keep)
    calls = []
    encoder.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    embed(encoder, tokens, micro_batch_tokens=40).square().sum().backward()
    parts = len([*micro_batch_sizes(sorted(tokens.lengths_B.tolist(), reverse=True), budget=40)])
    assert calls == [False] * (parts - 1) + [True] * parts
    assert most == 1


def test_a_micro_batch_holds_what_the_budget_allows_and_one_text_at_least():
    assert list(micro_batch_sizes([9, 5, 4, 4, 1, 1], budget=8)) == [1, 1, 2, 2]
    assert list(micro_batch_sizes([2, 2, 2], budget=4)) == [2, 1]


@pytest.mark.parametrize("settings", [{"clip": 0.01}, {"accumulate_grad_batches": 2}])
def test_a_training_is_the_same_with_clipping_and_accumulation(settings, tmp_path):
    plain = trained(tmp_path, **settings)
    cached = trained(tmp_path, micro_batch_tokens=40, **settings)
    assert cached["losses"] == pytest.approx(plain["losses"], rel=1e-5)
    assert distance(cached["weights"], plain["weights"]) < 1e-6


def test_an_optimizer_step_averages_the_batches_it_accumulates(tmp_path):
    one_by_one = trained(tmp_path, max_steps=6, kind="static")
    by_two = trained(tmp_path, max_steps=3, kind="static", accumulate_grad_batches=2)
    assert by_two["pairs"] == one_by_one["pairs"]
    encoder = encoder_of("static", tmp_path)
    batches = datamodule_of(encoder, tmp_path).batches
    first, second = (gradients(encoder, batches[n], budget=None) for n in range(2))
    mean = {f"encoder.{name}": (first[name] + second[name]) / 2 for name in first}
    assert distance(by_two["gradients"][0], mean) < 1e-6


class Poison(pl.Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        for weight in pl_module.parameters():
            weight.data.fill_(torch.nan)


def test_a_loss_that_is_no_number_names_the_step_the_language_pair_and_the_items(tmp_path):
    batches = datamodule_of(encoder_of("static", tmp_path), tmp_path).batches
    pairs, second = batches.pairs, batches.schedule.rows(1)
    (language_pair,) = {pairs.language_pairs[n] for n in pairs.language_pair_N[second]}
    items = ", ".join(pairs.columns.item_ids[int(n)] for n in pairs.item_N[second[:5]])
    with pytest.raises(
        InputError,
        match=f"step 1: the loss is nan in a batch of {language_pair}: items {items}",
    ):
        trained(tmp_path, kind="static", callbacks=[Poison()])
