"""Checks that a training is complete: that it has all the steps of its configuration."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

from lingmix.errors import InputError


def require_trained(trainer: pl.Trainer) -> None:
    """Raises InputError where the training ended before its last step, but for early stopping."""
    can_stop = any(isinstance(found, EarlyStopping) for found in trainer.callbacks)  # type: ignore[attr-defined]
    if trainer.global_step < trainer.max_steps and not (can_stop and trainer.should_stop):
        raise InputError(
            f"trainer.max_steps: the training must have {trainer.max_steps} steps, it ended after "
            f"{trainer.global_step}; take out what shortens it, and start the same command again"
        )
