"""The dual encoder: one set of weights embeds queries and passages as unit vectors."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal, get_args

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers.utils.import_utils import is_flash_attn_2_available

from lingmix.data.tokens import Role, Tokens
from lingmix.errors import InputError
from lingmix.model.folder import (
    Model,
    find_folder,
    read_folder,
    refuse_revision,
    write_folder,
)
from lingmix.model.hub import CHECKPOINT, ENCODER_FOLDER
from lingmix.model.lora import saved_lora
from lingmix.model.matryoshka import cut_to
from lingmix.model.overrides import Overrides
from lingmix.model.pooling import PoolingChoice
from lingmix.model.proof import refuse_unfit_weights
from lingmix.model.scratch import SCRATCH_KEYS, from_scratch, seeded
from lingmix.model.tokenizer import RoleTokenizer
from lingmix.model.transformer import Attention, Transformer

Vocabulary = Literal["all", "used", "restored"]


class Encoder(nn.Module):
    """A tokenizer, an embedder (one vector a text) and Dense layers, normalised at the end."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.embedder = model.embedder
        self.heads = nn.Sequential(*model.heads)
        self.dimension = model.dimension
        self._model = model

    @property
    def tokenizer(self) -> RoleTokenizer:
        return self._model.tokenizer

    def with_tokenizer(self, tokenizer: Tokenizer) -> "Encoder":
        """Returns this encoder with other ids for tokens, in the same roles."""
        return Encoder(self._model._replace(tokenizer=self.tokenizer.of(tokenizer)))

    def tokenize(self, texts: Sequence[str], role: Role) -> list[list[int]]:
        return self._model.tokenizer(texts, role)

    def cache_keys(self, texts: Sequence[str], role: Role) -> Iterator[str]:
        """Strings that are equal exactly when the embeddings are: maximum length, prompt, text."""
        return self._model.tokenizer.cache_keys(texts, role)

    def forward(self, tokens: Tokens) -> Tensor:
        """Returns `embeddings_BD`, unit vectors in float32 whatever the network computes in; zero
        where a text is empty."""
        embeddings_BD = self.heads(self.embedder(tokens))
        return functional.normalize(embeddings_BD.float(), dim=-1)

    @property
    def tokenizer_fingerprint(self) -> str:
        """Digest of all that decides the token ids of a text."""
        return self._model.tokenizer.fingerprint

    def fingerprint(self) -> str:
        """Digest of weights, architecture and tokenizer; prompts and lengths are left out, which
        `cache_keys` contain."""
        form = (self.embedder.form, str(self.heads), self._model.tokenizer.content)
        digest = blake2b(repr(form).encode(), digest_size=16)
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype}".encode())
            digest.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def make_gradient_sparse(self) -> None:
        """The gradient of a transformer's token embeddings will hold the rows of a batch alone."""
        table: Any = _transformer(self, "sparse").model.get_input_embeddings()
        table.sparse = True

    def merge_lora(self) -> "Encoder":
        """Returns a copy with its adapters' updates added to its weights, itself if it has none."""
        if not isinstance(self.embedder, Transformer) or self.embedder.lora is None:
            return self
        return Encoder(self._model._replace(embedder=self.embedder.merge_lora()))

    def cut_to(self, dimensions: int) -> "Encoder":
        """Returns an encoder of the first `dimensions` of each vector (see `matryoshka.cut_to`)."""
        return Encoder(cut_to(self._model, dimensions))

    def save(self, folder: Path) -> None:
        """Writes a folder that sentence-transformers can load, prompts and lengths included."""
        write_folder(folder, self._model)


def load_encoder(
    *,
    name: str,
    revision: str | None,
    prompts: Mapping[Role, str | None] | None,
    pooling: PoolingChoice | None,
    max_length: Mapping[Role, int | None] | None,
    scratch: Mapping[str, Any] | None,
    texts: Sequence[str],
    cache: Path,
    seed: int,
    attention: Attention | None,
    compile: bool,
    lora: Mapping[str, Any] | None,
    trust_remote_code: bool,
    vocabulary: Vocabulary = "all",
    dropout: bool = False,
) -> Encoder:
    """Loads what `conf/encoder` names, with its whole vocabulary. `static` and `tiny` start from
    scratch, with one learned from `texts`; any other name is a folder, a checkpoint of a training
    (`.ckpt`) or a model on Hugging Face, whose pooling, prompts and lengths stand where these
    arguments are None. Raises InputError for what cannot be loaded as its files say.
    """
    _refuse_choices(pooling, attention, lora, vocabulary)
    overrides = Overrides(prompts, pooling, max_length, attention)
    if name in SCRATCH_KEYS:
        _refuse_trained(name, revision, lora, vocabulary, dropout=dropout)
        tokenizers = Path(cache) / "tokenizers"
        model = from_scratch(name, scratch, overrides, texts=texts, cache=tokenizers, seed=seed)
        encoder = Encoder(model)
    else:
        encoder = _trained(
            name, revision, overrides, lora=lora, seed=seed, trust_remote_code=trust_remote_code
        )
    if dropout:  # Transformers loads in evaluation mode, which a training keeps
        _transformer(encoder, "dropout").model.train()
    if compile:
        _transformer(encoder, "compile").compile_model()
    return encoder


