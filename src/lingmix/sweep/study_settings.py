"""The settings of a study, as `conf/sweep/optuna.yaml` explains them."""

from collections.abc import Sequence
from typing import NamedTuple

from lingmix.cli.config import Config
from lingmix.errors import InputError
from lingmix.sweep.objectives import Direction, direction, is_validation


class StudySettings(NamedTuple):
    """The settings of `hydra.sweeper`: `trials` in all, `at_once` of them in a batch."""

    trials: int
    at_once: int
    seed: int
    objectives: Sequence[str]
    sampler: Config
    pruner: Config | None

    @property
    def directions(self) -> list[Direction]:
        return [*map(direction, self.objectives)]

    @property
    def validation_objectives(self) -> list[str]:
        """The objectives that are measured during training, which a pruner needs."""
        return [*filter(is_validation, self.objectives)]

    def refuse_unsupported(self) -> None:
        for key, count in (("trials", self.trials), ("at_once", self.at_once)):
            if count < 1:
                raise InputError(f"hydra.sweeper.{key}: must be at least 1, got {count}")
        if not self.objectives:
            raise InputError(
                "hydra.sweeper.objectives: must name scores, such as "
                "[val/development/multilingual/map], got none"
            )
        if self.pruner is not None and not self.validation_objectives:
            raise InputError(
                "hydra.sweeper.pruner: needs objectives that are measured during training, "
                f"val/..., got {', '.join(self.objectives)}; name one, or set it to null"
            )
