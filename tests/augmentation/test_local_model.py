"""A language model on this machine: tiny ones with weights that are drawn, through real loading."""

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
)

from lingmix.augmentation.journal import Journal
from lingmix.augmentation.local_model import LocalModel

WORDS = [f"w{n}" for n in range(30)]
BEGINNING = " ".join(WORDS[:12])
PROMPTS = [f"{BEGINNING} {' '.join(WORDS[n : n + 1 + 2 * n])}" for n in range(7)]
SIZES = {
    "vocab_size": len(WORDS) + 2,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "initializer_range": 0.6,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": 1,
}
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SIZES)),
    "sliding window": (MistralForCausalLM, MistralConfig(**SIZES, sliding_window=4)),
}


@pytest.fixture(params=MODELS)
def folder(request, tmp_path):
    vocabulary = {word: n for n, word in enumerate(["</s>", "<pad>", *WORDS])}
    words = Tokenizer(WordLevel(vocabulary))
    words.pre_tokenizer = WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=words,
        eos_token="</s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
    ).save_pretrained(tmp_path)
    torch.manual_seed(0)
    kind, config = MODELS[request.param]
    kind(config).save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def answered(folder, tmp_path):
    """The texts of the answers to `PROMPTS`, so many at once."""

    def of(batch_size: int) -> list[str]:
        (at := tmp_path / f"journal-{batch_size}").mkdir()
        model = LocalModel(
            model=str(folder),
            gguf=None,
            revision=None,
            kind="causal",
            temperature=0.0,
            max_tokens=8,
            batch_size=batch_size,
            seed=0,
            journal=Journal(at),
        )
        requests = [model.request([{"role": "user", "content": one}], None) for one in PROMPTS]
        return [one.text for one in model(requests)]

    return of


def greedy(folder, prompt: str) -> str:
    """The most likely token again and again, each time of all that came before."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer(prompt + "\n")["input_ids"]
    begin = len(ids)
    for _ in range(8):
        with torch.inference_mode():
            ids.append(model(torch.tensor([ids])).logits[0, -1].argmax().item())
        if ids[-1] == 0:
            break
    return tokenizer.decode(ids[begin:], skip_special_tokens=True).strip()


def test_prompts_of_one_beginning_are_answered_together_as_each_alone(folder, answered):
    expected = [greedy(folder, one) for one in PROMPTS]
    assert len({*expected}) > 3
    assert answered(1) == answered(4) == expected
