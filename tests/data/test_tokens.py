import errno
import os
import resource
from types import SimpleNamespace

import numpy as np
import pytest

from lingmix.data.items import Item, LanguagePair
from lingmix.data.tokens import keep_tokens, keep_tokens_of_rows, read_part
from lingmix.errors import InputError
from tests.columns import columns_of


def letters(texts, role):
    return [[len(role), *map(ord, text)] for text in texts]


def kept(folder, texts=("ab", "", "c"), role="query", tokenize=letters, tokenizer="letters"):
    return keep_tokens(texts, role, tokenize=tokenize, tokenizer=tokenizer, folder=folder)


def test_texts_are_taken_without_padding_in_the_order_asked_for(tmp_path):
    tokens = kept(tmp_path).take(np.array([2, 0, 1]))
    assert tokens.ids_T.tolist() == [5, 99, 5, 97, 98, 5]
    assert tokens.lengths_B.tolist() == [2, 3, 1]


def test_the_same_texts_are_tokenised_once(tmp_path):
    calls = []

    def counted(texts, role):
        calls.append(role)
        return letters(texts, role)

    for _ in range(2):
        kept(tmp_path, tokenize=counted)
    assert calls == ["query"]


def test_another_role_text_or_tokenizer_is_kept_apart(tmp_path):
    for changes in ({}, {"role": "passage"}, {"texts": ("ab", "c", "")}, {"tokenizer": "other"}):
        kept(tmp_path, **changes)
    assert len(list(tmp_path.glob("*.arrow"))) == 4


def test_no_texts_give_no_tokens(tmp_path):
    assert kept(tmp_path).take(np.array([], dtype=np.int64)).ids_T.tolist() == []


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_file_that_was_cut_is_made_anew(tmp_path, share):
    whole = kept(tmp_path)
    (path,) = tmp_path.glob("*.arrow")
    content = path.read_bytes()
    del whole
    os.truncate(path, int(share * len(content)))
    assert kept(tmp_path).take(np.array([0])).ids_T.tolist() == [5, 97, 98]
    assert path.read_bytes() == content


def test_a_full_disk_is_told_with_the_file(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as full:
            kept(tmp_path, ["ab" * 4096])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert full.value.errno == errno.EFBIG
    assert full.value.filename.startswith(f"{tmp_path}/")
    assert full.value.filename.endswith(".arrow")
    assert not list(tmp_path.glob("*.part"))


def test_what_ends_before_it_is_whole_leaves_nothing_behind(tmp_path):
    def stopped(texts, role):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path, tokenize=stopped)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


def shard(n: int) -> list[Item]:
    return [
        Item(f"{n}", "", {"en": (f"q{n}",)}, {"de": ("c",), "fr": ("d",)}),
        Item(f"{n}b", "", {"en": (f"q{n}",)}, {"de": (f"p{n}",)}, {"de": ("x",)}),
    ]


def of_rows(folder, *shards, tokenize=letters, languages=("de", "en")):
    columns = columns_of(*shards)
    store = keep_tokens_of_rows(
        columns, languages=languages, tokenize=tokenize, tokenizer="letters", folder=folder
    )
    return columns, store


def test_texts_of_columns_are_tokenised_in_their_role_and_once_in_a_shard(tmp_path):
    columns, store = of_rows(tmp_path, shard(0), shard(1))
    expected = {"q": 5, "c": 7, "p": 7, "x": 7}
    assert len(store) == len(columns.texts) == 12
    for row, text in enumerate(columns.texts):
        again = columns.first_T[row] in {*range(row)} & {*range(row // 6 * 6, row)}
        ids = [] if text == "d" or again else [expected[text[0]], *map(ord, text)]
        assert store.take(np.array([row])).ids_T.tolist() == ids, (row, text)


@pytest.mark.parametrize(("largest", "size"), [(2**16 - 1, 2), (2**16, 4)])
def test_ids_take_as_many_bytes_as_the_largest_needs(tmp_path, largest, size):
    of_rows(tmp_path, shard(0), tokenize=lambda texts, role: [[1, largest]] * len(texts))
    (path,) = tmp_path.glob("*.arrow")
    assert read_part(path).ids.itemsize == size


def test_a_stopped_tokenisation_goes_on_with_the_part_it_was_at(tmp_path):
    seen: list[str] = []

    def stopping(texts, role):
        seen.extend(texts)
        if "q1" in texts:
            raise KeyboardInterrupt
        return letters(texts, role)

    with pytest.raises(KeyboardInterrupt):
        of_rows(tmp_path, shard(0), shard(1), tokenize=stopping)
    assert {"q0", "q1"} <= {*seen}
    later: list[str] = []
    of_rows(tmp_path, shard(0), shard(1), tokenize=lambda *a: later.extend(a[0]) or letters(*a))
    assert sorted(later) == ["c", "p1", "q1", "x"]


def test_tokens_that_do_not_fit_are_refused_once_the_first_part_says_how_many(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(
        InputError, match=r"training data, 2 parts like the first, of 0\.0 MiB, need"
    ):
        of_rows(tmp_path, shard(0), shard(1), shard(2))
    assert len([*tmp_path.glob("*.arrow")]) == 1


def test_a_text_of_two_languages_has_tokens_in_the_one_that_is_chosen(tmp_path):
    columns = columns_of(
        [Item(code, "", {code: ("q",)}, {code: ("Berlin",)}) for code in ("de", "en")]
    )
    store = keep_tokens_of_rows(
        columns, languages=["en"], tokenize=letters, tokenizer="letters", folder=tmp_path
    )
    (row,) = columns.passage_N[[*columns.rows_of[LanguagePair("en", "en")]]]
    assert store.take(np.array([row])).ids_T.tolist() == [7, *map(ord, "Berlin")]
