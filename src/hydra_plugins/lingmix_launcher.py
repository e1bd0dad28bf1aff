"""Hydra's ways in to `lingmix.sweep.sweep`: `hydra/launcher` is lingmix_local, _slurm or _ray, or
lingmix_own for a runner of one's own."""

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
"""`conf/launcher` says the rest."""

store = ConfigStore.instance().store
store(group="hydra/launcher", name="lingmix_local", node=LingmixLocalConf, provider="lingmix")
store(group="hydra/launcher", name="lingmix_slurm", node=SLURM_CONF, provider="lingmix")
store(group="hydra/launcher", name="lingmix_ray", node=RAY_CONF, provider="lingmix")
store(group="hydra/launcher", name="lingmix_own", node=OWN_CONF, provider="lingmix")


class LingmixLauncher(Launcher, ABC):
    """Has a sweep composed; how its cells run is the launcher's own."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from lingmix.cli.launching import check_launcher  # noqa: PLC0415 - as below

        self._loader = hydra_context.config_loader
        self._config = config
        asked: Any = OmegaConf.to_container(config.hydra.launcher, resolve=True)
        check_launcher(asked)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        from lingmix.sweep.grid import plans  # noqa: PLC0415 - Hydra imports plugins at any start

        def compose(overrides: Sequence[str]) -> DictConfig:
            return self._loader.load_sweep_config(self._config, list(overrides))

        door = self._config.hydra.job.config_name
        grid = plans(job_overrides, compose)
        from lingmix.sweep.sweep import sweep  # noqa: PLC0415 - MLflow, for a grid that is right

        sweep(grid, compose=compose, door=door, run_all=self.cell_runner())
        return [_done(overrides) for overrides in job_overrides]

    @abstractmethod
    def cell_runner(self) -> Any:
        """A `lingmix.sweep.cell.CellRunner`."""


class LingmixLocal(LingmixLauncher):
    """Each cell in a process of its own on this machine."""

    def __init__(self, processes: int | None) -> None:
        self._processes = processes

    def cell_runner(self) -> Any:
        from lingmix.sweep.local import run_here  # noqa: PLC0415

        return partial(run_here, processes=self._processes)


class LingmixSlurm(LingmixLauncher):
    """Each cell a task of a Slurm job array, with the resources that its configuration asks for."""

    def __init__(self, **asked: object) -> None:
        pass

    def cell_runner(self) -> Any:
        from lingmix.sweep.slurm import run_on_slurm  # noqa: PLC0415

        return run_on_slurm


class LingmixRay(LingmixLauncher):
    """Each cell a task of a Ray cluster."""

    def __init__(self, **asked: Any) -> None:
        self._asked = asked

    def cell_runner(self) -> Any:
        from lingmix.sweep.ray import run_on_ray  # noqa: PLC0415

        return partial(run_on_ray, **self._asked)


class LingmixOwn(LingmixLauncher):
    """Cells run as the `_target_` of `runner` has it, a `CellRunner` with `_partial_: true`."""

    def __init__(self, runner: DictConfig) -> None:
        self._runner = runner

    def cell_runner(self) -> Any:
        from lingmix.cli.config import build  # noqa: PLC0415

        return build(OmegaConf.to_container(self._runner, resolve=True))


def _done(overrides: Sequence[str]) -> JobReturn:
    finished: Any = JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
    finished.return_value = None
    return finished
