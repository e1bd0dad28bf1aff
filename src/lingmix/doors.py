"""What the doors share: conf, plain values and objects from it, errors told in one line."""

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from errno import EACCES, EDQUOT, EFBIG, ENOSPC, EPIPE, EROFS
from functools import partial, wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import (
    ConfigCompositionException,
    InstantiationException,
    OverrideParseException,
)
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from lingmix.errors import InputError
from lingmix.terminal import end, end_unread, ready_streams, say
from lingmix.tracking.limits import require_experiment_name, require_set_name

if TYPE_CHECKING:
    from lingmix.data.evaluation_set import EvaluationSet

Config = dict[str, Any]

KERNEL_CACHES = ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")
"""Of PyTorch and oneDNN on a CPU, read at the first matrix product: a kernel for each shape met, of
which batches have no end. 1,024 each, as they come, hold a gigabyte and are no faster than 64; 16
are too few for the shapes of one step."""

LAUNCHERS = ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS")
"""What torchrun and srun leave in the environment."""

UNWRITABLE = (EACCES, EDQUOT, EFBIG, ENOSPC, EROFS)

_INSTALLED = Path(__file__).parent / "conf"
CONF = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "conf"


OmegaConf.register_new_resolver("at_home", os.path.expanduser, replace=True)
"""For folders that Hydra itself makes."""


def door(config_name: str) -> Callable[[Callable[[DictConfig], str]], Callable[[], None]]:
    """A console command: Hydra composes `conf/<config_name>.yaml`, the function's text is printed.

    Bad input ends the command with its one line and status 1.
    """

    def command(function: Callable[[DictConfig], str]) -> Callable[[], None]:
        @wraps(function)
        def guarded(config: DictConfig) -> None:
            with _one_line(config_name):
                refuse_words(overrides(), door=config_name)
                say(function(config))

        composing = hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)

        @wraps(function)
        def main() -> None:
            ready_streams()
            sweeping = {"-m", "--multirun"} & {*sys.argv[1:]}
            if sweeping and any(name in os.environ for name in LAUNCHERS):
                from lingmix.launched import refuse_sweep  # noqa: PLC0415 - seconds of imports

                with _one_line(config_name):
                    refuse_sweep()
            os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # its errors are told here
            with _one_line(config_name):
                composing(guarded)()
                sys.stdout.flush()

        return main

    return command


@contextmanager
def _one_line(door: str) -> Iterator[None]:
    try:
        with writing():
            yield
    except BrokenPipeError:
        end_unread()
    except InputError as error:
        end(f"lingmix-{door}: {error}")
    except OmegaConfBaseException as error:
        end(f"lingmix-{door}: configuration: {str(error).splitlines()[0]}")
    except (ConfigCompositionException, OverrideParseException) as error:
        end(f"lingmix-{door}: configuration: {_not_composed(error, door)}")


@contextmanager
def writing() -> Iterator[None]:
    """What the machine refuses (a full disk, a path that cannot be) is for the user to mend."""
    try:
        yield
    except OSError as error:
        if error.errno == EPIPE:
            raise
        raise InputError(_refused(error)) from error


def _refused(error: OSError) -> str:
    reason = " ".join((error.strerror or str(error) or type(error).__name__).split())
    if error.errno in UNWRITABLE:
        return (
            f"{error.filename or 'output_dir'}: cannot be written ({reason}); make room, or have "
            "it made writable, or choose another output_dir"
        )
    if error.filename is None:
        return f"the machine does not do what it is asked ({type(error).__name__}: {reason})"
    return f"{error.filename}: cannot be used ({reason}); mend what is there, or name another path"


def refuse_words(lines: Iterable[str], *, door: str) -> None:
    """Where `conf` has a number, an override may not write a word or a list."""
    written = OverridesParser.create().parse_overrides(list(lines))
    values = [(one.key_or_group, one.value()) for one in written]
    words = [(key, value) for key, value in values if isinstance(value, str | list)]
    if not words:
        return
    usual = _usual(door)
    for key, value in words:
        held = OmegaConf.select(usual, key)
        if isinstance(held, int | float) and "${" not in str(value):
            kind = "true or false" if isinstance(held, bool) else "a number"
            raise InputError(f"{key}: must be {kind}, such as {str(held).lower()}, got {value}")


