"""A Hugging Face encoder over ragged batches: next to nothing is padded."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from lingmix.data.tokens import Tokens
from lingmix.errors import InputError
from lingmix.model.layout import MODULES, POOLING_SWITCHES, Pooling, write_json
from lingmix.model.lora import FILE as LORA_FILE
from lingmix.model.lora import merged, with_lora
from lingmix.model.micro_batches import (
    BUDGET,
    chunk_sizes,
    longest_first,
    micro_batches,
    of_device,
    split,
)
from lingmix.model.packed import Kernel, fastest_kernel, implementation, packing_of
from lingmix.model.pooling import pool
from lingmix.model.tokenizer import RoleTokenizer

Attention = Literal["eager", "sdpa", "flash_attention_2"]

WASTE = {"cpu": 128, "cuda": 4096}
"""Padding tokens that cost as much time as another call of the model, by device; on a CPU 64 to 256
are alike, on a GPU it is an estimate."""

PASSING = ("architectures", "dtype", "torch_dtype", "transformers_version")
"""Settings of a model that change no vector."""


class Transformer(nn.Module):
    """`attention` None: eager on a CPU, faster there for short texts in bf16; SDPA elsewhere.

    `packs`: whether texts are laid end to end, once `proof.prove` has shown that they may be, or
    each is padded to the longest of its chunk.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        pooling: Pooling,
        attention: Attention | None,
    ) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.pooling = pooling
        self.lora: dict[str, Any] | None = None
        self.packs = False
        self.padding: int = tokenizer.pad_token_id or 0
        self._attention = attention

    @property
    def dimension(self) -> int:
        return self.model.config.hidden_size

    def compile_model(self) -> None:
        """For batches of any size, the first of which wait for it; weights keep their names."""
        try:
            get_cpp_compiler()
        except InvalidCxxCompiler as error:
            raise InputError(
                "encoder.compile: torch.compile finds no C++ compiler here; install g++, name one "
                "in the environment variable CXX, or set encoder.compile=false"
            ) from error
        self.model.compile(dynamic=True)

    @property
    def form(self) -> str:
        """What beside the weights decides a vector."""
        settings = self.model.config.to_diff_dict()
        kept = {k: settings[k] for k in sorted(settings) if k not in PASSING and k[0] != "_"}
        return f"{self.pooling} {json.dumps(kept, default=str)}"

    @property
    def positions(self) -> int | None:
        """How many tokens a text may have."""
        table = self._position_table
        if table is not None:
            return table.num_embeddings - self._first_position
        return getattr(self.model.config, "max_position_embeddings", None)

    @property
    def _position_table(self) -> nn.Embedding | None:
        table = getattr(getattr(self.model, "embeddings", None), "position_embeddings", None)
        return table if isinstance(table, nn.Embedding) else None

    @property
    def _first_position(self) -> int:
        """RoBERTa counts from its padding's on."""
        padding = getattr(self._position_table, "padding_idx", None)
        return 0 if padding is None else padding + 1

    @property
    def vocabulary(self) -> int:
        """How many tokens have a row in the table of embeddings."""
        table = self.model.get_input_embeddings()
        return getattr(table, "num_embeddings", None) or self.model.config.vocab_size

    def forward(self, tokens: Tokens) -> Tensor:
        """Zero where a text has no token, as some tokenizers make of an empty one."""
        ordered, place_B = longest_first(tokens)
        texts = int(tokens.lengths_B.count_nonzero())
        pooled = []
        if texts:
            some = Tokens(ordered.ids_T, ordered.lengths_B[:texts])
            pooled = self._packed(some) if self.packs else self._padded(some)
        if texts < len(place_B):
            shape = (len(place_B) - texts, self.dimension)
            pooled.append(torch.zeros(shape, device=place_B.device))
        return torch.cat(pooled)[place_B]

    def _packed(self, ordered: Tokens) -> list[Tensor]:
        """All at once in training, where activations are kept in any case."""
        device = ordered.ids_T.device
        kernel = self._attention or fastest_kernel(self.model, device)
        self.model.set_attn_implementation(implementation(kernel))
        parts = [ordered]
        if not self.training:
            parts = list(micro_batches(ordered, budget=of_device(BUDGET, device)))
        return [pool(self.packed_states(p, kernel), p.lengths_B, self.pooling) for p in parts]

    def packed_states(self, part: Tokens, kernel: Kernel) -> Tensor:
        """The last layer's state of each token, texts laid end to end."""
        ids_T, lengths_B = part
        starts_B = lengths_B.cumsum(0) - lengths_B
        columns_T = torch.arange(len(ids_T), device=ids_T.device)
        columns_T = columns_T - starts_B.repeat_interleave(lengths_B)
        packing = packing_of(lengths_B.tolist(), kernel=kernel, device=ids_T.device)
        filling = (0, packing.filling)
        hidden_1TD = self.model(
            input_ids=functional.pad(ids_T, filling, value=self.padding)[None],
            position_ids=self._first_position + functional.pad(columns_T, filling)[None],
            **packing.told,
        ).last_hidden_state
        return hidden_1TD[0, : len(ids_T)]

    def _padded(self, ordered: Tokens) -> list[Tensor]:
        device = ordered.ids_T.device
        self.set_attention(on_cpu=device.type == "cpu")
        sizes = padded_sizes(ordered.lengths_B.tolist(), device=device)
        chunks = split(ordered, list(sizes))
        return [pool(self.padded_states(c), c.lengths_B, self.pooling) for c in chunks]

    def padded_states(self, chunk: Tokens) -> Tensor:
        """The last layer's state of each token, texts padded to the first, the longest."""
        lengths_C = chunk.lengths_B
        columns_L = torch.arange(int(lengths_C[0]), device=lengths_C.device)
        mask_CL = columns_L < lengths_C[:, None]
        ids_CL = chunk.ids_T.new_full(mask_CL.shape, self.padding)
        ids_CL[mask_CL] = chunk.ids_T
        hidden_CLD = self.model(input_ids=ids_CL, attention_mask=mask_CL.long()).last_hidden_state
        return hidden_CLD[mask_CL]

    def set_attention(self, *, on_cpu: bool) -> None:
        """For texts that are padded."""
        chosen = self._attention
        if chosen is None or (on_cpu and chosen == "flash_attention_2"):
            fast = not on_cpu and getattr(self.model, "_supports_sdpa", False)
            chosen = "sdpa" if fast else "eager"
        self.model.set_attn_implementation(chosen)

    def add_lora(self, lora: Mapping[str, Any]) -> None:
        self.model = with_lora(self.model, lora)
        self.lora = dict(lora)

    def merged(self) -> "Transformer":
        """A copy without adapters, its weights moved by them; it is not compiled."""
        plain = Transformer(
            merged(self.model), self.tokenizer, pooling=self.pooling, attention=self._attention
        )
        plain.packs = self.packs
        return plain

    def save(self, folder: Path, roled: RoleTokenizer) -> list[tuple[str, str]]:
        """The model in `folder` itself, where sentence-transformers has it, its pooling below."""
        roles = roled.roles
        if roles.longest is not None:
            self.tokenizer.model_max_length = roles.longest
        self._save_model(folder)
        lengths = {"max_seq_length": roles.longest}
        if roles.max_length["query"] != roles.max_length["passage"]:  # known to release 6 alone
            lengths["query_length"] = roles.max_length["query"]
            lengths["document_length"] = roles.max_length["passage"]
        write_json(lengths | {"do_lower_case": False}, folder / "sentence_bert_config.json")
        switches = {key: mode == self.pooling for key, mode in POOLING_SWITCHES.items()}
        place = folder / "1_Pooling"
        write_json({"word_embedding_dimension": self.dimension, **switches}, place / "config.json")
        return [(f"{MODULES}.Transformer", ""), (f"{MODULES}.Pooling", place.name)]

    def _save_model(self, folder: Path) -> None:
        if self.lora is not None:
            self.merged()._save_model(folder)
            (folder / LORA_FILE).write_text(json.dumps(self.lora), encoding="utf-8")
            return
        with quiet():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        path = folder / "tokenizer_config.json"
        settings = json.loads(path.read_text())
        if settings.get("tokenizer_class") == "TokenizersBackend":  # unknown to Transformers 4
            settings["tokenizer_class"] = "PreTrainedTokenizerFast"
            path.write_text(json.dumps(settings, indent=2))


def padded_sizes(descending: Sequence[int], *, device: torch.device) -> Iterator[int]:
    """Texts a chunk, where texts are not laid end to end."""
    waste, budget = of_device(WASTE, device), of_device(BUDGET, device)
    return chunk_sizes(descending, waste=waste, budget=budget)


@contextmanager
def quiet() -> Iterator[None]:
    """Without progress bars, and warnings about weights that are checked here."""
    verbosity, bar = (
        transformers_logging.get_verbosity(),
        transformers_logging.is_progress_bar_enabled(),
    )
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bar:
            transformers_logging.enable_progress_bar()
