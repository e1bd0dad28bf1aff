"""Translation by small models of real architectures, through their real loading and generation."""

import json

import pytest
import sentencepiece
import torch
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Tokenizer,
    MarianConfig,
    MarianMTModel,
    MarianTokenizer,
    NllbTokenizer,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from lingmix.augmentation.journal import Journal
from lingmix.augmentation.translation import Translate
from lingmix.augmentation.translators import Translator
from lingmix.errors import InputError
from tests.augmentation.made import bench, draft

WORDS = [f"{a}{b}" for a in ("ba", "ko", "mi", "tu", "re") for b in ("na", "so", "li", "pe")]
TEXTS = [" ".join(WORDS[n : n + 2 + n % 7]) for n in range(12)]
SIZES = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 64,
    "init_std": 0.5,
}


@pytest.fixture(scope="module")
def spm(tmp_path_factory):
    """A SentencePiece model and its pieces."""
    folder = tmp_path_factory.mktemp("spm")
    (folder / "text.txt").write_text("\n".join(TEXTS * 5))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text.txt"), model_prefix=str(folder / "m"), vocab_size=34
    )
    found = sentencepiece.SentencePieceProcessor(model_file=str(folder / "m.model"))
    pieces = [found.id_to_piece(n) for n in range(found.vocab_size())]
    return folder / "m.model", [one for one in pieces if one not in ("<unk>", "<s>", "</s>")]


@pytest.fixture(scope="module")
def marian(spm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("marian")
    model, pieces = spm
    vocab = {piece: n for n, piece in enumerate(["</s>", "<unk>", *pieces, "<pad>"])}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    tokenizer = MarianTokenizer(str(model), str(model), str(folder / "vocab.json"))
    pad = vocab["<pad>"]
    config = MarianConfig(
        **SIZES,
        vocab_size=len(vocab),
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=0,
        forced_eos_token_id=None,
        decoder_vocab_size=len(vocab),
    )
    return saved(folder, tokenizer, MarianMTModel, config)


@pytest.fixture(scope="module")
def m2m100(spm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("m2m100")
    model, pieces = spm
    vocab = {piece: n for n, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *pieces])}
    (folder / "v.json").write_text(json.dumps(vocab))
    tokenizer = M2M100Tokenizer(str(folder / "v.json"), str(model))
    return saved(folder, tokenizer, M2M100ForConditionalGeneration, of_m2m(len(vocab) + 108))


@pytest.fixture(scope="module")
def nllb(spm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nllb")
    _, pieces = spm
    vocab = {piece: n for n, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *pieces])}
    tokenizer = NllbTokenizer(vocab=vocab, merges=[], src_lang="eng_Latn")
    return saved(folder, tokenizer, M2M100ForConditionalGeneration, of_m2m(len(tokenizer)))


@pytest.fixture(scope="module")
def madlad(spm, tmp_path_factory):
    """T5 1.1, which a prefix of the source tells the language to write."""
    _, pieces = spm
    vocab = ["<pad>", "</s>", "<unk>", *pieces, "<2de>", "<2en>"]
    tokenizer = T5Tokenizer(
        vocab=[(piece, -float(n)) for n, piece in enumerate(vocab)],
        extra_ids=0,
        additional_special_tokens=vocab[-2:],
    )
    config = T5Config(
        vocab_size=len(vocab),
        **{"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2},
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        initializer_factor=5.0,
        decoder_start_token_id=0,
    )
    folder = tmp_path_factory.mktemp("madlad")
    return saved(folder, tokenizer, T5ForConditionalGeneration, config)


def of_m2m(size):
    return M2M100Config(
        **SIZES,
        vocab_size=size,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
    )


def saved(folder, tokenizer, kind, config):
    torch.manual_seed(0)
    tokenizer.save_pretrained(folder)
    model = kind(config).eval()
    with torch.no_grad():  # else languages, which are most of the vocabulary, are what is written
        model.get_input_embeddings().weight[40:] *= 0.3
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def translator(tmp_path):
    """A function that builds one with a journal of its own."""
    journals = []

    def built(model, engine, **given):
        place = tmp_path / f"journal-{len(journals)}"
        place.mkdir()
        journals.append(Journal(place))
        usual = {"codes": {"en": "en", "de": "de"}, "target": "none", "prefix": ""}
        return Translator(
            model=str(model),
            revision=None,
            engine=engine,
            max_tokens=20,
            batch_size=4,
            cache=tmp_path / "cache",
            journal=journals[-1],
            **usual | given,
        )

    yield built
    for one in journals:
        one.close()


NLLB = {"codes": {"en": "eng_Latn", "de": "deu_Latn"}, "target": "token"}
MADLAD = {"target": "prefix", "prefix": "<2{code}> "}
KINDS = [("marian", {}), ("m2m100", {"target": "token"}), ("nllb", NLLB), ("madlad", MADLAD)]


@pytest.mark.parametrize(("kind", "given"), KINDS)
def test_ctranslate2_writes_what_transformers_writes_greedily(translator, request, kind, given):
    folder = request.getfixturevalue(kind)
    asked = [(text, "en", "de") for text in TEXTS]
    ours, reference = (
        translator(folder, engine, **given)(asked) for engine in ("ctranslate2", "transformers")
    )
    assert ours == reference
    assert len({one.text for one in ours}) > 2


@pytest.mark.parametrize(("kind", "given"), KINDS[1:])
def test_the_target_language_decides_what_is_written(translator, request, kind, given):
    there = translator(request.getfixturevalue(kind), "ctranslate2", **given)
    german, english = (there([(text, "en", target) for text in TEXTS]) for target in ("de", "en"))
    assert german != english


def test_what_was_translated_is_in_the_journal_and_not_translated_again(translator, marian):
    there = translator(marian, "ctranslate2")
    first = there([(text, "en", "de") for text in TEXTS])
    there._translate = None
    assert there([(text, "en", "de") for text in TEXTS[::-1]]) == first[::-1]


def test_a_language_without_a_code_and_one_unknown_to_the_model_are_named(translator, nllb):
    with pytest.raises(InputError, match=r"translator\.codes: must name every language, got"):
        translator(nllb, "ctranslate2", **NLLB)([("text", "en", "tlh")])
    codes = {"en": "eng_Latn", "tlh": "tlh_Latn"}
    with pytest.raises(InputError, match=r"translator\.codes: .* has no language 'tlh_Latn'"):
        translator(nllb, "ctranslate2", target="token", codes=codes)([(TEXTS[0], "en", "tlh")])


def test_a_draft_gets_what_it_lacks_in_each_language(translator, marian):
    given = bench(translate=translator(marian, "ctranslate2"))
    one = draft("a", en=TEXTS[0]).with_queries("en", [TEXTS[1]])
    both = draft("b", en=TEXTS[0], de="da").with_queries("en", [TEXTS[1]])
    step = Translate(languages=["de", "en"], sides=["queries", "passages"], source="en")
    first, second = step([one, both], given).drafts
    assert {*first.queries} == {*first.passages} == {"en", "de"}
    assert first.queries["de"] == second.queries["de"]
    assert second.passages == both.passages
