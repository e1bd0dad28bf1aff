"""Hydra's own sweeper without its trial composition of every job, which took as long again."""

from collections.abc import Sequence
from dataclasses import dataclass

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore


@dataclass
class LingmixGridConf(BasicSweeperConf):
    _target_: str = "hydra_plugins.lingmix_grid.LingmixGrid"


ConfigStore.instance().store(
    group="hydra/sweeper", name="lingmix_grid", node=LingmixGridConf, provider="lingmix"
)


class LingmixGrid(BasicSweeper):
    """`lingmix.sweep.grid` looks at all jobs before the first one starts."""

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        pass
