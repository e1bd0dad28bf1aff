from math import inf, nan

import pytest
import torch
from torch import nn
from transformers import get_scheduler

from lingmix.errors import InputError
from lingmix.training.optimizer import adamw, row_adamw, share_of_rate, sparse_adam

SETTINGS = {"max_steps": 10, "lr": 1e-3, "betas": [0.9, 0.999], "warmup": 0.1, "decay": "linear"}


def weights() -> list[nn.Parameter]:
    return [nn.Parameter(torch.zeros(2, 2))]


@pytest.mark.parametrize("build", [adamw, row_adamw, sparse_adam])
@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("lr", -1, "above 0 and finite"),
        ("lr", 0, "above 0 and finite"),
        ("lr", inf, "above 0 and finite"),
        ("betas", [0.9], "two numbers"),
        ("betas", 0.9, "two numbers"),
        ("betas", [0.9, 1], "two numbers"),
        ("warmup", 2, r"in \[0, 1\]"),
        ("warmup", nan, r"in \[0, 1\]"),
        ("decay", "foo", "one of constant, linear, cosine"),
        ("decay", "cosine_with_restarts", "one of constant, linear, cosine"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(build, key, value, rule):
    own = {} if build is sparse_adam else {"weight_decay": 0.0}
    with pytest.raises(InputError, match=f"^optimizer.{key}: must be {rule}"):
        build(weights(), **(SETTINGS | own | {key: value}))


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (
            "betas",
            [0.9, 0.81],
            r"optimizer.betas: the square of the first must be below .*, got \[0",
        ),
        (
            "weight_decay",
            1000,
            r"optimizer.weight_decay: times optimizer.lr \(0.001\) must be",
        ),
    ],
)
def test_decay_by_rows_needs_momentum_that_dies_and_weights_that_stay(key, value, told):
    with pytest.raises(InputError, match=told):
        row_adamw(weights(), **(SETTINGS | {"weight_decay": 0.0, key: value}))


@pytest.mark.parametrize("weight_decay", [-1, None])
def test_a_weight_decay_must_be_zero_or_more(weight_decay):
    with pytest.raises(InputError, match=r"^optimizer.weight_decay: must be at least 0"):
        adamw(weights(), weight_decay=weight_decay, **SETTINGS)


@pytest.mark.parametrize(
    ("decay", "rates"),
    [
        ("constant", [0, 0.5, 1, 1, 1, 1]),
        ("linear", [0, 0.5, 1, 0.75, 0.5, 0.25]),
        ("cosine", [0, 0.5, 1, 0.8536, 0.5, 0.1464]),
    ],
)
def test_the_rate_rises_in_the_warmup_and_then_decays(decay, rates):
    chosen = {"decay": decay, "max_steps": 6, "warmup": 1 / 3, "lr": 1.0, "weight_decay": 0.0}
    built = adamw(weights(), **(SETTINGS | chosen))
    seen = []
    for _ in range(6):
        seen.append(built["optimizer"].param_groups[0]["lr"])
        built["optimizer"].step()
        built["lr_scheduler"]["scheduler"].step()
    assert seen == pytest.approx(rates, abs=1e-4)


@pytest.mark.parametrize(
    ("decay", "name"),
    [("constant", "constant_with_warmup"), ("linear", "linear"), ("cosine", "cosine")],
)
@pytest.mark.parametrize("rises", [0, 1, 3, 10])
def test_rates_are_those_of_transformers(decay, name, rises):
    optimizer = torch.optim.SGD(weights(), lr=1.0)
    theirs = get_scheduler(name, optimizer, num_warmup_steps=rises, num_training_steps=10)
    ours = [share_of_rate(n, rises=rises, max_steps=10, decay=decay) for n in range(11)]
    assert ours == [theirs.lr_lambdas[0](n) for n in range(11)]
