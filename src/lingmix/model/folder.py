"""Model folders as sentence-transformers reads and writes them."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import snapshot_download
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from lingmix.data.tokens import Role
from lingmix.errors import InputError
from lingmix.model.hub import commit_of
from lingmix.model.pooling import POOLINGS, Dense, Pooling, PoolingChoice
from lingmix.model.pretrained import load_transformer
from lingmix.model.static import Static
from lingmix.model.tokenizer import RoleTokenizer, RoleValues
from lingmix.model.transformer import Attention, Transformer

MODULES = "sentence_transformers.models"
"""Every release finds its modules by these names; the newest keep them as aliases."""

PASSAGE_PROMPTS = ("document", "passage", "corpus")
"""The names that sentence-transformers' encode_document tries, in its order."""


class Model(NamedTuple):
    """What a folder holds; the vectors are normalised at the end whatever it says."""

    embedder: Static | Transformer
    heads: list[Dense]
    tokenizer: RoleTokenizer

    @property
    def dimension(self) -> int:
        return self.heads[-1].linear.out_features if self.heads else self.embedder.dimension


class Layout(NamedTuple):
    """`modules.json`: the class and folder of each module, in order."""

    first: tuple[str, Path]
    rest: list[tuple[str, Path]]


def find_folder(name: str, *, revision: str | None, trust_remote_code: bool) -> Path:
    """A local folder, or the Hugging Face model of that name, fetched without pickled weights."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        refuse_revision(revision, name)
        return folder
    code = ["*.py"] if trust_remote_code else []
    try:
        commit = commit_of(name, revision)
        folder = Path(
            snapshot_download(
                name,
                revision=commit,
                allow_patterns=["*.json", "*.txt", "*.model", "model*.safetensors", *code],
                ignore_patterns=["onnx/*", "openvino/*"],
            )
        )
        within = [f"{path.name}/*.safetensors" for _, path in _layout(folder).rest]
        if within:
            snapshot_download(name, revision=commit, allow_patterns=within)
        return folder
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        at = "" if revision is None else f" at revision {revision}"
        raise InputError(
            f"encoder.name: {name} is neither a folder here nor a model that could be fetched{at}; "
            f"check the name and the network ({type(error).__name__}: {reason[:160]})"
        ) from error


def refuse_revision(revision: str | None, name: str) -> None:
    """Raises InputError: what lies here has no revisions."""
    if revision is not None:
        raise InputError(
            f"encoder.revision: must be null for {name}, which is no Hugging Face model, got "
            f"{revision}"
        )


def read_folder(
    folder: Path,
    *,
    prompts: Mapping[Role, str | None] | None,
    pooling: PoolingChoice | None,
    max_length: Mapping[Role, int | None] | None,
    attention: Attention | None,
    trust_remote_code: bool,
) -> Model:
    """Arguments that are not None stand above what the folder says."""
    (kind, place), rest = _layout(folder)
    heads = [Dense.load(path) for name, path in rest if name == "Dense"]
    saved_prompts = _prompts(folder)
    if kind == "StaticEmbedding":
        static, tokenizer = Static.load(place)
        length = (tokenizer.truncation or {}).get("max_length")
        roles = RoleValues(saved_prompts, {"query": length, "passage": length})
        roles = roles.overridden(prompts=prompts, max_length=max_length)
        return Model(static, heads, RoleTokenizer(tokenizer, roles=roles, special_tokens=False))
    poolings = [_pooling(path) for name, path in rest if name == "Pooling"]
    if pooling == "pooler" and heads:
        raise InputError(f"encoder.pooling: {folder} has Dense layers of its own; leave it null")
    settings = _transformer_settings(place)
    transformer, pooler = load_transformer(
        place,
        pooling=pooling or (poolings[0] if poolings else "mean"),
        attention=attention,
        lowercase=settings.get("do_lower_case", False),
        trust_remote_code=trust_remote_code,
    )
    roles = RoleValues(saved_prompts, _lengths(settings, transformer))
    roles = roles.overridden(prompts=prompts, max_length=max_length).bounded(transformer.positions)
    backend = transformer.tokenizer.backend_tokenizer
    roled = RoleTokenizer(backend, roles=roles, special_tokens=True)
    return Model(transformer, [*heads, *pooler], roled)


def write_folder(folder: Path, model: Model) -> None:
    """Whole or not at all; takes the place of a model saved there before."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "modules.json").is_file():
        raise InputError(f"{folder}: is not empty and holds no model; name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    _write(unfinished, model)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.replace(folder)


def _write(folder: Path, model: Model) -> None:
    embedder, heads, tokenizer = model
    if isinstance(embedder, Static):
        modules = [("StaticEmbedding", "0_StaticEmbedding")]
        embedder.save(
            folder / modules[0][1], tokenizer.tokenizer, max_length=tokenizer.roles.longest
        )
    else:
        modules = [("Transformer", ""), ("Pooling", "1_Pooling")]
        _write_transformer(folder, embedder, tokenizer)
    for head in heads:
        modules.append(("Dense", f"{len(modules)}_Dense"))
        head.save(folder / modules[-1][1])
    modules.append(("Normalize", f"{len(modules)}_Normalize"))
    _dump({}, folder / modules[-1][1] / "config.json")
    prompts = tokenizer.roles.prompts | {"document": tokenizer.roles.prompts["passage"]}
    _dump(
        {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": "cosine"},
        folder / "config_sentence_transformers.json",
    )
    rows = [
        {"idx": n, "name": str(n), "path": path, "type": f"{MODULES}.{kind}"}
        for n, (kind, path) in enumerate(modules)
    ]
    _dump(rows, folder / "modules.json")


def _write_transformer(folder: Path, embedder: Transformer, tokenizer: RoleTokenizer) -> None:
    if tokenizer.roles.longest is not None:
        embedder.tokenizer.model_max_length = tokenizer.roles.longest
    embedder.save(folder)
    pooling = {f"pooling_mode_{kind}": False for kind in ("cls_token", "mean_tokens", "max_tokens")}
    pooling["pooling_mode_" + {"cls": "cls_token", "mean": "mean_tokens"}[embedder.pooling]] = True
    _dump(
        {"word_embedding_dimension": embedder.dimension, **pooling},
        folder / "1_Pooling" / "config.json",
    )
    lengths = tokenizer.roles.max_length
    settings: dict[str, Any] = {"max_seq_length": tokenizer.roles.longest, "do_lower_case": False}
    if lengths["query"] != lengths["passage"]:  # known to release 6 alone
        settings |= {"query_length": lengths["query"], "document_length": lengths["passage"]}
    _dump(settings, folder / "sentence_bert_config.json")


def _layout(folder: Path) -> Layout:
    """A folder of Transformers alone is one module."""
    if not (folder / "modules.json").is_file():
        return Layout(("Transformer", folder), [])
    modules = [
        (row["type"].rpartition(".")[2], folder / row["path"])
        for row in _load(folder / "modules.json")
    ]
    kinds = [kind for kind, _ in modules]
    if kinds[-1] == "Normalize":
        kinds.pop()
    before = {"Transformer": ["Pooling"], "StaticEmbedding": []}.get(kinds[0])
    if before is None or kinds[1:] != before + ["Dense"] * (len(kinds) - 1 - len(before)):
        raise InputError(
            f"{folder / 'modules.json'}: must be a Transformer and a Pooling, or a "
            f"StaticEmbedding, then Dense layers and Normalize, got {', '.join(kinds)}"
        )
    return Layout(modules[0], modules[1:])


def _prompts(folder: Path) -> dict[Role, str]:
    path = folder / "config_sentence_transformers.json"
    named = (_load(path).get("prompts") or {}) if path.is_file() else {}
    passage = next((named[name] for name in PASSAGE_PROMPTS if name in named), None)
    return {"query": named.get("query") or "", "passage": passage or ""}


def _pooling(folder: Path) -> Pooling:
    """Older releases write a switch for each mode, newer ones its name."""
    config = _load(folder / "config.json")
    switched = [
        key.removeprefix("pooling_mode_").partition("_")[0]
        for key, on in config.items()
        if key.startswith("pooling_mode_") and on
    ]
    mode = config.get("pooling_mode") or "+".join(switched) or "mean"
    if mode not in POOLINGS or not config.get("include_prompt", True):
        raise InputError(
            f"{folder / 'config.json'}: pooling must be mean or cls and include the prompt, got "
            f"{mode}"
        )
    return mode


def _transformer_settings(folder: Path) -> dict[str, Any]:
    """Early releases named the file after the model: sentence_roberta_config.json."""
    path = next(iter(sorted(folder.glob("sentence_*_config.json"))), None)
    settings = _load(path) if path else {}
    for key, plain in (("transformer_task", "feature-extraction"), ("processing_kwargs", {})):
        if settings.get(key, plain) != plain:
            raise InputError(f"{path}: {key} {settings[key]!r} is not supported")
    return settings


def _lengths(settings: Mapping[str, Any], transformer: Transformer) -> dict[Role, int | None]:
    longest = settings.get("max_seq_length") or transformer.tokenizer.model_max_length
    longest = None if longest >= VERY_LARGE_INTEGER else longest
    return {
        "query": settings.get("query_length") or longest,
        "passage": settings.get("document_length") or longest,
    }


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error


def _dump(value: object, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf-8")
