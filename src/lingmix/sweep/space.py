"""The search space of a study: Hydra's sweep syntax as Optuna's distributions."""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lingmix.errors import InputError

Space = dict[str, BaseDistribution]
"""Distributions by the key of the override."""


def search_space(overrides: Sequence[Override]) -> tuple[list[str], Space]:
    """Split overrides into those that all trials share and the space that each trial samples from.

    The last override of a key counts. Raises InputError where nothing varies, and for a sweep that
    is no distribution of Optuna.
    """
    last = {override.get_key_element(): override for override in overrides}
    space = {key: _distribution(line) for key, line in last.items() if line.is_sweep_override()}
    if all(distribution.single() for distribution in space.values()):
        raise InputError(
            "hydra.sweeper.params: there is nothing to search; write keys that vary, such as "
            "'sampler.alpha=interval(0,1)' or 'augmentation.scale=choice(0,100)'"
        )
    return [str(line.input_line) for key, line in last.items() if key not in space], space


def overrides_of(params: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in params.items()]


def corners(space: Space) -> list[dict[str, Any]]:
    """Return the first value of every key, and each point that differs from it in one key only.

    An interval or range is represented by its two ends, a choice by all its values.
    """
    ends = {key: _ends(distribution) for key, distribution in space.items()}
    first = {key: values[0] for key, values in ends.items()}
    return [first, *(first | {key: value} for key, values in ends.items() for value in values[1:])]


def _ends(distribution: Any) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return distribution.low, distribution.high


def _distribution(override: Override) -> BaseDistribution:
    """Choices are kept as override texts, so that lists and group choices can be chosen too."""
    value = override.value()
    key, line = override.get_key_element(), str(override.input_line)
    try:
        if isinstance(value, IntervalSweep):
            return _between(value.start, value.end, log="log" in value.tags, step=None)
        if isinstance(value, RangeSweep):
            values = sorted(value.range())
            if not values:
                raise ValueError("it is empty")
            return _between(values[0], values[-1], log="log" in value.tags, step=abs(value.step))
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(f"{key}: cannot be searched ({reason}), got {line}") from error


def _between(low: Any, high: Any, *, log: bool, step: Any) -> BaseDistribution:
    if low > high:
        raise ValueError("it must not end below its start")
    if all(isinstance(number, int) for number in (low, high, step or 1)):
        return IntDistribution(low, high, log=log, step=step or 1)
    return FloatDistribution(low, high, log=log, step=step)
