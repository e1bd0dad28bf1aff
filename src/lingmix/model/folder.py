"""Model folders as sentence-transformers reads and writes them."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from huggingface_hub import snapshot_download
from torch import Tensor
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from lingmix.data.tokens import Role, Tokens
from lingmix.errors import InputError, require_int
from lingmix.model.hub import commit_of
from lingmix.model.layout import (
    MODULES,
    Layout,
    SavedPooling,
    read_layout,
    read_pooling,
    read_prompts,
    read_transformer_settings,
    write_json,
)
from lingmix.model.overrides import Overrides
from lingmix.model.pooling import Dense
from lingmix.model.pretrained import load_transformer
from lingmix.model.static import Static
from lingmix.model.tokenizer import ROLES, SHORTEST, RoleTokenizer, RoleValues, Side
from lingmix.model.transformer import Transformer


class Embedder(Protocol):
    """A `torch.nn.Module` that turns tokens into one vector a text; its weights are trained."""

    @property
    def dimension(self) -> int: ...

    @property
    def form(self) -> str:
        """All that decides a vector beside the weights; it is part of the cache's fingerprint."""
        ...

    def __call__(self, tokens: Tokens) -> Tensor:
        """Returns one row a text, of any norm, in the order given; zero where a text is empty."""
        ...

    def save(self, folder: Path, tokenizer: RoleTokenizer) -> Iterable[tuple[str, str]]:
        """Writes itself and the tokenizer; returns its modules for `modules.json`: the type of each
        and its subfolder (empty: `folder` itself)."""
        ...


class Model(NamedTuple):
    """The parts of a saved encoder; vectors are normalised at the end, whatever the folder says."""

    embedder: Embedder
    heads: list[Dense]
    tokenizer: RoleTokenizer

    @property
    def dimension(self) -> int:
        return self.heads[-1].linear.out_features if self.heads else self.embedder.dimension


def find_folder(name: str, *, revision: str | None, trust_remote_code: bool) -> Path:
    """Returns the local folder of that name, or fetches the Hugging Face model of that name,
    without pickled weights. Raises InputError where there is neither."""
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
        layout = read_layout(folder)
        modules = [path.relative_to(folder) for _, path in (layout.first, *layout.rest)]
        subfolders = [f"{module}/*.safetensors" for module in modules if module.parts]
        if subfolders:
            snapshot_download(name, revision=commit, allow_patterns=subfolders)
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
    """Raises InputError where a revision is given for a local folder, which has none."""
    if revision is not None:
        raise InputError(
            f"encoder.revision: must be null for {name}, which is no Hugging Face model, got "
            f"{revision}"
        )


def read_folder(folder: Path, *, overrides: Overrides, trust_remote_code: bool) -> Model:
    """Reads what `write_folder`, sentence-transformers, model2vec or Transformers has written.

    Raises InputError where a file is missing or broken, or asks for what is not computed here.
    """
    layout = read_layout(folder)
    heads = [Dense.load(path) for kind, path in layout.rest if kind == "Dense"]
    roles = RoleValues(read_prompts(folder, layout), dict.fromkeys(ROLES, None))
    if layout.first[0] == "StaticEmbedding":
        embedder, roled = _read_static(layout, roles, overrides=overrides)
        return _fitting(folder, Model(embedder, heads, roled))
    if overrides.pooling == "pooler" and heads:
        raise InputError(f"encoder.pooling: {folder} has Dense layers of its own; leave it null")
    transformer, pooler, roled = _read_transformer(
        layout, roles, overrides=overrides, trust_remote_code=trust_remote_code
    )
    return _fitting(folder, Model(transformer, [*heads, *pooler], roled))


