"""Hydra launchers that run a grid through `lingmix.sweep.sweep`: lingmix_local, lingmix_slurm,
lingmix_ray, and lingmix_own for a runner that the user names."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


@dataclass
class LingmixLocalConf:
    _target_: str = "hydra_plugins.lingmix_launcher.LingmixLocal"
    processes: int | None = None


SLURM_CONF = {"_target_": "hydra_plugins.lingmix_launcher.LingmixSlurm"}
RAY_CONF = {"_target_": "hydra_plugins.lingmix_launcher.LingmixRay"}
OWN_CONF = {"_target_": "hydra_plugins.lingmix_launcher.LingmixOwn", "_recursive_": False}
"""Their settings are in `conf/launcher`, and checked by `lingmix.cli.launching`."""

store = ConfigStore.instance().store
store(group="hydra/launcher", name="lingmix_local", node=LingmixLocalConf, provider="lingmix")
store(group="hydra/launcher", name="lingmix_slurm", node=SLURM_CONF, provider="lingmix")
store(group="hydra/launcher", name="lingmix_ray", node=RAY_CONF, provider="lingmix")
store(group="hydra/launcher", name="lingmix_own", node=OWN_CONF, provider="lingmix")


class LingmixLauncher(Launcher, ABC):
    """Compose the cells of a sweep and run them by the `cell_runner` of the subclass."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from lingmix.cli.launching import check_launcher  # noqa: PLC0415 - as below

        self._loader = hydra_context.config_loader
        self._config = config
        settings: Any = OmegaConf.to_container(config.hydra.launcher, resolve=True)
        check_launcher(settings)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        from lingmix.sweep.grid import plan_cells  # noqa: PLC0415 - Hydra imports plugins at any start

        def compose(overrides: Sequence[str]) -> DictConfig:
            return self._loader.load_sweep_config(self._config, list(overrides))

        command = self._config.hydra.job.config_name
        grid = plan_cells(job_overrides, compose)
        from lingmix.sweep.sweep import run_grid  # noqa: PLC0415 - MLflow, for a grid that is right

        run_grid(grid, compose=compose, command=command, run_all=self.cell_runner())
        return [_done(overrides) for overrides in job_overrides]

    @abstractmethod
    def cell_runner(self) -> Any:
        """Return the `lingmix.sweep.cell.CellRunner` of this launcher."""


class LingmixLocal(LingmixLauncher):
    """Run each cell as a process on this machine."""

    def __init__(self, processes: int | None) -> None:
        self._processes = processes

    def cell_runner(self) -> Any:
        from lingmix.sweep.local import run_locally  # noqa: PLC0415

        return partial(run_locally, processes=self._processes)


class LingmixSlurm(LingmixLauncher):
    """Run each cell as a task of a Slurm job array, with the resources that it requests."""

    def __init__(self, **settings: object) -> None:
        pass  # each cell is submitted with the settings of its own configuration

    def cell_runner(self) -> Any:
        from lingmix.sweep.slurm import run_on_slurm  # noqa: PLC0415

        return run_on_slurm


class LingmixRay(LingmixLauncher):
    """Run each cell as a task of a Ray cluster."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def cell_runner(self) -> Any:
        from lingmix.sweep.ray import run_on_ray  # noqa: PLC0415

        return partial(run_on_ray, **self._settings)


class LingmixOwn(LingmixLauncher):
    """Run the cells by the `CellRunner` that `runner` builds, a node with `_partial_: true`."""

    def __init__(self, runner: DictConfig) -> None:
        self._runner = runner

    def cell_runner(self) -> Any:
        from lingmix.cli.config import build  # noqa: PLC0415

        return build(OmegaConf.to_container(self._runner, resolve=True))


def _done(overrides: Sequence[str]) -> JobReturn:
    finished: Any = JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
    finished.return_value = None
    return finished
