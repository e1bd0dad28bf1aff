import random
import tracemalloc
from itertools import compress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lingmix.data.sources.stored_corpus import stored_passages
from lingmix.data.text_column import Repeated, TextColumn, mapped
from lingmix.errors import InputError

TEXTS = ("a", "", "ไทย", "b", "b", "c", "d")
MASKS = ["1111111", "0000000", "0110010", "1000001"]


def column(*chunks: tuple[str, ...]) -> TextColumn:
    return TextColumn(pa.chunked_array(chunks, pa.large_string()))


def mask(bits: str) -> np.ndarray:
    return np.array([bit == "1" for bit in bits])


@pytest.fixture(params=[(TEXTS,), (TEXTS[:2], (), TEXTS[2:6], TEXTS[6:])], ids=["one", "chunks"])
def texts(request) -> TextColumn:
    return column(*request.param)


def test_a_column_reads_as_the_tuple_of_its_texts(texts: TextColumn) -> None:
    assert len(texts) == len(TEXTS)
    assert tuple(texts) == TEXTS
    assert [texts[i] for i in range(-7, 7)] == [TEXTS[i] for i in range(-7, 7)]
    for bounds in [(0, 7), (1, 3), (5, 2), (-2, None), (None, None, 2), (None, None, -1), (9, 12)]:
        assert texts[slice(*bounds)] == TEXTS[slice(*bounds)]
    assert "c" in texts and texts.index("c") == 5
    with pytest.raises(IndexError):
        texts[7]


def test_texts_are_taken_in_the_order_asked_for_repeats_included(texts: TextColumn) -> None:
    positions = [6, 2, 2, 0, 5, 1]
    assert texts.take(np.array(positions)) == [TEXTS[i] for i in positions]
    assert texts.take(np.array([], int)) == []
    for outside in (-1, 7):
        with pytest.raises(IndexError):
            texts.take(np.array([0, outside]))


@pytest.mark.parametrize("bits", MASKS)
def test_a_mask_keeps_what_compress_keeps(texts: TextColumn, bits: str) -> None:
    assert tuple(texts.where(mask(bits))) == tuple(compress(TEXTS, mask(bits)))


def test_positions_are_those_of_the_texts_that_occur(texts: TextColumn) -> None:
    assert texts.positions({"ไทย", "d", "", "x"}) == {"ไทย": 2, "d": 6, "": 1}


def test_a_repeated_text_is_found_wherever_it_is() -> None:
    assert column(("a", "b"), ("c", "a")).repeated() == "a"
    assert column(TEXTS).repeated() == "b"
    assert column(("a", "b"), ("c", "A")).repeated() is None
    assert column().repeated() is None


@pytest.mark.parametrize("bits", MASKS)
def test_repeats_read_as_the_values_in_a_row(bits: str) -> None:
    languages, plain = Repeated(["de", "en", "zh"], [2, 0, 5]), ("de",) * 2 + ("zh",) * 5
    assert tuple(languages) == plain
    assert [languages[i] for i in range(-7, 7)] == [plain[i] for i in range(-7, 7)]
    assert languages[1:6] == plain[1:6]
    assert languages[::-2] == plain[::-2]
    assert np.asarray(languages).tolist() == list(plain)
    assert np.isin(languages, ["de"]).tolist() == [True] * 2 + [False] * 5
    assert tuple(languages.where(mask(bits))) == tuple(compress(plain, mask(bits)))
    with pytest.raises(IndexError):
        languages[7]


def test_stored_texts_take_no_memory(tmp_path: Path) -> None:
    def rows():
        return ((f"en:{number}", f"text {number} " * 40) for number in range(100_000))

    corpus = {tmp_path / "en.arrow": ("en", rows)}
    stored_passages(corpus)
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    texts = stored_passages(corpus).texts
    shuffled = random.Random(0).sample(range(100_000), 1_000)
    assert texts.take(np.array(shuffled)) == [f"text {number} " * 40 for number in shuffled]
    assert sum(map(len, texts)) == sum(40 * len(f"text {number} ") for number in range(100_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23 < sum(map(len, texts)) / 4
    assert pa.total_allocated_bytes() - before < 2**23


def test_passages_are_read_once_and_lie_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "de.arrow"
    first = stored_passages({path: ("de", lambda: [("1", "eins"), ("2", "zwei")])})

    def again():
        raise AssertionError("read twice")

    second = stored_passages({path: ("de", again)})
    for passages in (first, second):
        assert tuple(passages.ids) == ("1", "2")
        assert tuple(passages.texts) == ("eins", "zwei")
        assert tuple(passages.languages) == ("de", "de")


def test_an_unfinished_corpus_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "de.arrow"

    def interrupted():
        yield "1", "eins"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stored_passages({path: ("de", interrupted)})
    assert not path.exists()
    assert tuple(stored_passages({path: ("de", lambda: [("2", "zwei")])}).ids) == ("2",)


def test_a_passage_id_taken_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "de.arrow"
    rows = [("1", "eins"), ("2", "zwei"), ("1", "drei")]
    with pytest.raises(InputError, match=f"^{path}: passage id '1' occurs twice"):
        stored_passages({path: ("de", lambda: rows)})
    assert not path.exists()


def test_a_file_that_is_no_arrow_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "de.arrow"
    path.write_bytes(b"ARROW1 and no more")
    with pytest.raises(InputError, match=f"^{path}: not a whole Arrow file; remove it"):
        mapped(path)
