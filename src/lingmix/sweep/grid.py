"""The cells of a grid, each known by its hash before Hydra composes it."""

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
"""What Hydra makes of a job's overrides, which takes it a tenth of a second."""


class Plan(NamedTuple):
    """A cell that may have to run: its overrides, its plain values, what tells it apart."""

    overrides: Sequence[str]
    values: Config
    run: RunIdentity

    @property
    def identity(self) -> str:
        return self.run.hash


def plans(jobs: Sequence[Sequence[str]], compose: Compose) -> list[Plan]:
    """Each cell once."""
    parse = _parser()
    bases: list[_Base] = []
    found: dict[str, Plan] = {}
    places: list[Config] = []
    for job in jobs:
        overrides = [parse(line) for line in job]
        base = next((one for one in bases if one.covers(overrides)), None)
        if base is None:
            base = _Base(overrides, compose(job))
            bases.append(base)
        values = base.values(overrides)
        places.append({key: values[key] for key in ("name", "output_dir")})
        places[-1]["tracking.uri"] = values["tracking"]["uri"]
        plan = Plan(job, values, identify(values))
        found.setdefault(plan.identity, plan)
    for key in swept(places):
        raise InputError(
            f"{key}: must be the same for all cells of a sweep, which is recorded in one place; "
            "start a sweep for each"
        )
    return list(found.values())


def _parser() -> Callable[[str], Override]:
    """Reads a line once: the cells of a grid have most of theirs in common."""
    parser = OverridesParser.create()
    return cache(parser.parse_override)


def swept(cells: Sequence[Config]) -> list[str]:
    """Keys whose values differ between cells."""
    flat = [{key: str(value) for key, value in leaves(values).items()} for values in cells]
    keys = sorted({key for values in flat for key in values})
    return [key for key in keys if len({values.get(key) for values in flat}) > 1]


def without_hydra(config: DictConfig) -> DictConfig:
    task = config.copy()
    with open_dict(task):
        del task["hydra"]
    return task


class _Base:
    """A configuration that Hydra has composed, and all that differ from it in plain values; each is
    checked, before the first of them runs."""

    def __init__(self, overrides: Sequence[Override], config: DictConfig) -> None:
        self._lines = [one.input_line for one in overrides]
        groups = set(config.hydra.runtime.choices)
        self._command = config.hydra.job.config_name
        self._config = without_hydra(config)
        written: Any = OmegaConf.to_container(self._config)
        self._output_dir = written["output_dir"]
        keys = [one.key_or_group for one in overrides]
        self._plain = [
            one.key_or_group not in groups
            and _is_plain(one, self._config)
            and _is_alone(one.key_or_group, keys)
            for one in overrides
        ]

    def covers(self, overrides: Sequence[Override]) -> bool:
        return len(overrides) == len(self._lines) and all(
            one.input_line == line or (plain and _keeps(one, line))
            for one, line, plain in zip(overrides, self._lines, self._plain, strict=True)
        )

    def values(self, overrides: Sequence[Override]) -> Config:
        self._config.output_dir = self._output_dir
        lines = [one.input_line for one in overrides]
        for one, line in zip(overrides, self._lines, strict=True):
            if one.input_line != line:
                OmegaConf.update(self._config, one.key_or_group, one.value(), merge=True)
        self._lines = lines
        values = values_of(self._config)
        check_settings(values, self._command)
        return values


def _keeps(override: Override, line: str | None) -> bool:
    """Whether it gives the same key another value."""
    return str(line).startswith(f"{override.key_or_group}=") and _is_value(override)


def _is_plain(override: Override, config: DictConfig) -> bool:
    """Whether it sets a value, and no part of the configuration."""
    parents, _, last = override.key_or_group.rpartition(".")
    parent = OmegaConf.select(config, parents) if parents else config
    known = isinstance(parent, DictConfig) and last in parent.keys()  # noqa: SIM118 - ??? counts
    return known and _is_value(override) and not isinstance(_node(parent, last), DictConfig)


def _is_alone(key: str, keys: Sequence[str]) -> bool:
    """Whether no other sets it, a part of it or what it is part of: their order would matter."""
    names = [f"{one}." for one in keys]
    return sum(one.startswith(f"{key}.") or f"{key}.".startswith(one) for one in names) == 1


def _node(parent: DictConfig, key: str) -> Any:
    return parent._get_node(key)


def _is_value(override: Override) -> bool:
    if override.type is not OverrideType.CHANGE or override.package is not None:
        return False
    value = override.value()
    values = value if isinstance(value, list) else [value]
    return all(one is None or isinstance(one, bool | int | float | str) for one in values)
