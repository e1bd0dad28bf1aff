"""MinHash signatures over n-grams of characters (Broder, SEQUENCES 1997), and texts whose
signatures agree in a band of hashes (locality-sensitive hashing).

Grams need no words, so that languages without spaces are compared like others. What is hashed is a
text's letters and digits in NFKC and casefolded: spaces, punctuation and marks above and below
letters, which Arabic and Hebrew may leave out, are not. A gram is three characters, and two where
both are wide (Chinese, Japanese, Korean), of which one tells more.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lingmix.data.columns.numbering import Hashes, mixed
from lingmix.data.permutation import splitmix64

HASHES, ROWS = 96, 3
"""Of a signature, and of a band. Two texts of Jaccard similarity s agree in one of 32 bands with a
probability of 1 - (1 - s^3)^32: 0.12 at 0.16, 0.88 at 0.4, 0.99 at 0.5."""

FEWEST = 6
"""Grams of a text that is compared: of fewer, many texts are alike by chance."""

PAIRS = 2**17
"""Candidates that are looked at together."""

WIDE = 0x2E80
_HIGH = np.uint64(32)

Signatures = NDArray[np.uint32]
"""A row a text, a column a hash."""


class Grams(NamedTuple):
    """Hashes of the grams of N texts, one text after the other, as often as they occur; those of
    text n begin at `start_N[n]`, and there is one start more than texts."""

    hash_G: Hashes
    start_N: NDArray[np.int64]

    def sets(self) -> Iterator[Hashes]:
        """The distinct grams of each text, sorted."""
        for begin, end in zip(self.start_N[:-1], self.start_N[1:], strict=True):
            yield np.unique(self.hash_G[begin:end])


def grams_of(texts: Sequence[str]) -> Grams:
    """A text of fewer letters than a gram has one gram, one without letters none."""
    point_P, start_N = _letters(texts)
    size_N = np.diff(start_N)
    left_P = np.repeat(start_N[1:], size_N) - np.arange(len(point_P))
    padded = np.append(point_P, np.zeros(2, np.uint64))
    next_P = np.where(left_P > 1, padded[1:-1], 0)
    wide_P = (point_P >= WIDE) & (next_P >= WIDE)
    third_P = np.where((left_P > 2) & ~wide_P, padded[2:], 0)
    begins_P = (left_P >= 3) | (wide_P & (left_P >= 2)) | (left_P == np.repeat(size_N, size_N))
    gram_G = (point_P | next_P << np.uint64(21) | third_P << np.uint64(42))[begins_P]
    count_P = np.concatenate([[0], np.cumsum(begins_P)])
    with np.errstate(over="ignore"):
        return Grams(splitmix64(gram_G + np.uint64(0x9E3779B97F4A7C15)), count_P[start_N])


def signatures(grams: Grams) -> Signatures:
    """The least value of each hash function over a text's grams; the largest there is where it has
    none. The functions are fixed, so that a text has the same signature everywhere."""
    value_G = (grams.hash_G >> _HIGH).astype(np.uint32)
    signature_HN = np.full((HASHES, len(grams.start_N) - 1), 2**32 - 1, np.uint32)
    some_M = np.flatnonzero(np.diff(grams.start_N))
    if not len(some_M):
        return signature_HN.T
    begin_M, hashed_G = grams.start_N[some_M], np.empty_like(value_G)
    for row_N, (moved, factor) in zip(signature_HN, _functions(), strict=True):
        np.bitwise_xor(value_G, moved, out=hashed_G)
        np.multiply(hashed_G, factor, out=hashed_G)
        row_N[some_M] = np.minimum.reduceat(hashed_G, begin_M)
    return np.ascontiguousarray(signature_HN.T)


class Candidates(NamedTuple):
    """Pairs of texts, by their places, and the share of hashes that agree: it estimates the Jaccard
    similarity of their grams."""

    asked_M: NDArray[np.int64]
    found_M: NDArray[np.int64]
    agreeing_M: NDArray[np.float64]


class SignatureIndex:
    """Texts by the bands of their signatures."""

    def __init__(self, signature_NH: Signatures) -> None:
        self._signature_NH = signature_NH
        keys = [_keys(signature_NH, band) for band in range(HASHES // ROWS)]
        self._orders = [np.argsort(key_N, kind="stable").astype(np.int32) for key_N in keys]
        self._keys = [key_N[order] for key_N, order in zip(keys, self._orders, strict=True)]

    def candidates(self, signature_MH: Signatures, *, least: float) -> Iterator[Candidates]:
        """Pairs that agree in a band and in a share of `least` of all hashes. A pair comes once,
        and no more than `PAIRS` are held at once."""
        for band, (sorted_N, order_N) in enumerate(zip(self._keys, self._orders, strict=True)):
            key_M = _keys(signature_MH, band)
            low_M = np.searchsorted(sorted_N, key_M)
            count_M = np.searchsorted(sorted_N, key_M, side="right") - low_M
            ends = np.cumsum(count_M)
            for begin in range(0, int(ends[-1]) if len(ends) else 0, PAIRS):
                place = np.arange(begin, min(begin + PAIRS, int(ends[-1])))
                asked = np.searchsorted(ends, place, side="right")
                found = order_N[low_M[asked] + place - (ends - count_M)[asked]].astype(np.int64)
                yield self._agreeing(signature_MH, asked, found, band=band, least=least)

    def _agreeing(
        self,
        signature_MH: Signatures,
        asked: NDArray[np.int64],
        found: NDArray[np.int64],
        *,
        band: int,
        least: float,
    ) -> Candidates:
        equal_MH = signature_MH[asked] == self._signature_NH[found]
        agreeing_M = np.count_nonzero(equal_MH, axis=1) / HASHES
        alike = np.flatnonzero(agreeing_M >= least)
        earlier = equal_MH[alike, : band * ROWS].reshape(len(alike), band, ROWS)
        new = alike[~earlier.all(axis=2).any(axis=1)]
        return Candidates(asked[new], found[new], agreeing_M[new])


def jaccard(one_G: Hashes, other_G: Hashes) -> float:
    """The share of two texts' distinct grams that both have."""
    shared = len(np.intersect1d(one_G, other_G, assume_unique=True))
    return shared / max(1, len(one_G) + len(other_G) - shared)


