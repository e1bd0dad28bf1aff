"""AdamW by rows, beside PyTorch's own on the same gradients as dense ones."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from lingmix.training import row_adam
from lingmix.training.gradients import clip_norm
from lingmix.training.row_adam import RowAdamW, steps_on_momentum
from tests.training.module import trained
from tests.training.test_gradient_cache import distance

ROWS, WIDTH = 40, 6
SETTINGS = {"lr": 0.01, "betas": (0.9, 0.999), "weight_decay": 0.1}
RATES = [0.01, 0.02, 0.005, 0.03]
"""They change, as in a schedule."""


def made_weights() -> list[nn.Parameter]:
    """A table, and a weight with a dense gradient."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(ROWS, WIDTH), (WIDTH,)]
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def gradient(step: int, *, rows: int = 12) -> torch.Tensor:
    """Of the table, of other rows at each step in no order, some of them twice."""
    generator = torch.Generator().manual_seed(step)
    drawn = torch.randperm(ROWS, generator=generator)[:rows]
    row_R = torch.cat([drawn, drawn[:4]])
    values = torch.randn(len(row_R), WIDTH, generator=generator)
    return torch.sparse_coo_tensor(row_R[None], values, (ROWS, WIDTH), check_invariants=True)


def moved(optimizer, weights, steps: range, *, dense: bool = False, rows: int = 12) -> None:
    for step in steps:
        optimizer.param_groups[0]["lr"] = RATES[step % len(RATES)]
        table = gradient(step, rows=rows)
        weights[0].grad = table.to_dense() if dense else table
        weights[1].grad = table.to_dense()[step % ROWS] + 1
        optimizer.step()


def moved_both(steps: range, *, rows: int):
    ours, theirs = made_weights(), made_weights()
    optimizer, peer = RowAdamW(ours, **SETTINGS), AdamW(theirs, **SETTINGS)
    moved(optimizer, ours, steps, rows=rows)
    moved(peer, theirs, steps, rows=rows, dense=True)
    return ours, theirs, optimizer.state_dict()["state"], peer.state_dict()["state"]


def test_where_every_row_has_a_gradient_it_is_adamw(monkeypatch):
    monkeypatch.setattr(row_adam, "ROWS", 7)
    ours, theirs, state, expected = moved_both(range(30), rows=ROWS)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    for n, name in ((0, "exp_avg"), (0, "exp_avg_sq"), (1, "exp_avg"), (1, "exp_avg_sq")):
        torch.testing.assert_close(state[n][name], expected[n][name], rtol=1e-5, atol=1e-6)


def test_rows_that_never_rest_long_are_those_of_adamw():
    """Of 12 rows in 40 a step, none goes 91 steps without; decay before the first is caught up."""
    ours, theirs, state, _ = moved_both(range(120), rows=12)
    assert (state[0]["touched"] > 120 - 60).all()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-6)


def test_rows_come_to_rest_when_a_ten_thousandth_of_their_momentum_is_left():
    """(0.9 / sqrt(0.999))^88 is 0.9839e-4."""
    assert steps_on_momentum(0.9, 0.999) == 88
    assert steps_on_momentum(0.0, 0.999) == 0


@pytest.mark.parametrize("missed", [[0.2], [0.2, 0.4]])
def test_a_row_that_rested_decays_first_by_the_rates_of_the_steps_that_it_missed(
    monkeypatch, missed
):
    """By hand, with beta1 = 0.5 and beta2 = 0.64, and a gradient of 1 at the first and the last
    step. A row rests at once, so that all between are missed: weight decay alone is caught up, and
    moments by their betas."""
    monkeypatch.setattr(row_adam, "steps_on_momentum", lambda *betas: 0)
    weight = nn.Parameter(torch.tensor([[1.0], [5.0]]))
    optimizer = RowAdamW([weight], lr=1.0, betas=(0.5, 0.64), weight_decay=0.1)
    optimizer.param_groups[0]["eps"] = 0.0
    rates = [0.1, *missed, 0.5]
    for step, rate in enumerate(rates):
        optimizer.param_groups[0]["lr"] = rate
        rows = [0] if step in (0, len(missed) + 1) else []
        weight.grad = torch.sparse_coo_tensor(
            torch.tensor([rows], dtype=torch.long),
            torch.ones(len(rows), 1),
            (2, 1),
            check_invariants=True,
        )
        optimizer.step()
    steps = len(rates)
    first = 1 - 0.1 * 0.1 - 0.1  # at its first step Adam moves by the learning rate
    decayed = first * math.prod(1 - rate * 0.1 for rate in [*missed, 0.5])
    mean = 0.5 ** (steps - 1) * 0.5 + 0.5
    square = 0.64 ** (steps - 1) * 0.36 + 0.36
    moved_by = 0.5 * mean / (1 - 0.5**steps) / (square / (1 - 0.64**steps)) ** 0.5
    torch.testing.assert_close(weight.detach(), torch.tensor([[decayed - moved_by], [5.0]]))
    state = optimizer.state[weight]
    torch.testing.assert_close(state["exp_avg"], torch.tensor([[mean]]))
    torch.testing.assert_close(state["exp_avg_sq"], torch.tensor([[square]]))


def test_a_step_from_a_saved_state_is_the_step_itself_bit_for_bit(monkeypatch):
    """Also where rows rest: few of 40 have a gradient within 3 steps."""
    monkeypatch.setattr(row_adam, "steps_on_momentum", lambda *betas: 2)
    alone = made_weights()
    optimizer = RowAdamW(alone, **SETTINGS)
    moved(optimizer, alone, range(1, 9), rows=5)
    resumed = [nn.Parameter(weight.detach().clone()) for weight in alone]
    again = RowAdamW(resumed, **SETTINGS)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    moved(optimizer, alone, range(9, 20), rows=5)
    moved(again, resumed, range(9, 20), rows=5)
    for one, other in zip(alone, resumed, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("largest", [0.5, 100.0])
def test_gradients_are_clipped_as_dense_ones(largest):
    sparse, dense = made_weights(), made_weights()
    for weights, made in ((sparse, gradient(1)), (dense, gradient(1).to_dense())):
        weights[0].grad, weights[1].grad = made, torch.ones(WIDTH)
    clip_norm(sparse, largest=largest)
    nn.utils.clip_grad_norm_(dense, largest)
    assert sparse[0].grad.is_sparse
    for one, other in zip(sparse, dense, strict=True):
        torch.testing.assert_close(one.grad.to_dense(), other.grad)


@pytest.mark.parametrize(
    "settings",
    [{"clip": 0.1}, {"micro_batch_tokens": 40}, {"accumulate_grad_batches": 2, "clip": None}],
    ids=min,
)
def test_a_transformer_is_trained_to_the_weights_of_adamw(tmp_path, settings):
    """Without weight decay, so that tokens without a gradient stay with both."""
    rows, dense = (trained(tmp_path, kind=kind, **settings) for kind in ("rows", "adamw"))
    assert rows["losses"] == pytest.approx(dense["losses"], rel=1e-6)
    assert distance(rows["weights"], dense["weights"]) < 1e-6
