"""The simple gradient noise scale of a mixture of language pairs."""

import math
from itertools import cycle

import numpy as np
import pytest
import torch
from scipy.stats import t as student
from torch import nn

from lingmix.data.schedule import Pass
from lingmix.training.gradients import gradient_norm
from lingmix.training.noise_scale import SKETCH_SIZE, GradientSketch, NoiseScale


def parameter(gradient) -> nn.Parameter:
    gradient = torch.as_tensor(gradient, dtype=torch.float32)
    one = nn.Parameter(torch.zeros(gradient.shape))
    one.grad = gradient
    return one


def of(language_pair: str, *, number: int = 0) -> Pass:
    """A pass over so many rows that a batch is next to nothing of them."""
    return Pass(language_pair, number, 10**9)


ENGLISH = of("en-en")


def added(scale: NoiseScale, gradients, *, pairs=1, drawn: Pass | None = ENGLISH) -> list:
    return [
        scale.add(torch.as_tensor(one), pairs=pairs, drawn=[drawn] if drawn else [])
        for one in gradients
    ]


HAND = torch.tensor([[3.0, 0.0], [1.0, 0.0]])
"""|g|^2 is 9 and 1, so 5 for a batch of one pair, and 2^2 for two: tr(S) 2, |G|^2 3."""


@pytest.mark.parametrize(("pairs", "expected"), [(1, 2 / 3), (16, 32 / 3)])
def test_two_gradients_by_hand(pairs, expected):
    first, figures = added(NoiseScale(window=2), HAND, pairs=pairs)
    assert first is None
    assert figures == (pytest.approx(expected), 0, {"en-en": pytest.approx(expected)})
    _, mixed = added(NoiseScale(window=2), HAND, pairs=pairs, drawn=None)
    assert mixed == (pytest.approx(expected), None, {})


def test_two_language_pairs_by_hand():
    """In batches of four pairs. en-de: noise 2 and |G|^2 3, as above. de-en, (-1, 2) and (-1, 0):
    noise 2, mean (-1, 1), |G|^2 2 - 2/2 = 1. All four: mean (1/2, 1/2), mean |g|^2 (9+1+5+1)/4 = 4,
    so noise (4 - 1/2) * 4/3 = 14/3 and |G|^2 1/2 - 14/12 < 0. Within W = 4 * 2, between
    14/3 - 2 = 8/3: a quarter of 32/3 is between."""
    scale = NoiseScale(window=4)
    added(scale, HAND, pairs=4, drawn=of("en-de"))
    other = torch.tensor([[-1.0, 2.0], [-1.0, 0.0]])
    _, figures = added(scale, other, pairs=4, drawn=of("de-en"))
    assert figures.language_pairs == {"en-de": pytest.approx(8 / 3), "de-en": pytest.approx(8)}
    assert figures.between_pairs == pytest.approx(1 / 4)
    assert figures.scale is None


