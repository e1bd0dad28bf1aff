"""Loads a Hugging Face transformer from its folder, checking what Transformers would pass over."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import normalizers
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from lingmix.errors import InputError, library_failure
from lingmix.model.layout import Pooling, read_object
from lingmix.model.pooling import Dense, PoolingChoice
from lingmix.model.proof import prove
from lingmix.model.transformer import Attention, Transformer, quiet

_DIGITS = re.compile(r"(?<=\.)\d+(?=\.)")
"""Matches the number of a layer in a weight's name."""


def load_transformer(
    folder: Path,
    *,
    pooling: PoolingChoice,
    attention: Attention | None,
    lowercase: bool,
    trust_remote_code: bool,
) -> tuple[Transformer, list[Dense]]:
    """Returns the transformer, and the Dense layer that the pooling `pooler` is computed by: the
    transformer then pools by `cls`.

    Raises InputError where files or weights are missing, or the model cannot encode texts.
    """
    _refuse_files(folder)
    model, tokenizer, report = _loaded(folder, trust_remote_code=trust_remote_code)
    if model.config.is_encoder_decoder or not tokenizer.is_fast:
        raise InputError(
            f"encoder.name: {folder} must be an encoder with a tokenizer.json, got a "
            f"{model.config.model_type} with a {type(tokenizer).__name__}"
        )
    _refuse_more_weights(folder, model, report["unexpected_keys"])
    _refuse_missing_weights(folder, report["missing_keys"], pooler=pooling == "pooler")
    pooler = getattr(model, "pooler", None)
    if pooler is not None:
        model.pooler = nn.Identity()  # the forward of some models calls it
    if lowercase:
        _lowercase(tokenizer)
    if pooling != "pooler":
        return _proven(folder, model, tokenizer, pooling=pooling, attention=attention), []
    linear = getattr(pooler, "dense", None)
    if not isinstance(linear, nn.Linear):
        raise InputError(
            f"encoder.pooling: {folder} is a {model.config.model_type} without a pooler; choose "
            "mean or cls"
        )
    transformer = _proven(folder, model, tokenizer, pooling="cls", attention=attention)
    return transformer, [Dense(linear, nn.Tanh())]


def _refuse_files(folder: Path) -> None:
    """Raises InputError for files that Transformers would ignore, guess, or fetch elsewhere."""
    for name, remedy in (
        ("config.json", "name a model's folder, as save_pretrained writes it"),
        ("tokenizer_config.json", "save the tokenizer there, with save_pretrained"),
    ):
        if not (folder / name).is_file():
            raise InputError(f"encoder.name: {folder} has no {name}; {remedy}")
    if (folder / "adapter_config.json").is_file():
        raise InputError(
            f"encoder.name: {folder} has an adapter_config.json, and adapters are not read: merge "
            "them (merge_and_unload), save the model, and name its folder"
        )
    if not any(folder.glob("model*.safetensors")):
        other = next(folder.glob("*.bin"), None)
        found = f", and {other.name} is not read: convert it" if other else "; save the model there"
        raise InputError(f"encoder.name: {folder} has no model.safetensors{found}")
    config = read_object(folder / "config.json")
    if config.get("quantization_config") is not None:
        raise InputError(
            f"{folder / 'config.json'}: quantization_config must be null: quantised weights are "
            "not read; save the model in float32 or 16 bits"
        )


def _loaded(
    folder: Path, *, trust_remote_code: bool
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, dict[str, Any]]:
    """Returns also Transformers' report on the weights. Attention is eager, whatever the folder
    asks for: the encoder sets it at each call."""
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
            _refuse_no_vocabulary(folder, tokenizer)
            config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
            _refuse_block_sparse(folder, config)
            config._attn_implementation = "eager"
            model, report = AutoModel.from_pretrained(
                folder,
                config=config,
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except InputError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        if "trust_remote_code" in reason:
            reason = "it needs code of its own, which encoder.trust_remote_code=true would run"
        raise InputError(f"encoder.name: {folder} cannot be loaded ({reason[:300]})") from error
    return model, tokenizer, report


def _refuse_block_sparse(folder: Path, config: PreTrainedConfig) -> None:
    """Raises InputError for BigBird's default attention, also where the file leaves it out."""
    if getattr(config, "attention_type", None) == "block_sparse":
        raise InputError(
            f"{folder / 'config.json'}: attention_type block_sparse gives a long text vectors that "
            "depend on those beside it; set original_full there"
        )


def _refuse_no_vocabulary(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raises InputError where Transformers made up a vocabulary, for lack of files."""
    if (folder / "tokenizer.json").is_file():
        return
    slow = [name for key, name in tokenizer.vocab_files_names.items() if key != "tokenizer_file"]
    missing = [name for name in slow if not (folder / name).is_file()]
    if missing or not slow:
        raise InputError(
            f"encoder.name: {folder} has no {' and no '.join(['tokenizer.json', *missing])}; save "
            "the tokenizer there, with save_pretrained"
        )


def _refuse_missing_weights(folder: Path, missing_keys: Iterable[str], *, pooler: bool) -> None:
    """The weights of BERT's pooler may be missing where it is not used."""
    missing = sorted(key for key in missing_keys if pooler or "pooler." not in key)
    if missing:
        raise InputError(
            f"encoder.name: {folder} lacks the weights of {len(missing)} tensors, the first "
            f"{missing[0]}; save the whole model, or choose another encoder.pooling"
        )


def _refuse_more_weights(folder: Path, model: PreTrainedModel, unexpected: set[str]) -> None:
    """Raises InputError where `config.json` names fewer layers than there are weights of."""
    layers = getattr(model.config, "num_hidden_layers", None)
    patterns = {_DIGITS.sub("#", name) for name in model.state_dict()}
    prefix = f"{model.base_model_prefix}."
    more = sorted(
        name
        for name in unexpected
        if _DIGITS.search(name) and _DIGITS.sub("#", name.removeprefix(prefix)) in patterns
    )
    if more:
        found = f"weights of more layers, such as {more[0]} beside {layers} layers"
    elif isinstance(layers, int) and layers < 1:
        found = f"got {layers}"
    else:
        return
    raise InputError(
        f"{folder / 'config.json'}: num_hidden_layers must be that of the weights, {found}"
    )


def _proven(
    folder: Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    pooling: Pooling,
    attention: Attention | None,
) -> Transformer:
    transformer = Transformer(model, tokenizer, pooling=pooling, attention=attention)
    with library_failure(f"encoder.name: {folder} cannot encode texts"):
        rows = transformer.vocabulary
    if len(tokenizer) > rows:
        raise InputError(
            f"encoder.name: {folder} has a tokenizer of {len(tokenizer)} tokens and embeddings of "
            f"{rows}; resize the model's embeddings, or remove the added tokens"
        )
    prove(transformer, name=str(folder))
    return transformer


def _lowercase(tokenizer: PreTrainedTokenizerBase) -> None:
    backend = tokenizer.backend_tokenizer
    rest = [] if backend.normalizer is None else [backend.normalizer]
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *rest])
