"""Centering: each passage vector less the mean of its language's."""

import numpy as np
import pytest

from lingmix.evaluation import centering
from lingmix.evaluation.centering import CenteredVectors
from lingmix.evaluation.evaluator import evaluate_encoder
from lingmix.search.vectors import Vectors
from tests.evaluation.made import parallel_set, unit

LANGUAGES = ("de", "en", "th")


def test_a_vector_is_less_its_languages_mean_and_of_unit_length_by_hand() -> None:
    passages = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    found = CenteredVectors(passages, ["en", "en", "de"])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(found[:], [[half, -half], [-half, half], [0, 0]], atol=1e-7)
    assert (len(found), found.shape) == (3, (3, 2))


def test_vectors_that_share_a_row_are_centered_by_language_a_slab_at_a_time(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    distinct, row_N = unit(rng.standard_normal((20, 6))), rng.integers(20, size=90)
    languages = rng.choice(LANGUAGES, size=90)
    whole = CenteredVectors(distinct[row_N], languages)[:]
    monkeypatch.setattr(centering, "WHOLE", 7)
    chosen = rng.permutation(90)[:40]
    shared = CenteredVectors(Vectors(distinct, row_N), languages)
    np.testing.assert_allclose(shared[chosen], whole[chosen], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)


def encoded(texts, role):
    """Vectors of `query 3 in de` and `passage 3 in de`: what item 3 says, and of the language."""
    said = unit(np.random.default_rng(0).standard_normal((60, 32)))
    words = [text.split() for text in texts]
    language = 2 * np.eye(3)
    return unit(
        np.array([[*said[int(item)], *language[LANGUAGES.index(of)]] for _, item, _, of in words])
    )


def test_centering_undoes_a_direction_that_a_language_adds_and_leaves_plain_figures_alone() -> None:
    of = parallel_set(items=60, languages=LANGUAGES)
    settings = {"depth": None, "temperature": 0.05, "seed": 0}
    asked = []

    def encode(texts, role):
        asked.append(role)
        return encoded(texts, role)

    plain, centered = evaluate_encoder(encode, [of], center="language", **settings)
    assert asked == ["query", "passage"]
    assert (plain.name, centered.name) == ("parallel", "parallel-centered")
    assert set(centered.per_query["set"]) == {"parallel-centered"}
    (alone,) = evaluate_encoder(encode, [of], **settings)
    assert alone.metrics == plain.metrics
    assert centered.metrics.keys() == plain.metrics.keys()
    assert plain.metrics["multilingual/language_preference"] == pytest.approx(1)
    assert plain.metrics["multilingual/map"] < 0.5
    assert centered.metrics["multilingual/map"] > 0.99
    assert centered.metrics["alignment"] == pytest.approx(0, abs=1e-6)
