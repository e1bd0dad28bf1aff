"""Vocabularies learned from texts, and what a role adds to a text."""

import multiprocessing
import os
import random

import pytest
from tokenizers import Tokenizer

from lingmix.model import unigram
from lingmix.model.unigram import learn_unigram
from tests.model.conftest import TEXTS

SYLLABLES = {
    "latin": ["ka", "ro", "min", "tel", "sa"],
    "chinese": ["日", "本", "通", "貨", "東"],
    "thai": ["สกุล", "เงิน", "เยน", "คือ"],
}


def made_texts() -> list[str]:
    """200 texts a script, of often repeated words that stand without spaces but in Latin."""
    draw = random.Random(0)
    texts = []
    for script, syllables in SYLLABLES.items():
        words = ["".join(draw.choices(syllables, k=3)) for _ in range(60)]
        space = " " if script == "latin" else ""
        texts += [space.join(draw.choices(words, k=6)) for _ in range(200)]
    return texts


MADE = made_texts()
MANY = [*TEXTS, *MADE]


def learn(texts, cache, vocabulary=500) -> Tokenizer:
    return learn_unigram(texts, vocabulary=vocabulary, special_tokens=["[UNK]"], cache=cache)


def test_the_same_texts_in_any_order_give_the_same_vocabulary(tmp_path):
    shuffled = random.Random(0).sample([*MANY, *MANY], k=2 * len(MANY))
    one, other = learn(MANY, tmp_path / "a"), learn(shuffled, tmp_path / "b")
    assert one.to_str() == other.to_str()
    assert [path.name for path in sorted((tmp_path / "a").glob("*.json"))] == [
        path.name for path in sorted((tmp_path / "b").glob("*.json"))
    ]


def test_a_vocabulary_has_the_size_asked_for_with_special_tokens_first(tmp_path):
    tokenizer = learn_unigram(
        MANY, vocabulary=450, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], cache=tmp_path
    )
    assert tokenizer.get_vocab_size() == 450
    assert [tokenizer.id_to_token(n) for n in range(5)] == [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "<0x00>",
    ]


@pytest.mark.parametrize("vocabulary", [270, 500])
def test_nothing_is_unknown_in_any_script(tmp_path, vocabulary):
    tokenizer = learn(MANY, tmp_path, vocabulary)
    encoded = tokenizer.encode("日本 🙂 ꙮ ภาษาไทย Ωmega [x]")
    assert tokenizer.token_to_id("[UNK]") not in encoded.ids
    assert "<0xF0>" in encoded.tokens
    assert tokenizer.encode("🙂").ids != tokenizer.encode("🙃").ids


def test_scripts_without_spaces_are_cut_into_pieces(tmp_path):
    tokenizer = learn(MANY, tmp_path, 700)
    for text in (MADE[200], MADE[400]):
        assert 2 < len(tokenizer.encode(text).ids) < len(text) / 1.5


def test_texts_are_normalised(tmp_path):
    tokenizer = learn(MANY, tmp_path)
    assert tokenizer.encode("ＪＡＰＡＮ ①").ids == tokenizer.encode("JAPAN 1").ids


def test_a_vocabulary_is_learned_once(tmp_path, monkeypatch):
    first = learn(MANY, tmp_path)
    monkeypatch.delattr(unigram, "_train")
    assert learn(MANY, tmp_path).to_str() == first.to_str()
    with pytest.raises(NameError):
        learn(MANY, tmp_path, vocabulary=501)
    with pytest.raises(NameError):
        learn([*MANY, "another text"], tmp_path)


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_vocabulary_whose_file_was_cut_is_learned_again(tmp_path, share):
    first = learn(MANY, tmp_path)
    (path,) = tmp_path.glob("*.json")
    content = path.read_bytes()
    os.truncate(path, int(share * len(content)))
    assert learn(MANY, tmp_path).to_str() == first.to_str()
    assert path.read_bytes() == content


def _learn_and_tell(cache, trained):
    train = unigram._train
    unigram._train = lambda *given, **named: (trained.put(os.getpid()), train(*given, **named))[1]
    learn(MANY, cache)


def test_processes_at_once_learn_a_vocabulary_once(tmp_path):
    fork = multiprocessing.get_context("fork")
    trained = fork.Queue()
    processes = [fork.Process(target=_learn_and_tell, args=(tmp_path, trained)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert trained.get(timeout=1)
    assert trained.empty()
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_only_a_sample_is_learned_from_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(unigram, "SAMPLE", 300)
    sample, _ = unigram._sample(MANY)
    assert 300 <= sum(map(len, sample)) < 300 + max(map(len, MANY))
    assert set(sample) < set(MANY)


def test_a_forked_process_can_tokenize_after_its_parent_did(load):
    encoder = load("tiny")
    expected = encoder.tokenize(MANY, "query")
    fork = multiprocessing.get_context("fork")
    results = fork.Queue()
    child = fork.Process(target=lambda: results.put(encoder.tokenize(MANY, "query") == expected))
    child.start()
    assert results.get(timeout=60)
    child.join(60)


def test_a_role_adds_its_prompt_and_cuts_at_its_length_with_special_tokens(load):
    encoder = load(
        "tiny",
        prompts={"query": "find: ", "passage": ""},
        max_length={"query": 6, "passage": 8},
    )
    plain = load("tiny")
    (whole,) = plain.tokenize(["find: " + TEXTS[1]], "query")
    assert encoder.tokenize([TEXTS[1]], "query") == [[*whole[:5], whole[-1]]]
    (whole,) = plain.tokenize([TEXTS[1]], "passage")
    assert encoder.tokenize([TEXTS[1]], "passage") == [[*whole[:7], whole[-1]]]
    assert (whole[0], whole[-1]) == (2, 3)


def test_a_static_encoder_adds_no_special_tokens(load):
    (ids,) = load("static").tokenize(["Japan"], "query")
    assert not {0, 1, 2, 3} & set(ids) - {0}
    assert load("static").tokenize([""], "query") == [[]]
