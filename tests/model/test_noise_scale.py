"""The simple gradient noise scale."""

import math
from itertools import cycle

import pytest
import torch
from torch import nn

from lingmix.model.noise_scale import NoiseScale, gradient_norm


def parameter(gradient) -> nn.Parameter:
    gradient = torch.as_tensor(gradient, dtype=torch.float32)
    one = nn.Parameter(torch.zeros(gradient.shape))
    one.grad = gradient
    return one


def added(scale: NoiseScale, gradients, *, pairs: int = 1) -> list[float | None]:
    return [scale.add([parameter(one)], pairs=pairs) for one in gradients]


def test_two_gradients_by_hand():
    """|g|^2 is 9 and 1, so 5 for a batch of one pair, and 2^2 for two: tr(S) 2, |G|^2 3."""
    assert added(NoiseScale(window=2), [[3, 0], [1, 0]]) == [None, pytest.approx(2 / 3)]
    assert added(NoiseScale(window=2), [[3, 0], [1, 0]], pairs=16)[1] == pytest.approx(32 / 3)


def test_a_gradient_that_noise_hides_has_no_scale():
    assert added(NoiseScale(window=2), [[1, 0], [-1, 0]]) == [None, None]


@pytest.mark.parametrize("true_scale", [4.0, 64.0, 400.0])
@pytest.mark.parametrize("sizes", [[16], [8, 16, 64]])
def test_known_mean_and_covariance_are_found_to_a_tenth(true_scale, sizes):
    """Gradients of B pairs are drawn from N(G, S / B), S diagonal with uneven entries."""
    random = torch.Generator().manual_seed(0)
    mean = torch.randn(300, generator=random)
    variance = torch.rand(300, generator=random)
    variance *= true_scale * mean.square().sum() / variance.sum()
    scale, last = NoiseScale(window=20), None
    for _, pairs in zip(range(20 * 60), cycle(sizes), strict=False):
        noise = torch.randn(300, generator=random) * (variance / pairs).sqrt()
        halves = [parameter(half) for half in (mean + noise).split([100, 200])]
        last = scale.add(halves, pairs=pairs) or last
    assert last == pytest.approx(true_scale, rel=0.1)


def sparse(rows, values) -> torch.Tensor:
    places = torch.tensor([rows])
    return torch.sparse_coo_tensor(places, torch.tensor(values), (4, 2), check_invariants=True)


SPARSE = [
    sparse([2, 0, 2], [[1.0, 0.0], [2.0, 1.0], [1.0, 3.0]]),
    sparse([3, 2], [[1.0, 1.0], [2.0, 2.0]]),
]


def with_gradient(gradient) -> list[nn.Parameter]:
    table, other, unused = nn.Parameter(torch.zeros(4, 2)), parameter([2.0]), parameter([0.0])
    table.grad, unused.grad = gradient, None
    return [table, other, unused]


def test_sparse_gradients_count_as_dense_ones():
    """A row may stand in a sparse gradient twice."""
    assert not SPARSE[0].is_coalesced()
    got, expected = NoiseScale(window=2), NoiseScale(window=2)
    for gradient in SPARSE:
        parameters, dense = with_gradient(gradient), with_gradient(gradient.to_dense())
        norm = torch.nn.utils.get_total_norm([one.grad for one in dense[:2]])
        assert gradient_norm(parameters) == norm
        last = got.add(parameters, pairs=3), expected.add(dense, pairs=3)
    assert last[0] == last[1] is not None
    assert with_gradient(SPARSE[0])[0].grad.is_sparse


def test_a_saved_window_goes_on_as_if_never_interrupted(tmp_path):
    random = torch.Generator().manual_seed(0)
    gradients = 1 + torch.randn(9, 50, generator=random)
    alone, first, second = (NoiseScale(window=3) for _ in range(3))
    expected = added(alone, gradients)
    added(first, gradients[:5])
    torch.save(first.state_dict(), tmp_path / "state")
    second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert added(second, gradients[5:]) == expected[5:]
    assert expected[-1] is not None


def test_a_window_with_an_overflow_is_left_out():
    scale = NoiseScale(window=2)
    assert added(scale, [[3, 0], [math.inf, 0]]) == [None, None]
    assert added(scale, [[3, 0], [1, 0]])[1] == pytest.approx(2 / 3)