def _not_composed(error: Exception, door: str) -> str:
    key = getattr(error.__cause__, "full_key", None)
    if isinstance(error.__cause__, ValidationError):
        return f"{key}: {str(error.__cause__).splitlines()[0]}"
    if key is None:
        return " ".join(str(error).partition("Config search path")[0].split())
    nearest = get_close_matches(key, _keys(_usual(door)), n=1)
    hint = f"; the nearest is {nearest[0]}" if nearest else ""
    return f"there is no key {key}{hint}; `lingmix-{door} --cfg job` shows all there are"


def _usual(door: str) -> DictConfig:
    """What `conf` says by itself."""
    running = GlobalHydra.instance()
    if running.is_initialized():
        return running.config_loader().load_configuration(door, [], run_mode=RunMode.RUN)
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(door)


def _keys(config: DictConfig) -> list[str]:
    found = []
    for key, value in config.items_ex(resolve=False):
        below = _keys(value) if isinstance(value, DictConfig) else []
        found += [f"{key!s}", *(f"{key!s}.{one}" for one in below)]
    return found


def resolved(config: DictConfig) -> Config:
    """Plain values: interpolations filled in, `output_dir` absolute."""
    for cache in KERNEL_CACHES:
        os.environ.setdefault(cache, "64")
    for chatty in (
        "pytorch_lightning",
        "lightning",
        "lightning_fabric",
        "bm25s",
        "filelock",
        "faiss",
    ):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    return values_of(config.copy())


def values_of(config: DictConfig) -> Config:
    """As `resolved`, of a configuration that may be written to."""
    OmegaConf.set_struct(config, False)
    config.output_dir = str(Path(config.output_dir).expanduser().absolute())
    plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    plain = _at_home(plain)
    listing = "evaluation" not in plain and plain.get("name") is None  # of all experiments
    if not listing:
        plain["name"] = require_experiment_name(plain["name"])
    for name in plain.get("evaluation") or ():
        require_set_name(name)
    return plain


def _at_home(value: Any) -> Any:
    """With `~` spelt out in every path, as in `sqlite:///~/mlflow.db`: readers, the hash of the
    data and MLflow see the same file.
    """
    if isinstance(value, dict):
        return {key: _at_home(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_at_home(one) for one in value]
    if isinstance(value, str) and (found := re.fullmatch(r"((?:sqlite:///)?)(~(?:/.*)?)", value)):
        return f"{found[1]}{Path(found[2]).expanduser()}"
    return value


def build(node: Any) -> Any:
    """The object that a `_target_` names, or with `_partial_` a function that still takes some.

    Hydra's own names for this call are changing; only this function must follow.
    """
    try:
        built = hydra.utils.instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, InputError):
            raise cause from None
        if isinstance(cause, TypeError | ValueError | ImportError):
            told = " ".join(str(cause).split())
            raise InputError(f"{node.get('_target_', 'configuration')}: {told}") from error
        raise
    if isinstance(built, partial):
        _refuse_unknown(built)
    return built


def _refuse_unknown(built: "partial[Any]") -> None:
    taken = signature(built.func).parameters
    if any(one.kind is Parameter.VAR_KEYWORD for one in taken.values()):
        return
    if unknown := built.keywords.keys() - taken.keys():
        raise InputError(
            f"{built.func.__module__}.{built.func.__qualname__}: takes no {', '.join(unknown)}; it "
            f"takes {', '.join(taken)}"
        )


def evaluation_sets(
    nodes: Mapping[str, Config], *, languages: Sequence[str] | str
) -> "list[EvaluationSet]":
    """The sets that `evaluation` names, within `languages` ("all", or a list)."""
    if languages == "all":
        return [build(node | {"name": name}) for name, node in nodes.items()]
    return [
        build(_narrowed(node, name, languages) | {"name": name}).within(languages)
        for name, node in nodes.items()
    ]


def _narrowed(node: Config, name: str, languages: Sequence[str] | str) -> Config:
    """What is fetched a language at a time is fetched in these alone."""
    held = node.get("languages")
    if held is None or not {"download_dir", "repo"} & set(node):
        return node
    kept = [language for language in held if language in languages]
    if not kept:
        raise InputError(
            f"languages: evaluation set {name} has none of {', '.join(languages)}; it has "
            f"{', '.join(held)}"
        )
    return node | {"languages": {of: held[of] for of in kept} if isinstance(held, dict) else kept}


def overrides() -> list[str]:
    """The command's own overrides, to write down beside what they led to."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def config_dirs() -> list[str]:
    """The directories of the user's own configuration, as the command named them."""
    sources = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else []
    return [f"--config-dir={one.path}" for one in sources if one.provider == "command-line"]
