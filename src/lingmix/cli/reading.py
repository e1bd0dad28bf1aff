"""Reading of YAML files and overrides, in which a language code always stays a text."""

import re
from argparse import ArgumentError
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins import file_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra._internal.utils import get_args_parser
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader

from lingmix.errors import InputError

LANGUAGES = ("languages", "language", "query_languages", "pairs")
"""Keys whose values are language codes, language pairs, or lists of them."""

GLOBAL = ("experiment/", "sweep/", "launcher/")
"""Groups whose files set keys of the whole configuration, as `# @package _global_` says."""

TEXT = "tag:yaml.org,2002:str"
NULL = "tag:yaml.org,2002:null"
BOOL = "tag:yaml.org,2002:bool"
MERGE = "tag:yaml.org,2002:merge"

_LANGUAGE_OVERRIDE = re.compile(rf"[+]{{0,2}}(?:[\w@/-]+\.)*(?:{'|'.join(LANGUAGES)})(?:\.\d+)?=")
_NOT_A_TEXT = re.compile(
    r"(?<=[\[,=(]) *((?:true|false|[-+]?(?:nan|inf)|[-+]?[\d.][\w.+-]*)) *(?=[\],)]|$)",
    re.IGNORECASE,
)


class _Loader(get_yaml_loader()):  # type: ignore[misc]
    """Loads only `true` and `false` as booleans, as YAML 1.2 does: `no` is Norwegian. Keys are
    texts, and so are all values below one of `LANGUAGES`: `nan` is Min Nan."""

    def construct_document(self, node: yaml.Node) -> Any:
        _read_texts(node, language=False)
        return super().construct_document(node)


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != BOOL]
    for letter, resolvers in _Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(BOOL, re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")


def _read_texts(node: yaml.Node, *, language: bool) -> None:
    if isinstance(node, yaml.ScalarNode):
        node.tag = TEXT if language and node.tag != NULL else node.tag
    elif isinstance(node, yaml.SequenceNode):
        for element in node.value:
            _read_texts(element, language=language)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != MERGE:
                key.tag = TEXT
            _read_texts(value, language=language or getattr(key, "value", None) in LANGUAGES)


@cache  # each cell of a sweep composes the same files
def _parse(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader


class FileConfigSource(file_config_source.FileConfigSource):
    """Hydra's source of configuration files, with our loader; Hydra finds it by its name."""

    def load_config(self, config_path: str) -> ConfigResult:
        path = Path(self.path, self._normalize_file_name(config_path))
        try:
            text = path.read_text(encoding="utf-8-sig")
            values = _parse(text)
            header = self._get_header_dict(text[:512])
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise InputError(
                f"{_place(path, error)}: must be YAML, got {_problem(error)}"
            ) from error
        if values is not None and not isinstance(values, dict):
            raise InputError(f"{path}: must be keys and their values, got {values!r:.100}")
        if config_path.startswith(GLOBAL):
            header["package"] = header.get("package") or "_global_"
        return ConfigResult(
            config=OmegaConf.create(values or {}),
            path=f"{self.scheme()}://{self.path}",
            provider=self.provider,
            header=header,
        )


SourcesRegistry.instance().register(FileConfigSource)


def _place(path: Path, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{path}:{mark.line + 1}" if mark else str(path)


def _problem(error: Exception) -> str:
    return " ".join(str(getattr(error, "problem", None) or error).split())[:200]


def arguments(given: Sequence[str]) -> list[str]:
    """Return the arguments with options before overrides, and language codes quoted.

    Raises InputError where an option is not Hydra's, or an override adds nothing.
    """
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        known, unknown = parser.parse_known_intermixed_args(list(given))
    except ArgumentError as error:
        raise InputError(f"{error}; --help shows the options there are") from None
    if unknown:
        raise InputError(f"{unknown[0]}: is no option; --help shows those there are")
    overrides = list(known.overrides)
    for override in overrides:
        if idle := re.fullmatch(r"(?:\+*)(.+?)=\s*\{\s*\}", override):
            raise InputError(
                f"{idle[1]}: must be more than {{}}, which adds nothing to what is there and takes "
                f"nothing away; ~{idle[1]}.KEY takes one away"
            )
    options = list(given)
    for override in overrides:
        options.remove(override)
    return [*options, *map(as_texts, overrides)]


def as_texts(override: str) -> str:
    """Return `languages=[nan]` as `languages=['nan']`, and other overrides unchanged."""
    key = _LANGUAGE_OVERRIDE.match(override)
    if not key:
        return override
    return _NOT_A_TEXT.sub(r"'\1'", override)
