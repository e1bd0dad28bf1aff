"""What a complete training is: all the steps that its configuration names."""

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

from lingmix.errors import InputError


def require_trained(trainer: pl.Trainer) -> None:
    """Raises InputError where it ended before its last step, unless its score had it stop early."""
    early = any(isinstance(one, EarlyStopping) for one in trainer.callbacks)  # type: ignore[attr-defined]
    if trainer.global_step < trainer.max_steps and not (early and trainer.should_stop):
        raise InputError(
            f"trainer.max_steps: the training must have {trainer.max_steps} steps, it ended after "
            f"{trainer.global_step}; take out what shortens it, and start the same command again"
        )
