"""What a complete training is: all the steps that its configuration names."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, Timer

from lingmix.doors import Config
from lingmix.errors import InputError

SHORTENED_BY = (
    *("fast_dev_run", "limit_train_batches", "limit_val_batches", "overfit_batches", "barebones"),
    *("max_epochs", "max_time", "min_epochs", "min_steps", "reload_dataloaders_every_n_epochs"),
)
"""Lightning's keys that have less trained, or less looked at, than `trainer.max_steps` says."""


def refuse_shortened(trainer: Config) -> None:
    for key in SHORTENED_BY:
        if trainer.get(key) not in (None, False):
            raise InputError(
                f"trainer.{key}: must be left out, got {trainer[key]!r}: a run is complete after "
                "trainer.max_steps steps; set those"
            )
    for name, callback in (trainer["callbacks"] or {}).items():
        if str(callback.get("_target_")).rpartition(".")[2] == Timer.__name__:
            raise InputError(
                f"trainer.callbacks.{name}: must not end a training by the clock; set "
                "trainer.max_steps, or choose trainer=early_stopping"
            )


def require_trained(trainer: pl.Trainer) -> None:
    """Raises InputError where it ended before its last step, unless its score had it stop early."""
    early = any(isinstance(one, EarlyStopping) for one in trainer.callbacks)  # type: ignore[attr-defined]
    if trainer.global_step < trainer.max_steps and not (early and trainer.should_stop):
        raise InputError(
            f"trainer.max_steps: the training must have {trainer.max_steps} steps, it ended after "
            f"{trainer.global_step}; take out what shortens it, and start the same command again"
        )
