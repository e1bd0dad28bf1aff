"""The Hydra sweeper of a grid: Hydra's basic sweeper without its trial composition of each job."""

from dataclasses import dataclass

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext


@dataclass
class LingmixGridConf(BasicSweeperConf):
    _target_: str = "hydra_plugins.lingmix_grid.LingmixGrid"


ConfigStore.instance().store(
    group="hydra/sweeper", name="lingmix_grid", node=LingmixGridConf, provider="lingmix"
)


class LingmixGrid(BasicSweeper):
    """Expand a grid and launch it as one batch; `lingmix.sweep.grid` checks every job first.

    It writes no `multirun.yaml`, which would contain the password of the tracking store.
    """

    hydra_context: HydraContext
    launcher: Launcher

    def sweep(self, arguments: list[str]) -> None:
        parser = OverridesParser.create(self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        for jobs in self.split_arguments(overrides, self.max_batch_size):
            self.launcher.launch(jobs, initial_job_idx=0)
