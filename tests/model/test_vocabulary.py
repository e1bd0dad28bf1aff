"""Trimmed vocabularies: the same splits and vectors, a smaller model, the whole one again."""

import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.testing import assert_close

from lingmix.errors import InputError
from lingmix.model.tokenizer import UNLIMITED, RoleTokenizer
from lingmix.model.vocabulary import (
    ids_in_use,
    ids_of_pieces,
    keep_ids_in_use,
    restored,
    smaller_tokenizer,
    with_vocabulary,
)
from tests.model.conftest import TEXTS, ragged

USED, OTHER = TEXTS[:5], TEXTS[5:]


@pytest.fixture
def folder(load, tmp_path):
    load("tiny", prompts={"query": "query: ", "passage": ""}).save(tmp_path / "whole")
    return tmp_path / "whole"


def trimmed(encoder, tmp_path, texts=USED):
    both = [("query", texts), ("passage", texts)]
    ids = keep_ids_in_use(encoder, both, digest="of the texts", folder=tmp_path / "vocabularies")
    return with_vocabulary(encoder, ids), ids


@pytest.mark.parametrize("role", ["query", "passage"])
def test_texts_in_use_are_split_as_before_and_have_the_same_vectors(load, folder, tmp_path, role):
    whole = load(folder)
    before = whole.tokenize(USED, role)
    expected_BD = whole(ragged(before))
    smaller, ids = trimmed(load(folder), tmp_path)
    after = smaller.tokenize(USED, role)
    assert [ids[text].tolist() for text in after] == before
    assert torch.equal(smaller(ragged(after)), expected_BD)
    assert len(ids) < whole.embedder.vocabulary


def test_the_folder_is_smaller_and_has_the_same_vectors(load, folder, tmp_path):
    smaller, ids = trimmed(load(folder), tmp_path)
    smaller.save(tmp_path / "smaller")
    read = load(tmp_path / "smaller")
    assert read.embedder.vocabulary == len(ids)
    assert read.fingerprint() == smaller.fingerprint()
    assert read.tokenizer_fingerprint == smaller.tokenizer_fingerprint


def test_another_text_is_split_into_pieces_that_are_left(load, folder, tmp_path):
    smaller, ids = trimmed(load(folder), tmp_path)
    for text in smaller.tokenize(OTHER, "passage"):
        assert max(text) < len(ids)
        assert len(text) > 2, "beside the special ones"


def test_the_pieces_left_out_come_back_as_they_were(load, folder, tmp_path):
    smaller, ids = trimmed(load(folder), tmp_path)
    with torch.no_grad():
        for weight in smaller.parameters():
            weight.add_(0.01)
    whole = restored(smaller, ids, whole=load(folder))
    tokens = smaller.tokenize(USED, "query")
    assert_close(whole(ragged(whole.tokenize(USED, "query"))), smaller(ragged(tokens)))
    table, before = (
        one.embedder.model.get_input_embeddings().weight for one in (whole, load(folder))
    )
    left_out = np.setdiff1d(np.arange(len(before)), ids)
    assert torch.equal(table[left_out], before[left_out])
    assert_close(table[ids], before[ids] + 0.01)


def test_a_smaller_tokenizer_names_the_pieces_that_it_was_left_with(load, folder, tmp_path):
    smaller, ids = trimmed(load(folder), tmp_path)
    smaller.save(tmp_path / "smaller")
    read, whole = (load(tmp_path / name).tokenizer.tokenizer for name in ("smaller", "whole"))
    assert ids_of_pieces(read, whole=whole).tolist() == ids.tolist()
    with pytest.raises(InputError, match=r"vocabulary: the encoder that the run began with now"):
        ids_of_pieces(whole, whole=read)


def test_single_characters_and_the_worst_piece_are_kept_with_those_in_use():
    """Else a known character would be unknown, or an unknown one cost less."""
    worst, used = ("zz", -20.0), [("▁ab", -1.0), ("a", -5.0), ("b", -4.0)]
    rows = [("<unk>", 0.0), ("c", -9.0), *used, worst, ("▁c", -2.0)]
    tokenizer = Tokenizer(models.Unigram(rows, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    roled = RoleTokenizer(tokenizer, roles=UNLIMITED, special_tokens=False)
    ids = ids_in_use(roled, [("query", ["ab"])])
    smaller = smaller_tokenizer(tokenizer, ids)
    left = json.loads(smaller.to_str())["model"]
    assert [tuple(row) for row in left["vocab"]] == [("<unk>", 0.0), *used, worst]
    assert smaller.encode("ab").ids == [1]


def test_pieces_of_other_tokenizers_are_refused(load, folder, tmp_path):
    static = load("static")
    with pytest.raises(InputError, match=r"encoder.vocabulary: used is for transformers with"):
        trimmed(static, tmp_path)
    with pytest.raises(
        InputError, match=r"encoder.vocabulary: must be all for tiny, which learns its own"
    ):
        load("tiny", vocabulary="used")
    lora = {"rank": 2, "alpha": 2, "dropout": 0.0, "targets": ["query"]}
    with pytest.raises(InputError, match=r"encoder.vocabulary: must be all for adapters"):
        load(folder, vocabulary="used", lora=lora)
