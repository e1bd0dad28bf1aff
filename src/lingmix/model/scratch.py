"""Encoders from scratch: a vocabulary learned from the texts, weights drawn from a seed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from lingmix.errors import InputError, require_int, require_number
from lingmix.model.folder import Model
from lingmix.model.layout import Pooling
from lingmix.model.overrides import Overrides
from lingmix.model.proof import prove
from lingmix.model.static import Static
from lingmix.model.tokenizer import UNLIMITED, RoleTokenizer, RoleValues
from lingmix.model.transformer import Attention, Transformer
from lingmix.model.unigram import UNKNOWN, learn_unigram

SCRATCH_KEYS = {
    "static": {"dimension", "vocabulary", "scale", "sparse"},
    "tiny": {"dimension", "vocabulary", "layers", "heads", "dropout"},
}
"""The keys that `encoder.scratch` must have, by the encoder's name."""

SPECIAL = {"pad_token": "[PAD]", "unk_token": UNKNOWN, "cls_token": "[CLS]", "sep_token": "[SEP]"}

POSITIONS = 512
"""The most tokens of a text of a tiny encoder."""


def from_scratch(
    name: str,
    scratch: Mapping[str, Any] | None,
    overrides: Overrides,
    *,
    texts: Sequence[str],
    cache: Path,
    seed: int,
) -> Model:
    """Makes the encoder `static` or `tiny`.

    Raises InputError where `scratch` lacks a key, a size is impossible, or the pooling is.
    """
    needed = SCRATCH_KEYS[name]
    if scratch is None or set(scratch) != needed:
        raise InputError(
            f"encoder.scratch: name={name} needs {', '.join(sorted(needed))}, got "
            f"{', '.join(sorted(scratch or ())) or 'nothing'}; choose encoder={name}"
        )
    _refuse_sizes(scratch)
    pooling = overrides.pooling or "mean"
    if pooling == "pooler" or (name == "static" and pooling != "mean"):
        raise InputError(f"encoder.pooling: {name} cannot pool by {pooling}; leave it null")
    special_tokens = [UNKNOWN] if name == "static" else list(SPECIAL.values())
    tokenizer = learn_unigram(
        texts, vocabulary=scratch["vocabulary"], special_tokens=special_tokens, cache=cache
    )
    roles = overrides.roles(UNLIMITED)
    if name == "static":
        return _static(scratch, tokenizer=tokenizer, roles=roles, seed=seed)
    return _tiny(
        scratch,
        tokenizer=tokenizer,
        roles=roles.bounded(POSITIONS),
        pooling=pooling,
        attention=overrides.attention,
        seed=seed,
    )


def _static(
    scratch: Mapping[str, Any], *, tokenizer: Tokenizer, roles: RoleValues, seed: int
) -> Model:
    static = Static.initialised(
        vocabulary=tokenizer.get_vocab_size(),
        dimension=scratch["dimension"],
        sparse=scratch["sparse"],
        scale=scratch["scale"],
        seed=seed,
    )
    return Model(static, [], RoleTokenizer(tokenizer, roles=roles, special_tokens=False))


def _refuse_sizes(scratch: Mapping[str, Any]) -> None:
    for key in ("dimension", "vocabulary", "layers", "heads"):
        if key in scratch:
            require_int(f"encoder.scratch.{key}", scratch[key], at_least=1)
    if "dropout" in scratch:
        require_number(
            "encoder.scratch.dropout", scratch["dropout"], "in [0, 1)", lambda rate: 0 <= rate < 1
        )
    if "scale" in scratch:
        require_number(
            "encoder.scratch.scale", scratch["scale"], "above 0 and finite", lambda scale: scale > 0
        )


def _tiny(
    scratch: Mapping[str, Any],
    *,
    tokenizer: Tokenizer,
    roles: RoleValues,
    pooling: Pooling,
    attention: Attention | None,
    seed: int,
) -> Model:
    """Makes a small BERT, so that once saved it is an ordinary model folder."""
    if scratch["dimension"] % scratch["heads"]:
        raise InputError(
            f"encoder.scratch.heads: must divide the dimension {scratch['dimension']}, got "
            f"{scratch['heads']}"
        )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=scratch["dimension"],
        num_hidden_layers=scratch["layers"],
        num_attention_heads=scratch["heads"],
        intermediate_size=4 * scratch["dimension"],
        max_position_embeddings=roles.longest or POSITIONS,
        type_vocab_size=1,
        pad_token_id=tokenizer.token_to_id("[PAD]"),
        hidden_dropout_prob=scratch["dropout"],
        attention_probs_dropout_prob=scratch["dropout"],
    )
    with seeded(seed):
        model = BertModel(config, add_pooling_layer=False)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL)
    transformer = Transformer(model, wrapped, pooling=pooling, attention=attention)
    prove(transformer, name="tiny")
    roled = RoleTokenizer(wrapped.backend_tokenizer, roles=roles, special_tokens=True)
    return Model(transformer, [], roled)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds torch's global random state, from which libraries draw weights, and restores it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