def test_a_gradient_that_noise_hides_has_no_scale():
    _, figures = added(NoiseScale(window=2), torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    assert figures == (None, 0, {})


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
        figures = scale.add(mean + noise, pairs=pairs, drawn=[])
        last = figures or last
    assert last is not None
    assert last.scale == pytest.approx(true_scale, rel=0.1)


class Toy:
    """Six language pairs, drawn by `shares`, with gradients of known mean and covariance."""

    shares = np.array([0.1, 0.1, 0.1, 0.2, 0.2, 0.3])

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        common, apart = self.random.normal(size=200), self.random.normal(size=(6, 200))
        self.mean_LD = common + 0.8 * apart
        self.variance_L = 16 * np.array([0.5, 0.8, 1.0, 1.0, 1.1, 1.3])

    @property
    def figures(self) -> tuple[float, float, np.ndarray]:
        """The noise scale of the mixture, its share between language pairs, that of each."""
        square_L = (self.mean_LD**2).sum(1)
        square = ((self.shares @ self.mean_LD) ** 2).sum()
        within = self.shares @ self.variance_L * 200
        between = self.shares @ square_L - square
        noise = within + between
        return noise / square, between / noise, self.variance_L * 200 / square_L

    def gradient(self, size: int, *, mixed: bool) -> tuple[np.ndarray, Pass | None]:
        drawn = int(self.random.choice(6, p=self.shares))
        counts = self.random.multinomial(size, self.shares) if mixed else np.eye(6)[drawn] * size
        share = counts / size
        noise = self.random.normal(size=200) * math.sqrt(share @ self.variance_L / size)
        return share @ self.mean_LD + noise, None if mixed else of(f"pair{drawn}")

    def estimated(self, size: int, *, mixed: bool, windows: int = 10, window: int = 60):
        scale, last, of_pairs = NoiseScale(window=window), None, {}
        for _ in range(windows * window):
            gradient, drawn = self.gradient(size, mixed=mixed)
            added = scale.add(
                torch.from_numpy(gradient), pairs=size, drawn=[drawn] if drawn else []
            )
            if added:
                last, of_pairs = added, of_pairs | added.language_pairs
        assert last is not None
        return last._replace(language_pairs=of_pairs)


def interval(values) -> tuple[float, float]:
    """Of the mean, which lies in 99 of 100 such intervals."""
    half = student.ppf(0.995, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return np.mean(values) - half, np.mean(values) + half


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("size", [16, 64, 256, 1024])
def test_the_figure_is_of_the_data_whatever_the_batches(size, mixed):
    """A batch of 1,024 pairs of one language pair is as noisy as one of 34 mixed ones."""
    toy = Toy()
    scale, between, of_pairs = toy.figures
    repeats = [toy.estimated(size, mixed=mixed) for _ in range(12)]
    low, high = interval([one.scale for one in repeats])
    assert low < scale < high
    assert high - low < 0.2 * scale
    if mixed:
        return
    low, high = interval([one.between_pairs for one in repeats])
    assert low < between < high
    for number, known in enumerate(of_pairs):
        low, high = interval([one.language_pairs[f"pair{number}"] for one in repeats])
        assert low < known < high


@pytest.mark.parametrize(("size", "parts"), [(4, 1), (16, 1), (32, 1), (20, 2), (40, 2), (60, 3)])
def test_passes_draw_without_replacement_and_the_figure_is_that_of_drawing_with_it(size, parts):
    """From 64 rows with known gradients: batches of 32 are half as noisy, or opposite; those that
    accumulate parts of 20 are of one pass or of two, of parts of 60 of three."""
    random = np.random.default_rng(0)
    rows_ND = random.normal(size=(64, 50)) + 0.7
    known = rows_ND.var(axis=0, ddof=1).sum() / (rows_ND.mean(axis=0) ** 2).sum()
    whole = 64 - 64 % size
    drawn = [
        (rows_ND[rows].mean(axis=0), Pass("en-en", number, 64))
        for number in range(3000 * size * parts // whole)
        for rows in random.permutation(64)[:whole].reshape(-1, size)
    ]
    scales, scale = [], NoiseScale(window=20)
    for begin in range(0, len(drawn) - parts, parts):
        gradients, passes = zip(*drawn[begin : begin + parts], strict=True)
        mean = torch.from_numpy(np.mean(gradients, axis=0))
        figures = scale.add(mean, pairs=size * parts, drawn=passes)
        scales += [figures.scale] if figures and figures.scale else []
    low, high = interval([np.mean(part) for part in np.array_split(scales, 11)])
    assert known == pytest.approx((low + high) / 2, rel=0.05)


def test_a_language_pair_that_gives_all_it_has_has_no_noise_scale():
    """Its batches are all equal."""
    scale = NoiseScale(window=4)
    for number in range(2):
        scale.add(torch.ones(2), pairs=3, drawn=[Pass("de-de", number, 3)])
    _, figures = added(scale, HAND, pairs=4)
    assert figures.language_pairs == {"en-en": pytest.approx(8 / 3)}


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
    for gradient in SPARSE:
        parameters, dense = with_gradient(gradient), with_gradient(gradient.to_dense())
        norm = torch.nn.utils.get_total_norm([one.grad for one in dense[:2]])
        assert gradient_norm(parameters) == norm
        sketch = GradientSketch().fold(parameters)
        assert torch.equal(sketch, GradientSketch().fold(dense))
        assert sketch.norm() == pytest.approx(norm.item())
    assert with_gradient(SPARSE[0])[0].grad.is_sparse


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_a_large_gradient_is_folded_and_inner_products_stay(shared):
    """Also where all rows of a weight point the same way."""
    random = torch.Generator().manual_seed(0)
    one, other = (torch.randn(4000, 64, generator=random) for _ in range(2))
    other = one + other + shared * torch.ones(64)
    sketch = GradientSketch()
    first, second = (sketch.fold([parameter(given), parameter([3.0])]) for given in (one, other))
    assert len(first) == SKETCH_SIZE + 1
    for got, expected in (
        (first @ second, (one * other).sum() + 9),
        (first @ first, one.square().sum() + 9),
        (second @ second, other.square().sum() + 9),
    ):
        assert got.item() == pytest.approx(expected.item(), rel=0.04)


def test_a_saved_window_goes_on_as_if_never_interrupted(tmp_path):
    random = torch.Generator().manual_seed(0)
    gradients = 1 + torch.randn(9, 50, generator=random)
    names = ["en-de", "de-en", "en-de"] * 3

    def figures(scale, places):
        return [
            scale.add(gradients[n], pairs=4, drawn=[Pass(names[n], n // 4, 20)]) for n in places
        ]

    expected = figures(NoiseScale(window=3), range(9))
    first, second = NoiseScale(window=3), NoiseScale(window=3)
    figures(first, range(5))
    torch.save(first.state_dict(), tmp_path / "state")
    second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert figures(second, range(5, 9)) == expected[5:]
    assert expected[-1].scale is not None
    assert expected[-1].between_pairs is not None


def test_a_window_with_an_overflow_is_left_out():
    scale = NoiseScale(window=2)
    assert added(scale, torch.tensor([[3.0, 0.0], [math.inf, 0.0]])) == [None, None]
    assert added(scale, HAND)[1].scale == pytest.approx(2 / 3)