def _read_transformer(
    layout: Layout, roles: RoleValues, *, overrides: Overrides, trust_remote_code: bool
) -> tuple[Transformer, list[Dense], RoleTokenizer]:
    folder = layout.first[1]
    saved = next((path for kind, path in layout.rest if kind == "Pooling"), None)
    mode, includes_prompt = read_pooling(saved) if saved else SavedPooling("mean", True)
    settings = read_transformer_settings(folder)
    transformer, pooler = load_transformer(
        folder,
        pooling=overrides.pooling or mode,
        attention=overrides.attention,
        lowercase=settings.get("do_lower_case", False),
        trust_remote_code=trust_remote_code,
    )
    roles = roles._replace(max_length=_lengths(folder, settings, transformer))
    roles = overrides.roles(roles).bounded(transformer.positions)
    if not overrides.pooling and not includes_prompt and any(roles.prompts.values()):
        raise InputError(
            f"{saved}/config.json: include_prompt must be true, for a prompt is pooled with its "
            "text here; set encoder.prompts to empty texts, or choose another encoder"
        )
    roled = RoleTokenizer(
        transformer.tokenizer.backend_tokenizer,
        roles=roles,
        special_tokens=True,
        truncation_side=_side(transformer.tokenizer.truncation_side),
    )
    return transformer, pooler, roled


def _read_static(
    layout: Layout, roles: RoleValues, *, overrides: Overrides
) -> tuple[Static, RoleTokenizer]:
    folder, pooling = layout.first[1], overrides.pooling
    if pooling not in (None, "mean"):
        raise InputError(
            f"encoder.pooling: {folder} holds static embeddings, which are pooled by their mean; "
            f"leave it null, got {pooling}"
        )
    static, tokenizer = Static.load(folder)
    cut = tokenizer.truncation or {"max_length": None, "direction": "right"}
    roles = overrides.roles(roles._replace(max_length=dict.fromkeys(ROLES, cut["max_length"])))
    side = _side(cut["direction"])
    return static, RoleTokenizer(tokenizer, roles=roles, special_tokens=False, truncation_side=side)


def _side(named: str) -> Side:
    return "left" if named.lower() == "left" else "right"


def _fitting(folder: Path, model: Model) -> Model:
    sizes = [model.embedder.dimension, *(head.linear.out_features for head in model.heads)]
    for size, head in zip(sizes, model.heads, strict=False):
        if head.linear.in_features != size:
            raise InputError(
                f"{folder}: a Dense layer must take the {size} numbers that come before it, its "
                f"in_features are {head.linear.in_features}"
            )
    return model


def write_folder(folder: Path, model: Model) -> None:
    """Writes a folder whole or not at all; it replaces a model saved there before.

    Raises InputError where the folder is not empty and holds no model.
    """
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
    modules = list(embedder.save(folder, tokenizer))
    for head in heads:
        modules.append((f"{MODULES}.Dense", f"{len(modules)}_Dense"))
        head.save(folder / modules[-1][1])
    modules.append((f"{MODULES}.Normalize", f"{len(modules)}_Normalize"))
    write_json({}, folder / modules[-1][1] / "config.json")
    prompts = tokenizer.roles.prompts | {"document": tokenizer.roles.prompts["passage"]}
    write_json(
        {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": "cosine"},
        folder / "config_sentence_transformers.json",
    )
    rows = [
        {"idx": n, "name": str(n), "path": path, "type": kind}
        for n, (kind, path) in enumerate(modules)
    ]
    write_json(rows, folder / "modules.json")
    readable = (folder / "modules.json").stat().st_mode
    for weights in folder.rglob("*.safetensors"):  # written for their owner alone
        weights.chmod(readable)


def _lengths(
    folder: Path, settings: Mapping[str, Any], transformer: Transformer
) -> dict[Role, int | None]:
    """A tokenizer without truncation has a huge `model_max_length`, here None."""
    longest = settings.get("max_seq_length") or transformer.tokenizer.model_max_length
    if isinstance(longest, int | float) and longest >= VERY_LARGE_INTEGER:
        longest = None
    else:
        require_int(
            f"{folder / 'tokenizer_config.json'}: model_max_length", longest, at_least=SHORTEST
        )
    return {
        "query": settings.get("query_length") or longest,
        "passage": settings.get("document_length") or longest,
    }
