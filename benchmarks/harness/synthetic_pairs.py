"""Made-up pairs to measure preparation with: texts of XQuAD-R's lengths in nine languages.

An item is a query and a passage in two languages, which makes four pairs. Words are letters of the
language's script drawn at random, frequent words as frequent as in Zipf's law; lengths are drawn
from log-normal distributions with the medians of XQuAD-R's questions (59 characters) and sentences
(126 characters). No two texts are equal but by chance.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ALPHABETS = {
    "ar": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "de": "abcdefghijklmnopqrstuvwxyzäöüß",
    "el": "αβγδεζηθικλμνξοπρστυφχψω",
    "en": "abcdefghijklmnopqrstuvwxyz",
    "es": "abcdefghijklmnñopqrstuvwxyzáéíóú",
    "hi": "अआइईउऊएऐओऔकखगघचछजझटठडढतथदधनपफबभमयरलवशषसह",
    "ru": "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "tr": "abcçdefgğhıijklmnoöprsştuüvyz",
    "vi": "abcdđeêghiklmnoôơpqrstuưvxyàáâãèéìíòóõùúý",
}
WORDS = 20_000
"""Different words of a language."""

QUERY, PASSAGE = (59.0, 0.35), (126.0, 0.5)
"""Median characters, and the deviation of their logarithm."""

AT_ONCE = 20_000
PAIRS_OF_ITEM = 4


def write_pairs(path: Path, count: int, *, seed: int = 0) -> None:
    random = np.random.Generator(np.random.Philox(seed))
    words = {of: _words(alphabet, random) for of, alphabet in ALPHABETS.items()}
    languages = sorted(words)
    with path.open("w", encoding="utf-8") as file:
        for begin in range(0, count // PAIRS_OF_ITEM, AT_ONCE):
            size = min(AT_ONCE, count // PAIRS_OF_ITEM - begin)
            first_N = random.integers(len(languages), size=size)
            second_N = (first_N + random.integers(1, len(languages), size=size)) % len(languages)
            texts = {
                (side, role): _texts([words[languages[n]] for n in language_N], lengths, random)
                for side, language_N in enumerate((first_N, second_N))
                for role, lengths in (("query", QUERY), ("passage", PASSAGE))
            }
            for n in range(size):
                names = languages[first_N[n]], languages[second_N[n]]
                for asked, given in ((0, 0), (0, 1), (1, 0), (1, 1)):
                    row = {
                        "query": texts[asked, "query"][n],
                        "passage": texts[given, "passage"][n],
                        "query_lang": names[asked],
                        "passage_lang": names[given],
                        "source_id": f"item-{seed}-{begin + n:08}",
                    }
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _words(alphabet: str, random: np.random.Generator) -> list[str]:
    letters = np.array([*alphabet])
    lengths = random.integers(2, 9, size=WORDS)
    return ["".join(random.choice(letters, size=length)) for length in lengths]


def _texts(
    words: Sequence[Sequence[str]], lengths: tuple[float, float], random: np.random.Generator
) -> list[str]:
    """A text of each vocabulary."""
    median, deviation = lengths
    characters_N = median * np.exp(deviation * random.standard_normal(len(words)))
    count_N = np.maximum(2, characters_N / 6.5).astype(int)  # a word and the space behind it
    drawn = iter(_zipf(int(count_N.sum()), random).tolist())
    return [
        " ".join(vocabulary[next(drawn)] for _ in range(count))
        for vocabulary, count in zip(words, count_N, strict=True)
    ]


def _zipf(count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Ranks with a probability of about 1 / rank."""
    return (WORDS ** random.random(count)).astype(np.int64) - 1


def read_texts(path: Path, most: int) -> Iterator[str]:
    """Queries and passages of the first rows, to learn a vocabulary from."""
    with path.open(encoding="utf-8") as file:
        for line, _ in zip(file, range(most), strict=False):
            row = json.loads(line)
            yield from (row["query"], row["passage"])
