import errno
import os
import resource

import numpy as np
import pytest

from lingmix.data.tokens import keep_tokens


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
