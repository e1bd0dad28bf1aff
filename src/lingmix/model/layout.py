"""Reads the files of a sentence-transformers folder: modules, pooling, prompts, lengths.

Raises InputError, by name, for each setting that Lingmix does not compute.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args

from lingmix.data.tokens import Role
from lingmix.errors import InputError, require_int
from lingmix.model.tokenizer import SHORTEST

MODULES = "sentence_transformers.models"
"""Every release finds its modules by these names; the newest keep them as aliases."""

Pooling = Literal["mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
"""sentence-transformers' names. `mean_sqrt_len_tokens` differs from `mean` only where Dense layers
follow: it is normalised otherwise."""

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

PASSAGE_PROMPTS = ("document", "passage", "corpus")
"""The names that sentence-transformers' encode_document tries, in its order."""

POOLING_SWITCHES: dict[str, Pooling] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Releases before 5.7 write a switch for each mode, newer ones its name."""

PLAIN_SETTINGS: dict[str, Any] = {
    "transformer_task": "feature-extraction",
    "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
    "module_output_name": "token_embeddings",
    "processing_kwargs": {},
    "query_expansion": None,
    "tokenizer_name_or_path": None,
}
"""Settings of a Transformer module, and the only value of each that is computed here."""

ARGUMENTS = (
    "model_args", "model_kwargs", "tokenizer_args", "processor_kwargs", "config_args",
    "config_kwargs",
)  # fmt: skip
"""Settings of a Transformer module that sentence-transformers passes on to Transformers."""

CHANGE_NOTHING = {
    "attn_implementation",
    "dtype",
    "torch_dtype",
    "trust_remote_code",
    "padding_side",
}
"""Those arguments that change no vector in float32."""


class Layout(NamedTuple):
    """The type and folder of each module, in the order of `modules.json`."""

    first: tuple[str, Path]
    rest: list[tuple[str, Path]]

    @property
    def normalised(self) -> bool:
        return bool(self.rest) and self.rest[-1][0] == "Normalize"


class SavedPooling(NamedTuple):
    """`includes_prompt`: whether the tokens of a prompt are pooled with those of its text."""

    mode: Pooling
    includes_prompt: bool


def read_layout(folder: Path) -> Layout:
    """Reads `modules.json`; a folder without one is a single module, of model2vec or Transformers.

    Raises InputError for modules in another order than Transformer and Pooling, or
    StaticEmbedding, then Dense layers and Normalize.
    """
    path = folder / "modules.json"
    if not path.is_file():
        config = folder / "config.json"
        model2vec = config.is_file() and read_object(config).get("model_type") == "model2vec"
        return Layout(("StaticEmbedding" if model2vec else "Transformer", folder), [])
    rows = _parsed(path)
    if (
        not isinstance(rows, list)
        or not rows
        or not all(
            isinstance(row, dict) and all(isinstance(row.get(key), str) for key in ("type", "path"))
            for row in rows
        )
    ):
        raise InputError(f"{path}: must list modules, each with a type and a path; save it again")
    modules = [(_kind(row["type"], path), _within(folder, row["path"], path)) for row in rows]
    kinds = [kind for kind, _ in modules]
    if kinds[-1] == "Normalize":
        kinds.pop()
    before = {"Transformer": ["Pooling"], "StaticEmbedding": []}.get(kinds[0]) if kinds else None
    if before is None or kinds[1:] != before + ["Dense"] * (len(kinds) - 1 - len(before)):
        raise InputError(
            f"{path}: must be a Transformer and a Pooling, or a StaticEmbedding, then Dense layers "
            f"and Normalize, got {', '.join(kind for kind, _ in modules)}"
        )
    return Layout(modules[0], modules[1:])


def _kind(named: str, path: Path) -> str:
    """Raises InputError for a class of another package, whose code is not run."""
    if not named.startswith("sentence_transformers."):
        raise InputError(
            f"{path}: every module must be one of sentence-transformers' own, got {named}; its "
            "code is not run"
        )
    return named.rpartition(".")[2]


def _within(folder: Path, named: str, path: Path) -> Path:
    place = folder / named
    if not place.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{path}: a module's path must stay in its folder, got {named!r}")
    return place


def read_prompts(folder: Path, layout: Layout) -> dict[Role, str]:
    """Returns the prompt of each role, empty where there is none.

    Raises InputError where the folder's vectors are not meant to be compared by cosine.
    """
    path = folder / "config_sentence_transformers.json"
    config = read_object(path) if path.is_file() else {}
    _refuse_incomparable(config, path, normalised=layout.normalised)
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or not {*map(type, prompts.values())} <= {str, NoneType}:
        raise InputError(f"{path}: prompts must be texts by name, got {prompts!r}")
    passage = (prompts[name] for name in PASSAGE_PROMPTS if prompts.get(name) is not None)
    return {"query": prompts.get("query") or "", "passage": next(passage, "")}


def _refuse_incomparable(config: Mapping[str, Any], path: Path, *, normalised: bool) -> None:
    """Of vectors of norm 1 every similarity ranks as the cosine does."""
    kind = config.get("model_type") or "SentenceTransformer"
    if kind != "SentenceTransformer":
        raise InputError(f"{path}: model_type must be SentenceTransformer, got {kind}")
    similarity = config.get("similarity_fn_name") or "cosine"
    if similarity not in (("cosine", "dot", "euclidean") if normalised else ("cosine",)):
        raise InputError(
            f"{path}: similarity_fn_name must be cosine, for vectors are normalised here, got "
            f"{similarity}; name cosine there to have the model measured by it"
        )


def read_pooling(folder: Path) -> SavedPooling:
    """Raises InputError where the folder names no pooling, or several."""
    path = folder / "config.json"
    config = read_object(path)
    switched = [
        POOLING_SWITCHES.get(key, key)
        for key, on in config.items()
        if key.startswith("pooling_mode_") and on
    ]
    named = config.get("pooling_mode") or switched or "mean"
    modes = named if isinstance(named, list) else [named]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise InputError(
            f"{path}: pooling must be one of {', '.join(POOLINGS)}, got {'+'.join(map(str, modes))}"
        )
    return SavedPooling(modes[0], config.get("include_prompt", True))


def read_transformer_settings(folder: Path) -> dict[str, Any]:
    """Reads `sentence_*_config.json`, which early releases named after the model's type."""
    path = next(iter(sorted(folder.glob("sentence_*_config.json"))), None)
    settings = read_object(path) if path else {}
    for key, plain in PLAIN_SETTINGS.items():
        if settings.get(key) not in (None, plain):
            raise InputError(f"{path}: {key} must be {plain!r}, got {settings[key]!r}")
    for key in ARGUMENTS:
        refused = sorted(set(settings.get(key) or {}) - CHANGE_NOTHING)
        if refused:
            raise InputError(
                f"{path}: {key} must name no {refused[0]}, which is not passed on here"
            )
    for key in ("max_seq_length", "query_length", "document_length"):
        if settings.get(key) is not None:
            require_int(f"{path}: {key}", settings[key], at_least=SHORTEST)
    return settings


def read_object(path: Path) -> dict[str, Any]:
    """Raises InputError for a file that is not a JSON object."""
    value = _parsed(path)
    if not isinstance(value, dict):
        raise InputError(f"{path}: must be a JSON object, got {type(value).__name__}")
    return value


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error


def write_json(value: object, path: Path) -> None:
    """Writes a value as indented JSON; the folder is made where only it is missing."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")
