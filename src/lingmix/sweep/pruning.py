"""Pruning: a cell of a study asks Optuna's pruner at each validation whether to stop."""

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
from lingmix.sweep.objectives import goal
from lingmix.training.checkpoints import state_path


def pruning_study_name(study: str, objective: str) -> str:
    """Name the single-objective study of learning curves: Optuna's pruners take no other kind."""
    return f"{study} {objective}"


def study_storage(config: Config, *, sweep: str) -> JournalStorage:
    """Return the journal file of the sweep's studies, shared by all processes with `output_dir`."""
    path = Path(config["output_dir"], "runs", config["name"], f"study-{sweep}.journal")
    return JournalStorage(JournalFileBackend(str(path)))


def with_pruning(
    compose: Compose, *, study: str, objectives: Sequence[str], pruner: Config | None
) -> Compose:
    """Wrap `compose` so that a cell's configuration names its study, objectives and pruner."""
    if pruner is None:
        return compose
    pruning = {"study": study, "objectives": objectives, "pruner": pruner}

    def composed(overrides: Sequence[str]) -> DictConfig:
        config = compose(overrides)
        with open_dict(config):
            config.tracking.pruning = pruning
        return config

    return composed


class Pruning(pl.Callback):
    """Raises PrunedError in a training that the pruner rejects by every objective.

    A cell that is good by one of them may be on the Pareto front. A checkpoint is saved first, from
    which the same cell can resume.
    """

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
        self._rejected = False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            optuna.logging.set_verbosity(optuna.logging.WARNING)
            storage = self._studies()
            for objective in self._objectives:
                name = pruning_study_name(self._study, objective)
                study = optuna.load_study(study_name=name, storage=storage, pruner=self._pruner)
                self._trials[objective] = study.ask()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit" and trainer.global_step < trainer.max_steps:
            rejected = trainer.is_global_zero and self._should_prune(trainer)
            self._rejected = trainer.strategy.broadcast(rejected)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        if self._rejected:
            self._flush()
            trainer.save_checkpoint(state_path(self._folder, trainer.global_step))
            scores = ", ".join(
                f"{objective} {float(trainer.callback_metrics[objective]):.3f}"
                for objective in self._objectives
            )
            raise PrunedError(f"pruned at step {trainer.global_step}: {scores}")

    def _should_prune(self, trainer: pl.Trainer) -> bool:
        scores = trainer.callback_metrics
        if not all(objective in scores for objective in self._trials):
            return False
        for objective, trial in self._trials.items():
            score = goal(objective, float(scores[objective]))
            trial.report(score, trainer.global_step - 1)  # the logged step
        # a list, so that every trial is asked: each pruner records its own decision
        rejected = [trial.should_prune() for trial in self._trials.values()]
        return all(rejected)
