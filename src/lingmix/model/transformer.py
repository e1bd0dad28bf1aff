"""A Hugging Face encoder over ragged batches: almost nothing is padded."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from tokenizers import normalizers
from torch import Tensor, nn
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from lingmix.data.tokens import Tokens
from lingmix.errors import InputError
from lingmix.model.lora import FILE as LORA_FILE
from lingmix.model.lora import merged, with_lora
from lingmix.model.pooling import Dense, Pooling, PoolingChoice, pool

Attention = Literal["eager", "sdpa", "flash_attention_2"]

WASTE = {"cpu": 128, "cuda": 4096}
"""Padding tokens that cost as much time as another call of the model, by device; on a CPU 64 to 256
are alike, on a GPU it is an estimate."""

BUDGET = {"cpu": 4096, "cuda": 65536}
"""Tokens a call, by device: bounds the memory of one."""


PASSING = ("architectures", "dtype", "torch_dtype", "transformers_version")
"""Settings of a model that change no vector."""


class Transformer(nn.Module):
    """`attention` None: eager on a CPU, faster there for short texts in bf16; SDPA elsewhere."""

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
        self._attention = attention
        self._padding = tokenizer.pad_token_id or 0

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
        table = getattr(getattr(self.model, "embeddings", None), "position_embeddings", None)
        if isinstance(table, nn.Embedding):
            before_first = 0 if table.padding_idx is None else table.padding_idx + 1
            return table.num_embeddings - before_first
        return getattr(self.model.config, "max_position_embeddings", None)

    def forward(self, tokens: Tokens) -> Tensor:
        ids_T, lengths_B = tokens
        device = ids_T.device.type
        self.model.set_attn_implementation(
            self._attention or ("eager" if device == "cpu" else "sdpa")
        )
        order_B = lengths_B.argsort(descending=True, stable=True)
        starts_B = lengths_B.cumsum(0) - lengths_B
        sizes = chunk_sizes(
            lengths_B[order_B].tolist(),
            waste=WASTE.get(device, WASTE["cuda"]),
            budget=BUDGET.get(device, BUDGET["cuda"]),
        )
        pooled = [
            self._pooled(ids_T, starts_B[rows_C], lengths_B[rows_C])
            for rows_C in order_B.split(sizes)
        ]
        return torch.cat(pooled)[order_B.argsort()]

    def add_lora(self, lora: Mapping[str, Any]) -> None:
        self.model = with_lora(self.model, lora)
        self.lora = dict(lora)

    def merged(self) -> "Transformer":
        """A copy without adapters, its weights moved by them; it is not compiled."""
        return Transformer(
            merged(self.model), self.tokenizer, pooling=self.pooling, attention=self._attention
        )

    def save(self, folder: Path) -> None:
        if self.lora is not None:
            self.merged().save(folder)
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

    def _pooled(self, ids_T: Tensor, starts_C: Tensor, lengths_C: Tensor) -> Tensor:
        """Rows come longest first."""
        columns_L = torch.arange(int(lengths_C[0]), device=ids_T.device)
        mask_CL = columns_L < lengths_C[:, None]
        where_CL = (starts_C[:, None] + columns_L).where(mask_CL, 0)
        ids_CL = ids_T[where_CL].where(mask_CL, self._padding)
        hidden_CLD = self.model(input_ids=ids_CL, attention_mask=mask_CL.long()).last_hidden_state
        return pool(hidden_CLD, mask_CL, self.pooling)


def load_transformer(
    folder: Path,
    *,
    pooling: PoolingChoice,
    attention: Attention | None,
    lowercase: bool,
    trust_remote_code: bool,
) -> tuple[Transformer, list[Dense]]:
    """`pooler` is the first token's state and BERT's pooler layer, here a Dense as in LaBSE."""
    _need_weights(folder)
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
            model, report = AutoModel.from_pretrained(
                folder,
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except (OSError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        if "trust_remote_code" in reason:
            reason = "it needs code of its own, which encoder.trust_remote_code=true would run"
        raise InputError(f"encoder.name: {folder} cannot be loaded ({reason[:300]})") from error
    if model.config.is_encoder_decoder or not tokenizer.is_fast:
        raise InputError(
            f"encoder.name: {folder} must be an encoder with a tokenizer.json, got a "
            f"{model.config.model_type} with a {type(tokenizer).__name__}"
        )
    pooler = getattr(model, "pooler", None)
    missing = sorted(
        key for key in report["missing_keys"] if pooling == "pooler" or "pooler." not in key
    )
    if missing:
        raise InputError(
            f"encoder.name: {folder} lacks the weights of {len(missing)} tensors, the first "
            f"{missing[0]}; save the whole model, or choose another encoder.pooling"
        )
    if pooler is not None:
        model.pooler = None
    if lowercase:
        _lowercase(tokenizer)
    if pooling != "pooler":
        return Transformer(model, tokenizer, pooling=pooling, attention=attention), []
    linear = getattr(pooler, "dense", None)
    if not isinstance(linear, nn.Linear):
        raise InputError(
            f"encoder.pooling: {folder} is a {model.config.model_type} without a pooler; choose "
            "mean or cls"
        )
    transformer = Transformer(model, tokenizer, pooling="cls", attention=attention)
    return transformer, [Dense(linear, nn.Tanh())]


def _need_weights(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise InputError(
            f"encoder.name: {folder} has no config.json; name a model's folder, as save_pretrained "
            "writes it"
        )
    if not any(folder.glob("model*.safetensors")):
        other = next(folder.glob("*.bin"), None)
        found = f", and {other.name} is not read: convert it" if other else "; save the model there"
        raise InputError(f"encoder.name: {folder} has no model.safetensors{found}")


def _lowercase(tokenizer: PreTrainedTokenizerBase) -> None:
    backend = tokenizer.backend_tokenizer
    rest = [] if backend.normalizer is None else [backend.normalizer]
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *rest])


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


def chunk_sizes(descending: Sequence[int], *, waste: int, budget: int) -> list[int]:
    """Cuts texts, longest first, so that a chunk pads little and holds no more than `budget`.

    A chunk ends where its padding would cost more than another call of the model.
    """
    return list(_chunk_sizes(descending, waste=waste, budget=budget))


def _chunk_sizes(descending: Sequence[int], *, waste: int, budget: int) -> Iterator[int]:
    size = padding = longest = 0
    for length in descending:
        padding += longest - length
        if size and (padding > waste or (size + 1) * longest > budget):
            yield size
            size = padding = 0
        if not size:
            longest, padding = length, 0
        size += 1
    yield size
