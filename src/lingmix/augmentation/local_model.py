"""A language model on this machine, read by Transformers: causal or seq2seq, also from GGUF."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from lingmix.augmentation.batches import fingerprint, in_batches
from lingmix.augmentation.journal import Journal
from lingmix.augmentation.requests import Answer, Request, digest
from lingmix.errors import library_failure
from lingmix.ranges import Count, NotNegative

if TYPE_CHECKING:  # seconds of imports
    import torch

CUT_OFF = "cut off"


class LocalModel:
    """Answers requests greedily, or by sampling where `temperature` is above 0.

    `gguf` names the file of a folder or repository that has weights in that form. The same requests
    get the same answers: a sample is drawn from the seed and the batch.
    """

    structured = False

    def __init__(
        self,
        *,
        model: str,
        gguf: str | None,
        revision: str | None,
        kind: str,
        temperature: NotNegative,
        max_tokens: Count,
        batch_size: Count,
        seed: int,
        journal: Journal,
    ) -> None:
        self.name = fingerprint(model, revision)
        self._source = {"revision": revision} | ({"gguf_file": gguf} if gguf else {})
        self._model, self._kind = model, kind
        self._settings = {"temperature": temperature, "max_tokens": max_tokens, "seed": seed}
        self._batch_size = batch_size
        self._journal = journal

    def request(
        self, prompt: Sequence[Mapping[str, str]], schema: Mapping[str, Any] | None
    ) -> Request:
        """Return the request; a local model is asked for lines, never for JSON."""
        return Request({"model": self.name, "messages": [*prompt], **self._settings})

    def __call__(self, requests: Sequence[Request]) -> list[Answer]:
        sizes = [sum(len(one["content"]) for one in r.payload["messages"]) for r in requests]
        return in_batches(
            requests, self._journal, sizes=sizes, batch_size=self._batch_size, answer=self._generate
        )

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """The tokenizer and the model, which are read only if something is left to answer."""
        from transformers import (  # noqa: PLC0415 - seconds of imports
            AutoModelForCausalLM,
            AutoModelForSeq2SeqLM,
            AutoTokenizer,
            utils,
        )

        utils.logging.disable_progress_bar()

        kinds = {"causal": AutoModelForCausalLM, "seq2seq": AutoModelForSeq2SeqLM}
        with library_failure(
            f"backend.model: {self._model} cannot be read as a {self._kind} model"
        ):
            tokenizer = AutoTokenizer.from_pretrained(self._model, **self._source)
            model = kinds[self._kind].from_pretrained(
                self._model, dtype="float32", use_safetensors=True, **self._source
            )
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer, model.eval()

    def _text(self, tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> str:
        if tokenizer.chat_template:
            return str(
                tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
            )
        return "\n\n".join(one["content"] for one in messages) + "\n"

    def _generate(self, asked: Sequence[Request]) -> list[Answer]:
        import torch  # noqa: PLC0415 - seconds of imports

        tokenizer, model = self._loaded
        texts = [self._text(tokenizer, one.payload["messages"]) for one in asked]
        special = not tokenizer.chat_template  # a template writes them itself
        prompts = tokenizer(texts, add_special_tokens=special)["input_ids"]
        temperature = self._settings["temperature"]
        sampling = (
            {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        )
        with torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(int(digest([one.key for one in asked])[:15], 16))
            begun = _begun(model, prompts) if self._kind == "causal" else {}
            place = begun["past_key_values"].get_seq_length() if begun else 0
            given = _padded(prompts, tokenizer, place if self._kind == "causal" else None)
            made = model.generate(
                **given,
                **begun,
                max_new_tokens=self._settings["max_tokens"],
                pad_token_id=tokenizer.pad_token_id,
                **sampling,
            )
        written = given["input_ids"].shape[1] if self._kind == "causal" else 1  # the start token
        ends = {*_ids(model.generation_config.eos_token_id)}
        return [
            Answer(
                tokenizer.decode(row, skip_special_tokens=True).strip(),
                "" if ends.intersection(row) else CUT_OFF,
            )
            for row in made[:, written:].tolist()
        ]


def _begun(model: Any, prompts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """What the model makes of the tokens that all prompts begin with, instruction and examples,
    computed once for all of them. Nothing for models that do not attend to all that came before,
    in which padding between the tokens would count."""
    import torch  # noqa: PLC0415 - seconds of imports
    from transformers.cache_utils import DynamicCache, DynamicLayer  # noqa: PLC0415

    cache = DynamicCache(config=model.config)
    beginnings = zip(*(one[:-1] for one in prompts), strict=False)
    shared = [ids[0] for ids in takewhile(lambda ids: len({*ids}) == 1, beginnings)]
    if (
        not shared
        or model._is_stateful
        or any(type(one) is not DynamicLayer for one in cache.layers)
    ):
        return {}
    model.base_model(input_ids=torch.tensor([shared]), past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(prompts))
    return {"past_key_values": cache}


def _padded(
    prompts: Sequence[Sequence[int]], tokenizer: Any, place: int | None
) -> dict[str, "torch.Tensor"]:
    """Rows of one length, with padding after `place` tokens; at the end where that is None."""
    import torch  # noqa: PLC0415 - seconds of imports

    longest = max(map(len, prompts))
    rows, masks = [], []
    for one in prompts:
        at, gap = len(one) if place is None else place, longest - len(one)
        rows.append([*one[:at], *[tokenizer.pad_token_id] * gap, *one[at:]])
        masks.append([1] * at + [0] * gap + [1] * (len(one) - at))
    return {"input_ids": torch.tensor(rows), "attention_mask": torch.tensor(masks)}


def _ids(value: int | list[int] | None) -> list[int]:
    return value if isinstance(value, list) else [] if value is None else [value]
