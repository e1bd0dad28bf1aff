"""What a study may choose from: Hydra's sweep syntax as Optuna's distributions."""

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
"""By the key of the override."""


def space_of(overrides: Sequence[Override]) -> tuple[list[str], Space]:
    """The overrides that all trials share, and what each trial chooses from; the last of a key
    counts."""
    last = {one.get_key_element(): one for one in overrides}
    space = {key: _distribution(one) for key, one in last.items() if one.is_sweep_override()}
    if all(one.single() for one in space.values()):
        raise InputError(
            "hydra.sweeper.params: there is nothing to search; write keys that vary, such as "
            "'sampler.alpha=interval(0,1)' or 'augmentation.scale=choice(0,100)'"
        )
    return [str(one.input_line) for key, one in last.items() if key not in space], space


def overrides_of(params: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in params.items()]


def corners(space: Space) -> list[dict[str, Any]]:
    """The first of everything, and all that differs from it in one key, of an interval its end."""
    ends = {key: _ends(one) for key, one in space.items()}
    first = {key: values[0] for key, values in ends.items()}
    others = [first | {key: value} for key, values in ends.items() for value in values[1:]]
    return [first, *others]


def _ends(distribution: Any) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return distribution.low, distribution.high


def _distribution(override: Override) -> BaseDistribution:
    """A choice is of texts, as an override has them: lists and group choices are choices too."""
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
        told = str(error).splitlines()[0].rstrip(".")
        raise InputError(f"{key}: cannot be searched ({told}), got {line}") from error


def _between(low: Any, high: Any, *, log: bool, step: Any) -> BaseDistribution:
    if low > high:
        raise ValueError("it must not end below its start")
    if all(isinstance(one, int) for one in (low, high, step or 1)):
        return IntDistribution(low, high, log=log, step=step or 1)
    return FloatDistribution(low, high, log=log, step=step)
