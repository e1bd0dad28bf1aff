"""The configuration of a command: plain values, and the objects that it names."""

import logging
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from lingmix.cli.arguments import check_arguments, locate
from lingmix.cli.checks import check_settings
from lingmix.cli.shorthand import without_shorthand
from lingmix.errors import InputError
from lingmix.tracking.store.limits import require_experiment_name

if TYPE_CHECKING:
    from lingmix.data.evaluation_set import EvaluationSet

Config = dict[str, Any]

KERNEL_CACHES = ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")
"""Environment variables of PyTorch and oneDNN on a CPU, read at the first matrix product: sizes of
caches with a kernel for each shape, of which batches have no end. The defaults of 1,024 take a
gigabyte and are no faster than 64; 16 are too few for the shapes of one step."""

_INSTALLED = Path(__file__).parents[1] / "conf"
CONF = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[3] / "conf"


OmegaConf.register_new_resolver("at_home", os.path.expanduser, replace=True)
"""Expands ~ in folders that Hydra itself creates."""


def checked(config: DictConfig, command: str) -> Config:
    """Return the settings of a command as plain values; raise InputError for what it refuses."""
    values = resolved(config)
    check_settings(values, command)
    return values


def resolved(config: DictConfig) -> Config:
    """Return plain values, with interpolations resolved and `output_dir` absolute.

    Also limits kernel caches and quiets libraries, before any of them is imported.
    """
    for cache in KERNEL_CACHES:
        os.environ.setdefault(cache, "64")
    for chatty in (
        "pytorch_lightning",
        "lightning",
        "lightning_fabric",
        "filelock",
        "faiss",
    ):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    logging.getLogger("bm25s").addFilter(_is_error)  # its import sets its level
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    return values_of(config.copy())


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def values_of(config: DictConfig) -> Config:
    """Return plain values as `resolved` does; modifies `config`."""
    OmegaConf.set_struct(config, False)
    output_dir = config.get("output_dir")
    if not isinstance(output_dir, str) or not output_dir:
        raise InputError(f"output_dir: must be a path, got {output_dir!r}")
    config.output_dir = str(Path(output_dir).expanduser().absolute())
    plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    written: Any = OmegaConf.to_container(config)
    plain = without_shorthand(_at_home(plain), written)
    if "data" in plain and plain["data"].get("train") is not None:
        plain["data"]["sets"] = {}  # of a choice that the list stands in place of
    if plain.get("name") is not None:
        plain["name"] = require_experiment_name(plain["name"])
    return plain


def _at_home(value: Any) -> Any:
    """Expand `~` in every path, also in `sqlite:///~/mlflow.db`, so that readers, hashes and MLflow
    use the same file."""
    if isinstance(value, dict):
        return {key: _at_home(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_at_home(part) for part in value]
    if isinstance(value, str) and (found := re.fullmatch(r"((?:sqlite:///)?)(~(?:/.*)?)", value)):
        return f"{found[1]}{Path(found[2]).expanduser()}"
    return value


def build(node: Any) -> Any:
    """Build the object that a `_target_` names; with `_partial_`, a function of further arguments.

    Raises InputError where the arguments do not fit its signature or it refuses them.

    Hydra's own names for this call are changing; only this function must follow.
    """
    _check_nodes(node)
    try:
        return hydra.utils.instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, InputError):
            raise cause from None
        if isinstance(cause, TypeError | ValueError | ImportError):
            reason = " ".join(str(cause).split())
            raise InputError(f"{node.get('_target_', 'configuration')}: {reason}") from error
        raise (cause or error) from None


def _check_nodes(node: Any) -> None:
    if isinstance(node, Mapping) and "_target_" in node:
        check_arguments(node, at=node["_target_"])
    elif isinstance(node, Mapping):
        for part in node.values():
            _check_nodes(part)
    elif isinstance(node, list):
        for part in node:
            _check_nodes(part)


def evaluation_sets(
    nodes: Mapping[str, Config], *, languages: Sequence[str] | str
) -> "list[EvaluationSet]":
    """Build the sets of `evaluation`, restricted to `languages` ("all", or a list)."""
    if languages == "all":
        return [build(node | {"name": name}) for name, node in nodes.items()]
    return [
        build(_fetching_only(node, languages) | {"name": name}).within(languages)
        for name, node in nodes.items()
    ]


def _fetching_only(node: Config, languages: Sequence[str] | str) -> Config:
    """Pass `languages` as `within` to a reader that downloads one language at a time."""
    if node.get("languages") is None or not {"download_dir", "repo"} & set(node):
        return node
    takes = signature(locate(node["_target_"], at=node["_target_"])).parameters
    return node | {"within": list(languages)} if "within" in takes else node


def overrides() -> list[str]:
    """Return the overrides of the command line."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def command_line(entry_point: str) -> list[str]:
    """Return the command that composes the same configuration again, the entry point first."""
    sources = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else []
    typed = [source.path for source in sources if source.provider == "command-line"]
    return [entry_point, *(f"--config-dir={path}" for path in typed), *overrides()]
