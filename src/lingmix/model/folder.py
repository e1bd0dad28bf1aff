"""Model folders as sentence-transformers reads and writes them."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from functools import partial
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
from lingmix.model.pooling import Dense, PoolingChoice
from lingmix.model.pretrained import load_transformer
from lingmix.model.static import Static
from lingmix.model.tokenizer import ROLES, SHORTEST, RoleTokenizer, RoleValues, Side
from lingmix.model.transformer import Attention, Transformer


class Embedder(Protocol):
    """What makes a vector of each text's tokens: a `torch.nn.Module`, whose weights are trained."""

    @property
    def dimension(self) -> int: ...

    @property
    def form(self) -> str:
        """What beside its weights decides a vector: stored vectors of another form are others."""
        ...

    def __call__(self, tokens: Tokens) -> Tensor:
        """A row a text, in their order; of any length, and zero where a text has no token."""
        ...

    def save(self, folder: Path, tokenizer: RoleTokenizer) -> Iterable[tuple[str, str]]:
        """Writes what it and the tokenizer need to be read again; returns its modules, as
        `modules.json` names them: the type, and the folder within (empty: `folder` itself)."""
        ...


class Model(NamedTuple):
    """What a folder holds; the vectors are normalised at the end whatever it says."""

    embedder: Embedder
    heads: list[Dense]
    tokenizer: RoleTokenizer

    @property
    def dimension(self) -> int:
        return self.heads[-1].linear.out_features if self.heads else self.embedder.dimension


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
        layout = read_layout(folder)
        places = [path.relative_to(folder) for _, path in (layout.first, *layout.rest)]
        within = [f"{place}/*.safetensors" for place in places if place.parts]
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
    layout = read_layout(folder)
    roles = RoleValues(read_prompts(folder, layout), dict.fromkeys(ROLES, None))
    override = partial(RoleValues.overridden, prompts=prompts, max_length=max_length)
    heads = [Dense.load(path) for kind, path in layout.rest if kind == "Dense"]
    if layout.first[0] == "StaticEmbedding":
        embedder, roled = _read_static(layout, roles, pooling=pooling, override=override)
        return _fitting(folder, Model(embedder, heads, roled))
    if pooling == "pooler" and heads:
        raise InputError(f"encoder.pooling: {folder} has Dense layers of its own; leave it null")
    saved = next((path for kind, path in layout.rest if kind == "Pooling"), None)
    mode, includes_prompt = read_pooling(saved) if saved else SavedPooling("mean", True)
    settings = read_transformer_settings(layout.first[1])
    transformer, pooler = load_transformer(
        layout.first[1],
        pooling=pooling or mode,
        attention=attention,
        lowercase=settings.get("do_lower_case", False),
        trust_remote_code=trust_remote_code,
    )
    roles = override(roles._replace(max_length=_lengths(layout.first[1], settings, transformer)))
    if not pooling and not includes_prompt and any(roles.prompts.values()):
        raise InputError(
            f"{saved}/config.json: include_prompt must be true, for a prompt is pooled with its "
            "text here; set encoder.prompts to empty texts, or choose another encoder"
        )
    roled = RoleTokenizer(
        transformer.tokenizer.backend_tokenizer,
        roles=roles.bounded(transformer.positions),
        special_tokens=True,
        truncation_side=_side(transformer.tokenizer.truncation_side),
    )
    return _fitting(folder, Model(transformer, [*heads, *pooler], roled))


def _read_static(
    layout: Layout,
    roles: RoleValues,
    *,
    pooling: PoolingChoice | None,
    override: Callable[[RoleValues], RoleValues],
) -> tuple[Static, RoleTokenizer]:
    folder = layout.first[1]
    if pooling not in (None, "mean"):
        raise InputError(
            f"encoder.pooling: {folder} holds static embeddings, which are pooled by their mean; "
            f"leave it null, got {pooling}"
        )
    static, tokenizer = Static.load(folder)
    cut = tokenizer.truncation or {"max_length": None, "direction": "right"}
    roles = override(roles._replace(max_length=dict.fromkeys(ROLES, cut["max_length"])))
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


def _lengths(
    folder: Path, settings: Mapping[str, Any], transformer: Transformer
) -> dict[Role, int | None]:
    """A tokenizer that cuts nothing has a length beyond all texts."""
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
