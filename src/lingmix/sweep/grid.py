"""The cells of a grid, identified by their configuration hashes before Hydra composes each."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, open_dict

from lingmix.cli.checks import check_settings
from lingmix.cli.config import Config, values_of
from lingmix.errors import InputError
from lingmix.tracking.flat_config import leaves
from lingmix.tracking.identity import RunIdentity, identify

Compose = Callable[[Sequence[str]], DictConfig]
"""Hydra's composition of a job's overrides, which takes a tenth of a second."""


class Plan(NamedTuple):
    """A cell that may have to run: its overrides, its plain values and its identity."""

    overrides: Sequence[str]
    values: Config
    run: RunIdentity

    @property
    def identity(self) -> str:
        return self.run.hash


def plan_cells(jobs: Sequence[Sequence[str]], compose: Compose) -> list[Plan]:
    """Return the distinct cells of `jobs`, which are lists of overrides; equal hashes are one cell.

    Raises InputError for settings that the command refuses, and where the cells differ in `name`,
    `output_dir` or `tracking.uri`.
    """
    parse = _parser()
    templates: list[_Template] = []
    found: dict[str, Plan] = {}
    places: list[Config] = []
    for job in jobs:
        overrides = [parse(line) for line in job]
        base = next((base for base in templates if base.covers(overrides)), None)
        if base is None:
            base = _Template(overrides, compose(job))
            templates.append(base)
        values = base.values(overrides)
        places.append({key: values[key] for key in ("name", "output_dir")})
        places[-1]["tracking.uri"] = values["tracking"]["uri"]
        plan = Plan(job, values, identify(values))
        found.setdefault(plan.identity, plan)
    for key in varied_keys(places):
        raise InputError(
            f"{key}: must be the same for all cells of a sweep, which is recorded in one place; "
            "start a sweep for each"
        )
    return list(found.values())


def _parser() -> Callable[[str], Override]:
    """Cached, as the cells of a grid have most of their overrides in common."""
    parser = OverridesParser.create()
    return cache(parser.parse_override)


def varied_keys(cells: Sequence[Config]) -> list[str]:
    """Return the dotted keys whose values differ between cells, sorted."""
    flat = [{key: str(value) for key, value in leaves(values).items()} for values in cells]
    keys = sorted({key for values in flat for key in values})
    return [key for key in keys if len({values.get(key) for values in flat}) > 1]


def without_hydra(config: DictConfig) -> DictConfig:
    task = config.copy()
    with open_dict(task):
        del task["hydra"]
    return task


class _Template:
    """A configuration that Hydra has composed, and those that differ in plain values only.

    An override that chooses a group, sets a part of the configuration, or overlaps another one
    needs a composition by Hydra: `covers` says whether a job can do without.
    """

    def __init__(self, overrides: Sequence[Override], config: DictConfig) -> None:
        self._lines = [override.input_line for override in overrides]
        groups = set(config.hydra.runtime.choices)
        self._command = config.hydra.job.config_name
        self._config = without_hydra(config)
        written: Any = OmegaConf.to_container(self._config)
        self._output_dir = written["output_dir"]
        keys = [override.key_or_group for override in overrides]
        self._plain = [
            override.key_or_group not in groups
            and _is_plain(override, self._config)
            and _is_independent(override.key_or_group, keys)
            for override in overrides
        ]

    def covers(self, overrides: Sequence[Override]) -> bool:
        return len(overrides) == len(self._lines) and all(
            override.input_line == line or (plain and _sets_same_key(override, line))
            for override, line, plain in zip(overrides, self._lines, self._plain, strict=True)
        )

    def values(self, overrides: Sequence[Override]) -> Config:
        self._config.output_dir = self._output_dir
        for override, line in zip(overrides, self._lines, strict=True):
            if override.input_line != line:
                OmegaConf.update(self._config, override.key_or_group, override.value(), merge=True)
        self._lines = [override.input_line for override in overrides]
        values = values_of(self._config)
        check_settings(values, self._command)
        return values


def _sets_same_key(override: Override, line: str | None) -> bool:
    """Whether the override gives the key of `line` another plain value."""
    return str(line).startswith(f"{override.key_or_group}=") and _is_value(override)


def _is_plain(override: Override, config: DictConfig) -> bool:
    """Whether the override replaces a value and not a part of the configuration."""
    parents, _, last = override.key_or_group.rpartition(".")
    parent = OmegaConf.select(config, parents) if parents else config
    known = isinstance(parent, DictConfig) and last in parent.keys()  # noqa: SIM118 - ??? counts
    return known and _is_value(override) and not isinstance(_node(parent, last), DictConfig)


def _is_independent(key: str, keys: Sequence[str]) -> bool:
    """Whether no other key is equal to, above or below this one: their order would matter."""
    own = f"{key}."
    paths = [f"{other}." for other in keys]
    return sum(path.startswith(own) or own.startswith(path) for path in paths) == 1


def _node(parent: DictConfig, key: str) -> Any:
    return parent._get_node(key)


def _is_value(override: Override) -> bool:
    if override.type is not OverrideType.CHANGE or override.package is not None:
        return False
    value = override.value()
    values = value if isinstance(value, list) else [value]
    return all(part is None or isinstance(part, bool | int | float | str) for part in values)
