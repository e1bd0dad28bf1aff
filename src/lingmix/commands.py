"""The console commands: settings are checked before anything is imported that takes seconds.

Variables that Lightning reads when it is imported are looked at before, too.
"""

from collections.abc import Callable
from importlib import import_module

from omegaconf import DictConfig

from lingmix.doors import door
from lingmix.launchers import launcher


def _command(name: str, function: str, *, launched: bool = False) -> Callable[[], None]:
    @door(name)
    def command(config: DictConfig) -> str:
        if launched:
            launcher()
        return getattr(import_module(f"lingmix.{name}"), function)(config)

    return command


train = _command("train", "train", launched=True)
evaluate = _command("evaluate", "evaluate", launched=True)
mine = _command("mine", "mine_negatives")
analyze = _command("analyze", "analyze")
sync = _command("sync", "sync")
sweeps = _command("sweeps", "sweeps")
