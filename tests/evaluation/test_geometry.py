"""Alignment and uniformity, by hand and as their authors publish them."""

from functools import partial

import numpy as np
import pytest
import torch

from lingmix.evaluation import geometry
from lingmix.evaluation.geometry import PassageVectors, alignment, uniformity
from tests.evaluation.made import parallel_set, random_set, unit

LANGUAGES = ("de", "en", "th")


def align_loss(x: torch.Tensor, y: torch.Tensor) -> float:
    """By the formula of the paper's section 4.1.1."""
    return float((x - y).norm(dim=1).pow(2).mean())


def test_alignment_is_the_mean_squared_distance_of_translations(monkeypatch) -> None:
    monkeypatch.setattr(geometry, "BLOCK", 7)
    items, of = 9, parallel_set(items=9, languages=LANGUAGES)
    vectors = unit(np.random.default_rng(0).standard_normal((3 * items, 5)))
    de, en, th = torch.from_numpy(vectors).double().split(items)
    expected = (align_loss(de, en) + align_loss(de, th) + align_loss(en, th)) / 3
    assert alignment(PassageVectors(of, vectors, 0)) == pytest.approx(expected)


def test_alignment_is_0_for_one_vector_an_item_and_2_for_orthogonal_ones() -> None:
    of = parallel_set(items=4, languages=LANGUAGES)
    same, apart = np.tile(np.eye(4), (3, 1)), np.eye(12)
    assert alignment(PassageVectors(of, same.astype(np.float32), 0)) == 0
    assert alignment(PassageVectors(of, apart.astype(np.float32), 0)) == 2


def test_there_is_no_alignment_without_translations() -> None:
    of = parallel_set(items=4, languages=("en",))
    assert alignment(PassageVectors(of, np.eye(4, dtype=np.float32), 0)) is None


def test_relevant_passages_of_which_a_language_has_several_are_no_translations() -> None:
    of = random_set(np.random.default_rng(0), queries=1, passages=30)
    of.grade_J[:] = 1
    judged = [of.passage_languages[p] for p in of.passage_J]
    assert len(judged) > len(set(judged)) > 1
    assert alignment(PassageVectors(of, np.eye(30, dtype=np.float32), 0)) is None


def test_uniformity_is_that_of_the_paper() -> None:
    of = parallel_set(items=20, languages=LANGUAGES)
    vectors = unit(np.random.default_rng(0).standard_normal((60, 5)))
    distances = torch.pdist(torch.from_numpy(vectors).double())
    expected = float(distances.pow(2).mul(-2).exp().mean().log())
    assert uniformity(PassageVectors(of, vectors, 0)) == pytest.approx(expected)


def test_uniformity_is_0_for_one_vector_and_minus_4_for_orthogonal_ones() -> None:
    of = parallel_set(items=4, languages=LANGUAGES)
    measured = partial(PassageVectors, of, seed=0)
    assert uniformity(measured(np.tile(np.eye(1, 5, dtype=np.float32), (12, 1)))) == 0
    assert uniformity(measured(np.eye(12, dtype=np.float32))) == pytest.approx(-4)


def test_a_sample_of_the_passages_estimates_their_uniformity(monkeypatch) -> None:
    of = parallel_set(items=400, languages=LANGUAGES)
    vectors = unit(np.random.default_rng(0).standard_normal((1200, 8)))
    whole = uniformity(PassageVectors(of, vectors, 0))
    monkeypatch.setattr(geometry, "SAMPLED", 300)
    sampled = [uniformity(PassageVectors(of, vectors, seed)) for seed in (0, 0, 1)]
    assert sampled[0] == sampled[1] != sampled[2]
    assert sampled == pytest.approx([whole] * 3, abs=0.05)
