"""Callbacks that log a training's losses, gradients and speed; none changes the weights."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from lingmix.data.batches import Batch
from lingmix.data.schedule import Pass
from lingmix.errors import InputError
from lingmix.model.folder import Embedder
from lingmix.training.flops import computed_tokens, peak_flops, training_flops
from lingmix.training.gradients import gradient_norm
from lingmix.training.noise_scale import GradientSketch, NoiseFigures, NoiseScale


class LossMonitor(pl.Callback):
    """Logs the mean loss of a step's batches, also by kind of batch. `LightningModule.log` would
    take a tenth of a short step."""

    def __init__(self) -> None:
        self._losses: list[tuple[str, Tensor]] = []

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        self._losses.append((kind_of(batch), outputs["loss"]))
        accumulated = trainer.accumulate_grad_batches
        if (batch_idx + 1) % accumulated:
            return
        if _due(trainer, trainer.global_step):
            kinds, parts = zip(*self._losses, strict=True)
            # Lightning has divided each loss by their number
            losses = [part * accumulated for part in torch.stack(parts).tolist()]
            means = {"train/loss": fmean(losses)}
            for kind in sorted(set(kinds)):
                of_kind = [loss for loss, other in zip(losses, kinds, strict=True) if other == kind]
                means[f"train/loss_{kind}"] = fmean(of_kind)
            log_to_loggers(trainer, means, step=trainer.global_step - 1)
        self._losses.clear()


class GradientMonitor(pl.Callback):
    """Logs the gradient's norm before clipping and, with a window, the noise scale of each kind of
    batch and of each language pair whenever a window of a kind is full.

    With gradient accumulation, a step counts for the noise scale if its batches are all of one
    language pair, or all mixed and of one kind. The window counts optimizer steps. The figures are
    logged at the end of a batch, after its loss: MLflow compares runs by the metric logged first.
    """

    def __init__(self, *, noise_scale_window: int | None) -> None:
        if noise_scale_window is not None and noise_scale_window < 2:
            raise InputError(
                "noise_scale_window: must be at least 2 batches, or null for no noise scale, got "
                f"{noise_scale_window}"
            )
        self._scales = (
            {
                kind: NoiseScale(window=noise_scale_window)
                for kind in ("monolingual", "crosslingual")
            }
            if noise_scale_window
            else {}
        )
        self._sketch = GradientSketch()
        self._batches: list[tuple[str, Pass | None, int]] = []
        self._values: dict[str, float] = {}

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self._batches.append((kind_of(batch), batch.drawn, len(batch.pair_B)))

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        parameters = [weight for weight in pl_module.parameters() if weight.requires_grad]
        if _due(trainer, trainer.global_step + 1):
            self._values["train/gradient_norm"] = gradient_norm(parameters).item()
        sources = {(kind, drawn and drawn.language_pair) for kind, drawn, _ in self._batches}
        if self._scales and len(sources) == 1:
            ((kind, _),) = sources
            figures = self._scales[kind].add(
                self._sketch.fold(parameters),
                pairs=sum(pairs for *_, pairs in self._batches),
                drawn=[drawn for _, drawn, _ in self._batches if drawn],
            )
            self._values |= _noise_values(figures, kind) if figures else {}
        self._batches.clear()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        log_to_loggers(trainer, self._values, step=trainer.global_step - 1)
        self._values = {}

    def state_dict(self) -> dict[str, Any]:
        return {kind: scale.state_dict() for kind, scale in self._scales.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for kind, scale in self._scales.items():
            if kind in state_dict:
                scale.load_state_dict(state_dict[kind])


class SpeedMonitor(pl.Callback):
    """Logs rates per second over the steps since the last log, summed over the ranks, without the
    time of validation. Waiting is the time between steps in this process, mostly for data."""

    def __init__(
        self,
        *,
        embedder: Embedder,
        micro_batch_tokens: int | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._embedder = embedder
        self._micro_batch_tokens = micro_batch_tokens
        self._clock = clock
        self._restart()

    def _restart(self) -> None:
        self._started = self._idle_from = self._clock()
        self._waited = 0.0
        self._pairs = 0
        self._lengths: list[Tensor] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        device = trainer.strategy.root_device
        self._computed = partial(
            computed_tokens,
            self._embedder,
            device=device,
            micro_batch_tokens=self._micro_batch_tokens,
        )
        self._peak = peak_flops(device, str(trainer.precision))
        self._logged = trainer.global_step
        self._restart()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self._waited += self._clock() - self._idle_from

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        self._pairs += len(batch.pair_B)
        embedded = (batch.queries.tokens, batch.passages.tokens)
        self._lengths.append(torch.cat([tokens.lengths_B for tokens in embedded]))
        step = trainer.global_step
        if step == self._logged or not _due(trainer, step):  # accumulated batches share a step
            self._idle_from = self._clock()
            return
        self._logged = step
        log_to_loggers(trainer, self._rates(trainer), step=step - 1)
        self._restart()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._validating_from = self._clock()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        took = self._clock() - self._validating_from
        self._started += took
        self._idle_from += took

    def _rates(self, trainer: pl.Trainer) -> dict[str, float]:
        batches = [lengths_B.tolist() for lengths_B in self._lengths]  # waits for the device
        seconds = self._clock() - self._started
        tokens, computed, flops = _sum_over_ranks(
            trainer,
            sum(map(sum, batches)),
            sum(map(self._computed, batches)),
            sum(training_flops(self._embedder, lengths) for lengths in batches),
        )
        rates = {
            "train/pairs_per_second": self._pairs / seconds,
            "train/tokens_per_second": tokens / seconds,
            "train/padding_share": 1 - tokens / computed if computed else 0.0,
            "train/waiting_share": self._waited / seconds,
        }
        if self._peak and flops:
            rates["train/flop_utilisation"] = flops / seconds / (self._peak * trainer.world_size)
        return rates


def kind_of(batch: Batch) -> str:
    return "monolingual" if batch.monolingual else "crosslingual"


def _noise_values(figures: NoiseFigures, kind: str) -> dict[str, float]:
    values = {
        f"train/noise_scale_{kind}": figures.scale,
        f"train/noise_between_pairs_{kind}": figures.between_pairs,
        **{f"train/pair/{pair}/noise_scale": x for pair, x in figures.language_pairs.items()},
    }
    return {name: value for name, value in values.items() if value is not None}


def _sum_over_ranks(trainer: pl.Trainer, *values: float) -> Sequence[float]:
    if trainer.world_size == 1:
        return values
    local = torch.tensor(values, dtype=torch.float64, device=trainer.strategy.root_device)
    return trainer.strategy.reduce(local, reduce_op="sum").tolist()


def _due(trainer: pl.Trainer, step: int) -> bool:
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return every > 0 and step % every == 0


def log_to_loggers(trainer: pl.Trainer, values: dict[str, float], *, step: int) -> None:
    """Writes to the loggers directly: Lightning would write a value that a module logs again at
    each later log."""
    if values and trainer.is_global_zero:
        for logger in trainer.loggers:
            logger.log_metrics(values, step=step)
