"""Translators: Marian, M2M-100, NLLB and MADLAD by CTranslate2, or by Transformers as reference."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from lingmix.augmentation.batches import fingerprint, in_batches
from lingmix.augmentation.journal import Journal
from lingmix.augmentation.requests import Answer, Request
from lingmix.data.file_cache import keep_folder
from lingmix.errors import InputError, library_failure
from lingmix.ranges import Count

Text = tuple[str, str, str]
"""A text, its language, and the language that it is translated into."""


class Translator:
    """Translates greedily with the model in a folder, or of a Hugging Face name.

    `codes` has the model's code of each language, as `eng_Latn` of NLLB. `target` says how the
    model learns what to write: by the first `token` written (NLLB, M2M-100), by a `prefix` of the
    source (MADLAD; Marian models of several targets), or not at all (`none`: Marian of one pair).
    `engine` ctranslate2 converts the model once, into `cache`.
    """

    def __init__(
        self,
        *,
        model: str,
        revision: str | None,
        codes: dict[str, str],
        target: Literal["token", "prefix", "none"],
        prefix: str,
        engine: Literal["ctranslate2", "transformers"],
        max_tokens: Count,
        batch_size: Count,
        cache: str | Path,
        journal: Journal,
    ) -> None:
        self.name = f"{fingerprint(model, revision)}/{engine}"
        self._model, self._revision = model, revision
        self._codes, self._target, self._prefix = codes, target, prefix
        self._engine = engine
        self._max_tokens, self._batch_size = max_tokens, batch_size
        self._cache, self._journal = Path(cache), journal

    def __call__(self, texts: Sequence[Text]) -> list[Answer]:
        for language in {language for _, *pair in texts for language in pair}:
            self._code(language)
        asked = [
            Request({"model": self.name, "text": text, "from": source, "to": target})
            for text, source, target in texts
        ]
        answers: list[Answer] = [Answer("")] * len(texts)
        for source, target in sorted({text[1:] for text in texts}):  # a batch is of one
            rows = [row for row, text in enumerate(texts) if text[1:] == (source, target)]
            found = in_batches(
                [asked[row] for row in rows],
                self._journal,
                sizes=[len(texts[row][0]) for row in rows],
                batch_size=self._batch_size,
                answer=self._translate,
            )
            for row, answer in zip(rows, found, strict=True):
                answers[row] = answer
        return answers

    def _code(self, language: str) -> str:
        if language not in self._codes:
            raise InputError(
                f"translator.codes: must name every language, got none for {language!r}; there are "
                f"{', '.join(self._codes)}"
            )
        return self._codes[language]

    def _translate(self, asked: Sequence[Request]) -> list[Answer]:
        source, target = (self._code(asked[0].payload[key]) for key in ("from", "to"))
        written = self._prefix.format(code=target) if self._target == "prefix" else ""
        texts = [f"{written}{one.payload['text']}" for one in asked]
        tokenizer = self._tokenizer
        if self._target == "token":
            tokenizer.src_lang = source
        made = self._generate(tokenizer(texts)["input_ids"], target)
        return [Answer(text, "" if text else "nothing was written") for text in made]

    @property
    def _generate(self) -> Callable[[list[list[int]], str], list[str]]:
        return self._by_ctranslate2 if self._engine == "ctranslate2" else self._by_transformers

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer  # noqa: PLC0415 - seconds of imports

        with library_failure(f"translator.model: {self._model} has no tokenizer that can be read"):
            return AutoTokenizer.from_pretrained(self._model, revision=self._revision)

    def _target_id(self, target: str) -> int:
        tokenizer = self._tokenizer
        names = getattr(tokenizer, "lang_code_to_token", None)  # of M2M-100: en is __en__
        token = names.get(target) if isinstance(names, dict) else target
        id = tokenizer.convert_tokens_to_ids(token) if token else None
        if id is None or id == tokenizer.unk_token_id:
            raise InputError(f"translator.codes: {self._model} has no language {target!r}")
        return int(id)

    def _by_ctranslate2(self, ids: list[list[int]], target: str) -> list[str]:
        tokenizer = self._tokenizer
        tokens = [tokenizer.convert_ids_to_tokens(row) for row in ids]
        named = [self._target_id(target)] if self._target == "token" else []
        first = tokenizer.convert_ids_to_tokens(named)
        found = self._converted.translate_batch(
            tokens,
            target_prefix=[first] * len(ids) if first else None,
            beam_size=1,
            max_decoding_length=self._max_tokens,
        )
        return [
            self._decoded(tokenizer.convert_tokens_to_ids(one.hypotheses[0][len(first) :]))
            for one in found
        ]

    def _by_transformers(self, ids: list[list[int]], target: str) -> list[str]:
        import torch  # noqa: PLC0415 - seconds of imports

        tokens = self._tokenizer.pad({"input_ids": ids}, return_tensors="pt")
        first = {"forced_bos_token_id": self._target_id(target)} if self._target == "token" else {}
        with torch.inference_mode():
            made = self._original.generate(
                **tokens, num_beams=1, do_sample=False, max_new_tokens=self._max_tokens, **first
            )
        skipped = 2 if first else 1  # what starts the decoder, and the language
        return [self._decoded(row[skipped:].tolist()) for row in made]

    def _decoded(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()

    @cached_property
    def _original(self) -> Any:
        from transformers import AutoModelForSeq2SeqLM  # noqa: PLC0415 - seconds of imports

        with library_failure(f"translator.model: {self._model} cannot be read"):
            return AutoModelForSeq2SeqLM.from_pretrained(
                self._model, revision=self._revision, dtype="float32", use_safetensors=True
            ).eval()

    @cached_property
    def _converted(self) -> Any:
        with library_failure("translator: needs `pip install lingmix[augment]`"):
            import ctranslate2  # noqa: PLC0415 - an extra

        def convert(folder: Path) -> None:
            converter = ctranslate2.converters.TransformersConverter(
                self._model, revision=self._revision, low_cpu_mem_usage=True
            )
            converter.load_tokenizer = _tokenizer_with_languages
            with library_failure(f"translator.model: {self._model} cannot be converted"):
                converter.convert(str(folder), force=True)

        def read(folder: Path) -> Any:
            if not folder.is_dir():  # CTranslate2's own error is of no kind
                raise FileNotFoundError(folder)
            return ctranslate2.Translator(str(folder), device="cpu")

        folder = self._cache / self.name.replace("/", "-")
        return keep_folder(folder, read=read, write=convert)


def _tokenizer_with_languages(kind: Any, name: str, **given: Any) -> Any:
    """The tokenizer that CTranslate2 reads the vocabulary of: since Transformers 5 that of M2M-100
    no longer lists its languages among the special tokens, where CTranslate2 4.8 looks for them."""
    tokenizer = kind.from_pretrained(name, **given)
    if languages := getattr(tokenizer, "lang_token_to_id", None):
        listed = tokenizer.get_vocab()
        tokenizer.get_vocab = lambda: listed | languages
    return tokenizer
