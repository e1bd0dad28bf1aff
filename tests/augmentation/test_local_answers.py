"""Answers of local models: with and without a chat template, of either kind, whole and cut off."""

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from lingmix.augmentation.journal import Journal
from lingmix.augmentation.local_model import CUT_OFF, LocalModel
from lingmix.augmentation.model_queries import ModelQueries
from lingmix.augmentation.requests import Answer
from lingmix.errors import InputError
from tests.augmentation.made import bench, draft

WORDS = [f"w{n}" for n in range(40)]
VOCABULARY = ["<pad>", "</s>", "<unk>", *WORDS]
ENDS = [1, *range(4, 40, 6)]
"""Ids that end an answer: with several, a model that has learned nothing ends some of its own."""
PROMPTS = [" ".join(WORDS[n : n + 1 + n % 5]) for n in range(12)]
TEMPLATE = "{% for one in messages %}{{ one.content }} w0 {% endfor %}w1"


def saved(folder, model, *, template=None):
    vocabulary = {word: n for n, word in enumerate(VOCABULARY)}
    special = {"unk_token": "<unk>", "pad_token": "<pad>", "eos_token": "</s>"}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=special["unk_token"]))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    if isinstance(model, T5ForConditionalGeneration):
        tokenizer.post_processor = TemplateProcessing(
            single="$A </s>", special_tokens=[("</s>", 1)]
        )
    whole = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    whole.chat_template = template
    whole.save_pretrained(folder)
    model.generation_config = GenerationConfig(
        eos_token_id=ENDS, pad_token_id=0, decoder_start_token_id=0
    )
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(VOCABULARY),
        **{"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1},
        **{"num_attention_heads": 2, "initializer_range": 1.0, "eos_token_id": 1},
    )
    return saved(tmp_path_factory.mktemp("causal"), LlamaForCausalLM(config))


@pytest.fixture(scope="module")
def chatting(tmp_path_factory, causal):
    model = AutoModelForCausalLM.from_pretrained(causal)
    return saved(tmp_path_factory.mktemp("chatting"), model, template=TEMPLATE)


@pytest.fixture(scope="module")
def seq2seq(tmp_path_factory):
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(VOCABULARY),
        **{"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2},
        initializer_factor=5.0,
        decoder_start_token_id=0,
    )
    return saved(tmp_path_factory.mktemp("seq2seq"), T5ForConditionalGeneration(config))


@pytest.fixture
def local(tmp_path):
    """A function that builds a back end with a journal of its own."""
    journals = []

    def built(model, **given):
        place = tmp_path / f"journal-{len(journals)}"
        place.mkdir()
        journals.append(Journal(place))
        usual = {"gguf": None, "revision": None, "kind": "causal", "temperature": 0.0}
        sizes = {"max_tokens": 6, "batch_size": 4, "seed": 0}
        return LocalModel(model=str(model), journal=journals[-1], **usual | sizes | given)

    yield built
    for one in journals:
        one.close()


def asked(model, prompts=PROMPTS):
    return [model.request([{"role": "user", "content": text}], None) for text in prompts]


def one_by_one(folder, kind, texts):
    """What Transformers writes greedily, without batches and padding."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = kind.from_pretrained(folder).eval()
    answers = []
    for text in texts:
        tokens = tokenizer(text, return_tensors="pt")
        made = model.generate(
            input_ids=tokens["input_ids"], max_new_tokens=6, do_sample=False, pad_token_id=0
        )[0]
        begun = tokens["input_ids"].shape[1] if kind is AutoModelForCausalLM else 1
        said = tokenizer.decode(made[begun:], skip_special_tokens=True).strip()
        answers.append(Answer(said, "" if made[-1].item() in ENDS else CUT_OFF))
    return answers


@pytest.mark.parametrize(
    ("kind", "loader", "written"),
    [
        ("causal", AutoModelForCausalLM, "{}\n"),
        ("chatting", AutoModelForCausalLM, "{} w0 w1"),
        ("seq2seq", AutoModelForSeq2SeqLM, "{}\n"),
    ],
)
def test_a_batch_is_answered_as_each_request_by_itself(request, local, kind, loader, written):
    folder = request.getfixturevalue(kind)
    model = local(folder, kind="seq2seq" if kind == "seq2seq" else "causal")
    answers = model(asked(model))
    assert answers == one_by_one(folder, loader, [written.format(text) for text in PROMPTS])
    assert len({one.text for one in answers}) > 3
    assert {one.failure for one in answers} == {"", CUT_OFF}


def test_what_is_in_the_journal_is_not_asked_again(local, causal):
    model = local(causal)
    first = model(asked(model))
    model._generate = None
    assert model(asked(model)[::-1]) == first[::-1]


def test_a_sample_is_drawn_from_the_seed_alone(local, causal):
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    one, same, other, greedy = (
        model(asked(model))
        for model in (
            local(causal, temperature=2.0),
            local(causal, temperature=2.0),
            local(causal, temperature=2.0, seed=1),
            local(causal),
        )
    )
    assert one == same
    assert one != other
    assert one != greedy
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_model_of_another_kind_or_none_is_one_line(local, causal, tmp_path):
    for model in (local(causal, kind="seq2seq"), local(tmp_path / "none")):
        with pytest.raises(InputError, match=r"^backend\.model: .* cannot be read as a") as caught:
            model(asked(model))
        assert "\n" not in str(caught.value)


def test_a_local_model_writes_queries_and_what_it_cannot_is_named(local, chatting):
    drafts = [draft(str(n), en=text) for n, text in enumerate(PROMPTS)]
    step = ModelQueries(
        languages=None,
        most_characters=100,
        instruction="w2 {language}",
        passage="{passage}",
        fields={"query": "w3"},
        examples={},
    )
    outcome = step(drafts, bench(drafts, answers=local(chatting)))
    queries = {one.id: one.queries["en"] for one in outcome.drafts if one.queries}
    assert queries
    assert {one.id for one in outcome.rejected} == {one.id for one in drafts} - {*queries}
    assert all(word in VOCABULARY for (text,) in queries.values() for word in text.split())