def _refuse_trained(
    name: str,
    revision: str | None,
    lora: Mapping[str, Any] | None,
    vocabulary: Vocabulary,
    *,
    dropout: bool,
) -> None:
    """Raises InputError for what an encoder from scratch lacks."""
    refuse_revision(revision, name)
    if lora is not None:
        raise InputError(f"encoder.lora: {name} has no trained weights to adapt; leave it null")
    if vocabulary != "all":
        raise InputError(
            f"encoder.vocabulary: must be all for {name}, which learns its own, got {vocabulary}"
        )
    if dropout:
        raise InputError(f"encoder.dropout: {name} has encoder.scratch.dropout; leave it false")


def _refuse_choices(
    pooling: PoolingChoice | None,
    attention: Attention | None,
    lora: Mapping[str, Any] | None,
    vocabulary: Vocabulary,
) -> None:
    if vocabulary != "all" and lora is not None:
        raise InputError(f"encoder.vocabulary: must be all for adapters, got {vocabulary}")
    for key, value, known in (
        ("pooling", pooling, get_args(PoolingChoice)),
        ("attention", attention, get_args(Attention)),
    ):
        if value not in (None, *known):
            raise InputError(
                f"encoder.{key}: must be one of {', '.join(known)}, or null, got {value}"
            )
    if attention == "flash_attention_2" and not is_flash_attn_2_available():
        raise InputError(
            "encoder.attention: flash_attention_2 needs a GPU and the package flash-attn; install "
            "it, or set encoder.attention=null"
        )


def _trained(
    name: str,
    revision: str | None,
    overrides: Overrides,
    *,
    lora: Mapping[str, Any] | None,
    seed: int,
    trust_remote_code: bool,
) -> Encoder:
    """Reads the folder, or that of the training for a checkpoint. Adapters that a checkpoint
    contains are added before its weights, new ones after them."""
    checkpoint = Path(name).expanduser() if name.endswith(CHECKPOINT) else None
    if checkpoint:
        refuse_revision(revision, name)
    place = str(checkpoint.with_name(ENCODER_FOLDER)) if checkpoint else name
    folder = find_folder(place, revision=revision, trust_remote_code=trust_remote_code)
    encoder = Encoder(read_folder(folder, overrides=overrides, trust_remote_code=trust_remote_code))
    saved = saved_lora(folder) if checkpoint else None
    if saved and lora not in (None, saved):
        raise InputError(f"encoder.lora: {checkpoint} was trained with {saved}; leave it null")
    if saved:
        _add_lora(encoder, saved, seed=seed)
    if checkpoint:
        load_weights(encoder, checkpoint)
    if lora is not None and not saved:
        _add_lora(encoder, lora, seed=seed)
    refuse_unfit_weights(encoder, name=name)
    return encoder


def _add_lora(encoder: Encoder, lora: Mapping[str, Any], *, seed: int) -> None:
    """Only the adapters are trained: the Dense layers are frozen too."""
    with seeded(seed):
        _transformer(encoder, "lora").add_lora(lora)
    encoder.heads.requires_grad_(requires_grad=False)


def _transformer(encoder: Encoder, key: str) -> Transformer:
    if not isinstance(encoder.embedder, Transformer):
        raise InputError(f"encoder.{key}: is for transformers, not for static embeddings")
    return encoder.embedder


def load_weights(encoder: Encoder, checkpoint: Path) -> None:
    """Loads the encoder's weights from a Lightning checkpoint of `DualEncoder`.

    Raises InputError where the file is not a checkpoint of this encoder.
    """
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
        weights = {
            name.removeprefix("encoder."): tensor
            for name, tensor in state.items()
            if name.startswith("encoder.")
        }
        encoder.load_state_dict(weights)
    except (OSError, RuntimeError, LookupError, TypeError, UnpicklingError) as error:
        raise InputError(
            f"encoder.name: {checkpoint} is no checkpoint of the encoder in "
            f"{checkpoint.with_name(ENCODER_FOLDER)} ({' '.join(str(error).split())[:160]})"
        ) from error
