"""A Hugging Face encoder over ragged batches, with next to no padding."""

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
from lingmix.model.lora import merge_lora, with_lora
from lingmix.model.micro_batches import (
    BUDGET,
    chunk_sizes,
    for_device,
    longest_first,
    micro_batches,
    split,
)
from lingmix.model.packed import Kernel, fastest_kernel, implementation, packing_of
from lingmix.model.pooling import pool
from lingmix.model.tokenizer import RoleTokenizer

Attention = Literal["eager", "sdpa", "flash_attention_2"]

WASTE = {"cpu": 128, "cuda": 4096}
"""Padding tokens that cost as much time as another call of the model, by device; on a CPU 64 to 256
are alike, on a GPU it is an estimate."""

CHANGE_NO_VECTOR = ("architectures", "dtype", "torch_dtype", "transformers_version")
"""Settings of a model that `Transformer.form` leaves out."""


class Transformer(nn.Module):
    """Pools the last layer's token states of a Hugging Face model.

    `attention` None is eager on a CPU, where it is faster for short texts in bf16, and SDPA
    elsewhere. `packs` says whether texts are packed, which `proof.prove` sets where the model's
    states allow it; else each text is padded to the longest of its chunk.
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
        """Compiles for batches of any size, during the first ones; weights keep their names. Raises
        InputError where there is no C++ compiler."""
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
        """The pooling and the settings of the model that decide a vector, beside the weights."""
        settings = {
            key: value
            for key, value in sorted(self.model.config.to_diff_dict().items())
            if key not in CHANGE_NO_VECTOR and not key.startswith("_")
        }
        return f"{self.pooling} {json.dumps(settings, default=str)}"

    @property
    def positions(self) -> int | None:
        """The most tokens a text may have; None where the model sets no limit."""
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
        """RoBERTa numbers positions from its padding token's id plus 1."""
        padding = getattr(self._position_table, "padding_idx", None)
        return 0 if padding is None else padding + 1

    @property
    def vocabulary(self) -> int:
        """The number of rows of the embedding matrix."""
        table = self.model.get_input_embeddings()
        return getattr(table, "num_embeddings", None) or self.model.config.vocab_size

    def forward(self, tokens: Tokens) -> Tensor:
        """Returns one vector a text, zero where a text has no token (some tokenizers add none)."""
        ordered, position_B = longest_first(tokens)
        texts = int(tokens.lengths_B.count_nonzero())
        pooled = []
        if texts:
            nonempty = Tokens(ordered.ids_T, ordered.lengths_B[:texts])
            pooled = self._packed(nonempty) if self.packs else self._padded(nonempty)
        if texts < len(position_B):
            shape = (len(position_B) - texts, self.dimension)
            pooled.append(torch.zeros(shape, device=position_B.device))
        return torch.cat(pooled)[position_B]

    def _packed(self, ordered: Tokens) -> list[Tensor]:
        """One call in training, where the activations of all micro-batches are needed anyway."""
        device = ordered.ids_T.device
        kernel = self._attention or fastest_kernel(self.model, device)
        self.model.set_attn_implementation(implementation(kernel))
        parts = [ordered]
        if not self.training:
            parts = list(micro_batches(ordered, budget=for_device(BUDGET, device)))
        return [pool(self.packed_states(p, kernel), p.lengths_B, self.pooling) for p in parts]

    def packed_states(self, part: Tokens, kernel: Kernel) -> Tensor:
        """Returns the last layer's state of each token, `hidden_TD`; texts are packed."""
        ids_T, lengths_B = part
        starts_B = lengths_B.cumsum(0) - lengths_B
        columns_T = torch.arange(len(ids_T), device=ids_T.device)
        columns_T = columns_T - starts_B.repeat_interleave(lengths_B)
        heads = self.model.config.num_attention_heads
        packing = packing_of(lengths_B.tolist(), kernel=kernel, heads=heads, device=ids_T.device)
        filling = (0, packing.filling)
        hidden_1TD = self.model(
            input_ids=functional.pad(ids_T, filling, value=self.padding)[None],
            position_ids=self._first_position + functional.pad(columns_T, filling)[None],
            **packing.attention_kwargs,
        ).last_hidden_state
        return hidden_1TD[0, : len(ids_T)]

    def _padded(self, ordered: Tokens) -> list[Tensor]:
        device = ordered.ids_T.device
        self.set_attention(on_cpu=device.type == "cpu")
        sizes = padded_sizes(ordered.lengths_B.tolist(), device=device)
        chunks = split(ordered, list(sizes))
        return [pool(self.padded_states(chunk), chunk.lengths_B, self.pooling) for chunk in chunks]

    def padded_states(self, chunk: Tokens) -> Tensor:
        """Returns the last layer's state of each token, `hidden_TD`; texts are padded to the
        first, the longest."""
        lengths_C = chunk.lengths_B
        columns_L = torch.arange(int(lengths_C[0]), device=lengths_C.device)
        mask_CL = columns_L < lengths_C[:, None]
        ids_CL = chunk.ids_T.new_full(mask_CL.shape, self.padding)
        ids_CL[mask_CL] = chunk.ids_T
        hidden_CLD = self.model(input_ids=ids_CL, attention_mask=mask_CL.long()).last_hidden_state
        return hidden_CLD[mask_CL]

    def set_attention(self, *, on_cpu: bool) -> None:
        """Chooses the attention of padded texts; flash attention needs a GPU."""
        chosen = self._attention
        if chosen is None or (on_cpu and chosen == "flash_attention_2"):
            fast = not on_cpu and getattr(self.model, "_supports_sdpa", False)
            chosen = "sdpa" if fast else "eager"
        self.model.set_attn_implementation(chosen)

    def add_lora(self, lora: Mapping[str, Any]) -> None:
        """Adds adapters, which alone are trained from then on (see `with_lora`)."""
        self.model = with_lora(self.model, lora)
        self.lora = dict(lora)

    def merge_lora(self) -> "Transformer":
        """Returns a copy, not compiled, with the adapters' updates added to its weights."""
        plain = Transformer(
            merge_lora(self.model), self.tokenizer, pooling=self.pooling, attention=self._attention
        )
        plain.packs = self.packs
        return plain

    def save(self, folder: Path, roled: RoleTokenizer) -> list[tuple[str, str]]:
        """Writes the model into `folder`, as sentence-transformers does, and its pooling below."""
        roles = roled.roles
        if roles.longest is not None:
            self.tokenizer.model_max_length = roles.longest
        self._save_model(folder)
        lengths = {"max_seq_length": roles.longest}
        if roles.max_length["query"] != roles.max_length["passage"]:  # release 6 and later
            lengths["query_length"] = roles.max_length["query"]
            lengths["document_length"] = roles.max_length["passage"]
        write_json(lengths | {"do_lower_case": False}, folder / "sentence_bert_config.json")
        switches = {key: mode == self.pooling for key, mode in POOLING_SWITCHES.items()}
        place = folder / "1_Pooling"
        write_json({"word_embedding_dimension": self.dimension, **switches}, place / "config.json")
        return [(f"{MODULES}.Transformer", ""), (f"{MODULES}.Pooling", place.name)]

    def _save_model(self, folder: Path) -> None:
        if self.lora is not None:
            self.merge_lora()._save_model(folder)
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
    """Yields the number of texts of each chunk where texts are padded."""
    waste, budget = for_device(WASTE, device), for_device(BUDGET, device)
    return chunk_sizes(descending, waste=waste, budget=budget)


@contextmanager
def quiet() -> Iterator[None]:
    """Silences Transformers' progress bars and warnings; what it warns of is checked here."""
    verbosity = transformers_logging.get_verbosity()
    bar = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bar:
            transformers_logging.enable_progress_bar()
