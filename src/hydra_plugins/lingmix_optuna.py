"""The Hydra sweeper of a study, lingmix_optuna: Optuna proposes the cells of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import MISSING, DictConfig, OmegaConf


@dataclass
class LingmixOptunaConf:
    """Settings of a study; `conf/sweep/optuna.yaml` explains them."""

    _target_: str = "hydra_plugins.lingmix_optuna.LingmixOptuna"
    _recursive_: bool = False
    trials: int = MISSING
    at_once: int = MISSING
    seed: int = MISSING
    objectives: list[str] = MISSING
    sampler: dict[str, Any] = MISSING
    pruner: Any = MISSING
    params: dict[str, str] = field(default_factory=dict)


ConfigStore.instance().store(
    group="hydra/sweeper", name="lingmix_optuna", node=LingmixOptunaConf, provider="lingmix"
)


class LingmixOptuna(Sweeper):
    """Run the cells that Optuna proposes by the launcher that is configured beside this sweeper."""

    def __init__(self, params: DictConfig, **settings: Any) -> None:
        self._lines = [f"{key!s}={value}" for key, value in params.items()]
        self._settings: dict[str, Any] = {
            key: OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            for key, value in settings.items()
        }

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self._loader = hydra_context.config_loader
        self._config = config
        self._launcher: Any = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        from lingmix.cli.launching import check_study  # noqa: PLC0415 - plugins are always imported
        from lingmix.errors import InputError  # noqa: PLC0415

        check_study(self._settings)

        try:
            from lingmix.sweep.study import run_study  # noqa: PLC0415
            from lingmix.sweep.study_settings import StudySettings  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name != "optuna":
                raise
            raise InputError(
                "hydra/sweeper: Optuna is not installed; run `pip install lingmix[search]`, or "
                "sweep over a grid"
            ) from error

        command = self._config.hydra.job.config_name
        parser = OverridesParser.create(config_loader=self._loader)
        run_study(
            parser.parse_overrides([*self._lines, *arguments]),
            StudySettings(**self._settings),
            compose=self._compose,
            command=command,
            run_all=self._launcher.cell_runner(),
        )

    def _compose(self, overrides: Sequence[str]) -> DictConfig:
        return self._loader.load_sweep_config(self._config, list(overrides))
