"""A transformer from the folder that holds it."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from tokenizers import normalizers
from torch import nn
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from lingmix.errors import InputError
from lingmix.model.pooling import Dense, PoolingChoice
from lingmix.model.transformer import Attention, Transformer, quiet


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
