"""A cell of a study asks at each validation whether it is worth going on."""

from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
import pytorch_lightning as pl
from omegaconf import DictConfig, open_dict
from optuna.pruners import BasePruner
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial

from lingmix.cli.config import Config
from lingmix.signals import PrunedError
from lingmix.sweep.grid import Compose
from lingmix.training.checkpoints import state_path


def course_name(study: str, objective: str) -> str:
    """The study of one objective that keeps how trials came to it: a pruner knows no other."""
    return f"{study} {objective}"


def studies_of(config: Config, *, sweep: str) -> JournalStorage:
    """A file, which all processes may write to that share `output_dir`."""
    path = Path(config["output_dir"], "runs", config["name"], f"study-{sweep}.journal")
    return JournalStorage(JournalFileBackend(str(path)))


def judged(
    compose: Compose, *, study: str, objectives: Sequence[str], pruner: Config | None
) -> Compose:
    """Has each cell know by what it is judged, and beside whom."""
    if pruner is None:
        return compose
    told = {"study": study, "objectives": objectives, "pruner": pruner}

    def composed(overrides: Sequence[str]) -> DictConfig:
        config = compose(overrides)
        with open_dict(config):
            config.tracking.pruning = told
        return config

    return composed


class Pruning(pl.Callback):
    """Stops a training that its pruner gives up by every objective: one that is good at any of them
    may be on the front. Its state is kept, so that the same cell can go on."""

    def __init__(
        self,
        *,
        studies: Callable[[], JournalStorage],
        study: str,
        objectives: Sequence[str],
        pruner: BasePruner,
        folder: Path,
        flush: Callable[[], None],
    ) -> None:
        self._studies, self._study = studies, study
        self._objectives, self._pruner = objectives, pruner
        self._folder, self._flush = folder, flush
        self._trials: dict[str, Trial] = {}
        self._given_up = False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            optuna.logging.set_verbosity(optuna.logging.WARNING)
            storage = self._studies()
            for objective in self._objectives:
                name = course_name(self._study, objective)
                study = optuna.load_study(study_name=name, storage=storage, pruner=self._pruner)
                self._trials[objective] = study.ask()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit" and trainer.global_step < trainer.max_steps:
            told = trainer.is_global_zero and self._told_worse(trainer)
            self._given_up = trainer.strategy.broadcast(told)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        if self._given_up:
            self._flush()
            trainer.save_checkpoint(state_path(self._folder, trainer.global_step))
            scores = ", ".join(
                f"{one} {float(trainer.callback_metrics[one]):.3f}" for one in self._objectives
            )
            raise PrunedError(f"pruned at step {trainer.global_step}: {scores}")

    def _told_worse(self, trainer: pl.Trainer) -> bool:
        measured = trainer.callback_metrics
        if not all(objective in measured for objective in self._trials):
            return False
        for objective, trial in self._trials.items():
            trial.report(float(measured[objective]), trainer.global_step - 1)  # as it is logged
        worse = [trial.should_prune() for trial in self._trials.values()]  # each keeps its own
        return all(worse)
