"""Signatures against the true similarity, and against datasketch's."""

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH

from lingmix.data.minhash import (
    HASHES,
    ROWS,
    Grams,
    SignatureIndex,
    grams_of,
    jaccard,
    signatures,
)

LATIN = "abcdefghijklmnopqrstuvwxyz"


def numbers(random: np.random.Generator, count: int) -> np.ndarray:
    return random.integers(2**64, size=count, dtype=np.uint64)


def grams_with(share: float, *, pairs: int, size: int = 120) -> Grams:
    """Two sets a pair, with this Jaccard similarity."""
    random = np.random.default_rng(0)
    both = round(size * 2 * share / (1 + share))
    sets = []
    for _ in range(pairs):
        shared = numbers(random, both)
        sets += [np.concatenate([shared, numbers(random, size - both)]) for _ in range(2)]
    starts = np.cumsum([0, *map(len, sets)])
    return Grams(np.concatenate(sets), starts)


def agreeing(grams: Grams) -> np.ndarray:
    signature_NH = signatures(grams)
    return (signature_NH[::2] == signature_NH[1::2]).mean(axis=1)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_hashes_agree_as_often_as_the_sets_do(share):
    found_P = agreeing(grams_with(share, pairs=400))
    error = np.sqrt(share * (1 - share) / HASHES)
    assert abs(found_P.mean() - share) < 4 * error / np.sqrt(400)
    assert found_P.std() == pytest.approx(error, rel=0.15)


def test_estimates_are_as_good_as_those_of_datasketch():
    grams = grams_with(0.4, pairs=300)
    theirs = []
    for hash_G in grams.sets():
        theirs.append(MinHash(num_perm=HASHES, seed=1))
        theirs[-1].update_batch([one.tobytes() for one in hash_G])
    pairs = zip(theirs[::2], theirs[1::2], strict=True)
    estimated_P = np.array([one.jaccard(other) for one, other in pairs])
    assert np.std(agreeing(grams)) < 1.3 * np.std(estimated_P)
    assert abs(np.mean(agreeing(grams)) - np.mean(estimated_P)) < 0.02


def test_bands_find_about_as_many_as_those_of_datasketch():
    grams = grams_with(0.4, pairs=200)
    signature_NH = signatures(grams)
    index = SignatureIndex(signature_NH[::2])
    found = [*index.candidates(signature_NH[1::2], least=0.0)]
    ours = sum(int((one.asked_M == one.found_M).sum()) for one in found)
    theirs = MinHashLSH(num_perm=HASHES, params=(HASHES // ROWS, ROWS))
    sketches = [MinHash(num_perm=HASHES, seed=1) for _ in range(400)]
    for sketch, hash_G in zip(sketches, grams.sets(), strict=True):
        sketch.update_batch([one.tobytes() for one in hash_G])
    for place, sketch in enumerate(sketches[::2]):
        theirs.insert(place, sketch)
    hits = sum(place in theirs.query(sketch) for place, sketch in enumerate(sketches[1::2]))
    assert ours == pytest.approx(200 * (1 - (1 - 0.4**3) ** (HASHES // ROWS)), abs=16)
    assert ours == pytest.approx(hits, abs=20)


def test_candidates_are_all_pairs_that_agree_in_a_band_each_once():
    random = np.random.default_rng(0)
    signature_NH = random.integers(3, size=(60, HASHES), dtype=np.uint32)
    asked_NH, known_NH = signature_NH[:25], signature_NH[25:]
    found = [
        (int(a), int(b), float(share))
        for one in SignatureIndex(known_NH).candidates(asked_NH, least=0.35)
        for a, b, share in zip(*one, strict=True)
    ]
    expected = []
    for a, one in enumerate(asked_NH):
        for b, other in enumerate(known_NH):
            equal = one == other
            if equal.reshape(-1, ROWS).all(axis=1).any() and equal.mean() >= 0.35:
                expected.append((a, b, float(equal.mean())))
    assert sorted(found) == expected
    assert len(found) > 50


def sets_of(*texts: str) -> list[int]:
    return [len(one) for one in grams_of(texts).sets()]


def test_a_gram_is_three_letters_and_two_of_chinese():
    assert sets_of("abcd", "ab", "", "...", "北京市的", "a北京b") == [2, 1, 0, 0, 3, 2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The River's mouth, 1998", "the rivers mouth 1998!"),
        ("ｗｈｅｒｅ", "where"),
        ("أين يَنتهي", "أين ينتهي"),
        ("e\u0301tude", "étude"),
    ],
)
def test_case_punctuation_marks_and_unicode_forms_are_not_seen(one, other):
    first, second = grams_of([one, other]).sets()
    assert jaccard(first, second) == 1


def test_similarity_is_the_share_of_distinct_grams_that_both_have():
    one, other = grams_of(["abcdef", "abcdxy"]).sets()
    assert jaccard(one, other) == pytest.approx(2 / 6)  # abc bcd of abc bcd cde def cdx dxy


def test_a_text_has_one_signature_wherever_it_stands():
    texts = ["", "a", LATIN, LATIN[::-1], "?", LATIN * 3]
    together = signatures(grams_of(texts))
    alone = np.concatenate([signatures(grams_of([text])) for text in texts])
    assert (together == alone).all()
    assert together[2, :3].tolist() == signatures(grams_of([LATIN]))[0, :3].tolist()
