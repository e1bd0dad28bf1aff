"""Adam by rows, beside PyTorch's own."""

import copy

import pytest
import torch
from torch import nn
from torch.optim import SparseAdam

from lingmix.training import row_adam
from lingmix.training.row_adam import RowAdam

ROWS, WIDTH = 40, 6
SETTINGS = {"lr": 0.03, "betas": (0.8, 0.99)}


def made_weight() -> nn.Parameter:
    return nn.Parameter(torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(0)))


def gradient(step: int, *, repeated: bool) -> torch.Tensor:
    """Of other rows at each step; repeated: some of them twice, in no order."""
    generator = torch.Generator().manual_seed(step)
    drawn = torch.randperm(ROWS, generator=generator)[:12]
    rows = torch.cat([drawn, drawn[:4]]) if repeated else drawn.sort()[0]
    values = torch.randn(len(rows), WIDTH, generator=generator)
    return torch.sparse_coo_tensor(rows[None], values, (ROWS, WIDTH), check_invariants=True)


def moved(optimizer, weight_VD: nn.Parameter, steps: range, *, repeated: bool = False) -> None:
    for step in steps:
        weight_VD.grad = gradient(step, repeated=repeated)
        optimizer.step()


@pytest.mark.parametrize("repeated", [False, True])
def test_weights_and_state_are_those_of_sparse_adam(monkeypatch, repeated):
    """Also where a gradient names a row twice, and where rows are more than one block."""
    monkeypatch.setattr(row_adam, "ROWS", 5)
    own, peer = made_weight(), made_weight()
    ours, theirs = RowAdam([own], **SETTINGS), SparseAdam([peer], **SETTINGS)
    steps = range(1, 9)
    moved(ours, own, steps, repeated=repeated)
    moved(theirs, peer, steps, repeated=repeated)
    torch.testing.assert_close(own, peer, rtol=1e-5, atol=1e-6)
    state, expected = ours.state_dict(), theirs.state_dict()
    assert state["param_groups"] == expected["param_groups"]
    assert state["state"][0].keys() == expected["state"][0].keys()
    for name, value in state["state"][0].items():
        torch.testing.assert_close(value, expected["state"][0][name], rtol=1e-5, atol=1e-6)


def test_rows_without_a_gradient_stay_and_the_first_step_is_the_learning_rate():
    """Adam's first step is lr * g / (|g| + eps): its sign alone."""
    weight_VD = nn.Parameter(torch.zeros(3, 2))
    values = torch.tensor([[2.0, -5.0]])
    weight_VD.grad = torch.sparse_coo_tensor(
        torch.tensor([[1]]), values, (3, 2), check_invariants=True
    )
    RowAdam([weight_VD], lr=0.5).step()
    expected = torch.tensor([[0.0, 0.0], [-0.5, 0.5], [0.0, 0.0]])
    torch.testing.assert_close(weight_VD.detach(), expected)


def test_a_step_from_a_saved_state_is_the_step_itself_bit_for_bit():
    alone = made_weight()
    optimizer = RowAdam([alone], **SETTINGS)
    moved(optimizer, alone, range(1, 4))
    resumed = nn.Parameter(alone.detach().clone())
    again = RowAdam([resumed], **SETTINGS)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    moved(optimizer, alone, range(4, 7))
    moved(again, resumed, range(4, 7))
    assert torch.equal(alone, resumed)


def test_a_closure_is_computed_with_gradients_and_its_loss_given_back():
    embedding = nn.Embedding(4, 2, sparse=True)

    def closure():
        loss = embedding(torch.tensor([1, 1])).sum()
        loss.backward()
        return loss

    before = embedding.weight.detach().clone()
    loss = RowAdam(embedding.parameters(), lr=0.5).step(closure)
    torch.testing.assert_close(loss, 2 * before[1].sum())
    torch.testing.assert_close(embedding.weight.detach()[1], before[1] - 0.5)
