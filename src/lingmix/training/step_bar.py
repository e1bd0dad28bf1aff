"""The progress bar of a training, in steps."""

from collections.abc import Generator

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from lingmix.progress import with_progress


class StepBar(ProgressBar):
    """Replaces Lightning's bar, which counts epochs: a training here is one endless epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._steps: Generator[int, None, None] | None = None

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        """Lightning calls it on all ranks but 0."""
        self._enabled = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._enabled:
            return
        first, steps = trainer.global_step, trainer.max_steps
        self._steps = with_progress(
            range(first, steps),
            "Training",
            total=steps,
            size=lambda _: 1,
            done=first,
            columns=(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            ),
        )
        self._step = next(self._steps, steps)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Advances when the step has ended: gradient accumulation takes several batches."""
        if self._steps is not None and self._step < trainer.global_step:
            self._step = next(self._steps, trainer.max_steps)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._steps is not None:
            self._steps.close()