def _letters(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Code points of what is compared, and where each text begins among them."""
    plain = [unicodedata.normalize("NFKC", text).casefold() for text in texts]
    encoded = "".join(plain).encode("utf-32-le", "surrogatepass")
    point_P = np.frombuffer(encoded, np.uint32)
    compared_P = _compared()[point_P]
    count_P = np.concatenate([[0], np.cumsum(compared_P)])
    start_N = count_P[np.cumsum([0, *map(len, plain)])]
    return point_P[compared_P].astype(np.uint64), start_N


@cache
def _compared() -> NDArray[np.bool_]:
    """Of each code point whether it is a letter, a digit, or a mark with a place of its own."""
    kinds = (unicodedata.category(chr(point)) for point in range(0x110000))
    return np.fromiter((kind[0] in "LN" or kind == "Mc" for kind in kinds), np.bool_, 0x110000)


@cache
def _functions() -> list[tuple[np.uint32, np.uint32]]:
    """An odd factor mixes upwards, and the least value is decided by the highest bits."""
    random = np.random.default_rng(0)
    moved, factor = random.integers(2**32, size=(2, HASHES), dtype=np.uint32)
    return [*zip(moved, factor | np.uint32(1), strict=True)]


def _keys(signature_NH: Signatures, band: int) -> NDArray[np.uint32]:
    key_N = signature_NH[:, band * ROWS].astype(np.uint64)
    for place in range(band * ROWS + 1, (band + 1) * ROWS):
        key_N = mixed(key_N, signature_NH[:, place])
    return (key_N >> _HIGH).astype(np.uint32)
