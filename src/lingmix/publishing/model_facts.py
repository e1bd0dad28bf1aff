"""What is to be said of an encoder itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lingmix.data.tokens import Role
from lingmix.model.encoder import Encoder
from lingmix.model.transformer import Transformer


class ModelFacts(NamedTuple):
    """`parameters` counts all, `embedding_parameters` those of the token embeddings; a length of
    None cuts nothing; `base_model` is where a training began, None for nothing; a `trimmed` model
    has the token pieces of its run's texts alone."""

    dimension: int
    parameters: int
    embedding_parameters: int
    prompts: Mapping[Role, str]
    lengths: Mapping[Role, int | None]
    base_model: str | None
    trimmed: bool


def model_facts(encoder: Encoder, node: Mapping[str, Any]) -> ModelFacts:
    """Returns the facts of an encoder that a run trained; `node` is its setting of that run."""
    embedder = encoder.embedder
    tables: Any = (
        [embedder.model.get_input_embeddings()] if isinstance(embedder, Transformer) else [embedder]
    )
    return ModelFacts(
        dimension=encoder.dimension,
        parameters=sum(one.numel() for one in encoder.parameters()),
        embedding_parameters=sum(one.numel() for table in tables for one in table.parameters()),
        prompts=encoder.tokenizer.roles.prompts,
        lengths=encoder.tokenizer.roles.max_length,
        base_model=_base_model(node),
        trimmed=node.get("vocabulary") == "used",
    )


def _base_model(node: Mapping[str, Any]) -> str | None:
    """The name on the Hub; of a folder of the machine, its last part."""
    if node.get("scratch") is not None:
        return None
    name = str(node["name"])
    return Path(name).name if Path(name).expanduser().is_absolute() else name
