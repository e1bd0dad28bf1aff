"""What a batch costs, and what a device could do."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lingmix.training.flops import computed_tokens, peak_flops, training_flops
from lingmix.training.gradient_cache import embed
from tests.model.conftest import ragged

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("lengths", "computed"),
    [
        ([8, 10, 8], 30),  # 4 tokens of padding
        ([10, 200, 100], 410),  # a third row of 200 would pad 290, more than a call costs
        ([7], 7),
    ],
)
def test_padding_by_hand(load, unpackable_folder, lengths, computed):
    padding = load(unpackable_folder).embedder
    assert computed_tokens(padding, lengths, device=CPU, micro_batch_tokens=None) == computed
    packing = load("tiny").embedder
    assert computed_tokens(packing, lengths, device=CPU, micro_batch_tokens=None) == sum(lengths)


def test_micro_batches_pad_less(load, unpackable_folder):
    """Of 10 + 8 tokens, and of 8 + 1."""
    lengths = [1, 8, 10, 8]
    padding = load(unpackable_folder).embedder
    assert computed_tokens(padding, lengths, device=CPU, micro_batch_tokens=None) == 40
    assert computed_tokens(padding, lengths, device=CPU, micro_batch_tokens=18) == 20 + 16


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("micro_batch_tokens", [None, 700])
def test_computed_tokens_are_those_the_model_is_given(
    load, unpackable_folder, packs, micro_batch_tokens
):
    random = torch.Generator().manual_seed(0)
    lengths = (torch.rand(60, generator=random) ** 3 * 200 + 1).long().tolist()
    given = []
    encoder = load("tiny") if packs else load(unpackable_folder)
    encoder.embedder.model.register_forward_pre_hook(
        lambda module, args, named: given.append(named["input_ids"].numel()), with_kwargs=True
    )
    embed(encoder, ragged([[5] * one for one in lengths]), micro_batch_tokens=micro_batch_tokens)
    assert sum(lengths) <= sum(given) < sum(lengths) * (1.07 if packs else 2)
    assert sum(given) == computed_tokens(
        encoder.embedder, lengths, device=CPU, micro_batch_tokens=micro_batch_tokens
    )


def test_flops_are_those_torch_counts(load):
    """Up to biases and norms, which are no matrix products: 2 % at this width. Texts of 96
    tokens need no padding in attention."""
    scratch = {"dimension": 64, "vocabulary": 400, "layers": 2, "heads": 4, "dropout": 0.0}
    encoder = load("tiny", scratch=scratch)
    with FlopCounterMode(display=False) as counter:
        encoder(ragged([[5] * 96] * 3)).sum().backward()
    counted = counter.get_total_flops()
    assert training_flops(encoder.embedder, [96] * 3) == pytest.approx(counted, rel=0.02)
    assert training_flops(load("static").embedder, [100] * 3) == 0


@pytest.mark.parametrize(
    ("name", "precision", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", "bf16-mixed", 989.4e12),
        ("NVIDIA H100 NVL", "bf16-mixed", 835.5e12),
        ("NVIDIA H200", "16-mixed", 989.5e12),
        ("NVIDIA H200", "32-true", None),
        ("NVIDIA A100-SXM4-80GB", "bf16-mixed", 312e12),
    ],
)
def test_a_peak_is_that_of_dense_products(monkeypatch, name, precision, peak):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert peak_flops(torch.device("cuda"), precision) == peak
    assert peak_flops(torch.device("cpu"), precision) is None
