"""What a training shows of itself while it runs; none of it changes the weights."""

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
from lingmix.training.noise_scale import GradientSketch, NoiseFigures, NoiseScale, gradient_norm


class LossWatch(pl.Callback):
    """The mean loss of a step's batches, also by kind of batch. A module's own log takes a tenth of
    a short step."""

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
            # Lightning has divided them
            losses = [part * accumulated for part in torch.stack(parts).tolist()]
            means = {"train/loss": fmean(losses)}
            for kind in sorted(set(kinds)):
                own = [loss for loss, of in zip(losses, kinds, strict=True) if of == kind]
                means[f"train/loss_{kind}"] = fmean(own)
            log_at_once(trainer, means, step=trainer.global_step - 1)
        self._losses.clear()


class GradientWatch(pl.Callback):
    """The gradient's norm before clipping and, where there is a window, the noise scale of each
    kind of batch and of each language pair, logged as the windows of a kind fill.

    Where batches accumulate, a step counts for the noise scale if they are all of one language
    pair, or all mixed and of one kind.
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

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self._batches.append((kind_of(batch), batch.drawn, len(batch.pair_B)))

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        parameters = [one for one in pl_module.parameters() if one.requires_grad]
        values = {}
        if _due(trainer, trainer.global_step + 1):
            values["train/gradient_norm"] = gradient_norm(parameters).item()
        made_of = {(kind, drawn and drawn.language_pair) for kind, drawn, _ in self._batches}
        if self._scales and len(made_of) == 1:
            ((kind, _),) = made_of
            figures = self._scales[kind].add(
                self._sketch.of(parameters),
                pairs=sum(pairs for *_, pairs in self._batches),
                drawn=[drawn for _, drawn, _ in self._batches if drawn],
            )
            values |= _noise_values(figures, kind) if figures else {}
        self._batches.clear()
        log_at_once(trainer, values, step=trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        return {kind: scale.state_dict() for kind, scale in self._scales.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for kind, scale in self._scales.items():
            if kind in state_dict:
                scale.load_state_dict(state_dict[kind])


class SpeedWatch(pl.Callback):
    """What the steps since the last log did in a second, all ranks together; validation does not
    count. Waiting is the time between steps as this process sees it, mostly for data."""

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
        self._since = self._idle_from = self._clock()
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
        if step == self._logged or not _due(trainer, step):  # the same while batches accumulate
            self._idle_from = self._clock()
            return
        self._logged = step
        log_at_once(trainer, self._rates(trainer), step=step - 1)
        self._restart()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._validating_from = self._clock()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        took = self._clock() - self._validating_from
        self._since += took
        self._idle_from += took

    def _rates(self, trainer: pl.Trainer) -> dict[str, float]:
        batches = [lengths_B.tolist() for lengths_B in self._lengths]  # waits for the device
        seconds = self._clock() - self._since
        tokens, computed, flops = _summed(
            trainer,
            sum(map(sum, batches)),
            sum(map(self._computed, batches)),
            sum(training_flops(self._embedder, lengths) for lengths in batches),
        )
        rates = {
            "train/pairs_per_second": self._pairs / seconds,
            "train/tokens_per_second": tokens / seconds,
            "train/padded_tokens_per_second": computed / seconds,
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
        **{f"train/pair/{name}/noise_scale": one for name, one in figures.language_pairs.items()},
    }
    return {name: value for name, value in values.items() if value is not None}


def _summed(trainer: pl.Trainer, *values: float) -> Sequence[float]:
    """Over the ranks."""
    if trainer.world_size == 1:
        return values
    local = torch.tensor(values, dtype=torch.float64, device=trainer.strategy.root_device)
    return trainer.strategy.reduce(local, reduce_op="sum").tolist()


def _due(trainer: pl.Trainer, step: int) -> bool:
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return every > 0 and step % every == 0


def log_at_once(trainer: pl.Trainer, values: dict[str, float], *, step: int) -> None:
    """To the loggers themselves: what a module logs is written again at each later log."""
    if values and trainer.is_global_zero:
        for logger in trainer.loggers:
            logger.log_metrics(values, step=step)
