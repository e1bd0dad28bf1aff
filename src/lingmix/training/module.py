"""The LightningModule that trains the dual encoder."""

from collections.abc import Callable

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch.optim import Optimizer
from torchmetrics import Metric

from lingmix.data.batches import Batch
from lingmix.data.datamodule import DevelopmentBatch, HybridDataModule
from lingmix.data.tokens import Tokens
from lingmix.errors import InputError
from lingmix.evaluation.metric_names import on_development_set
from lingmix.model.encoder import Encoder
from lingmix.training.distributed import SummedDDP, gather_rows
from lingmix.training.gradient_cache import embed
from lingmix.training.gradients import clip_norm
from lingmix.training.loss import Loss
from lingmix.training.monitors import log_to_loggers
from lingmix.training.row_adam import RowAdamW

BuildOptimizer = Callable[..., OptimizerLRScheduler]


class DualEncoder(pl.LightningModule):
    """Trains one encoder for queries and passages by a contrastive loss.

    `development` scores the development set's embeddings at each validation; its scores are logged
    as `val/development/...`. A device's share of a batch of more than `micro_batch_tokens` tokens
    is embedded in micro-batches, in the memory of one; None: all at once. Each device computes the
    loss of the whole batch. Raises InputError where the loss is not finite.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        loss: Loss,
        optimizer: BuildOptimizer,
        max_steps: int,
        development: Metric | None,
        micro_batch_tokens: int | None,
    ) -> None:
        super().__init__()
        if micro_batch_tokens is not None and micro_batch_tokens < 1:
            raise InputError(
                "micro_batch_tokens: must be above 0, or null for the whole batch at once, "
                f"got {micro_batch_tokens}"
            )
        self.encoder = encoder
        self.loss = loss
        self.development = development
        self._optimizer = optimizer
        self._max_steps = max_steps
        self._micro_batch_tokens = micro_batch_tokens

    def configure_optimizers(self) -> OptimizerLRScheduler:
        configured = self._optimizer(self.parameters(), max_steps=self._max_steps)
        if isinstance(configured, dict) and isinstance(configured["optimizer"], RowAdamW):
            self.encoder.make_gradient_sparse()
        return configured

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Lightning's own clipping takes no sparse gradient."""
        gradients = [weight.grad for weight in self.parameters() if weight.grad is not None]
        if gradient_clip_val is not None and any(one.is_sparse for one in gradients):
            clip_norm(self.parameters(), largest=gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_fit_start(self) -> None:
        if self.trainer.world_size > 1 and not isinstance(self.trainer.strategy, SummedDDP):
            raise InputError(
                f"trainer.strategy: must be {SummedDDP.name} on several devices, whose gradients "
                f"add up to the batch's, got {type(self.trainer.strategy).__name__}"
            )

    def training_step(self, batch: Batch, step: int) -> torch.Tensor:
        queries_BD, passages_PD = self._embed(batch)
        loss = self.loss(queries_BD, passages_PD, batch)
        if not torch.isfinite(loss):
            raise InputError(
                f"step {self.global_step}: the loss is {loss.item()}{self._origin(batch)}; lower "
                "optimizer.lr, or raise loss.temperature where the loss has one"
            )
        return loss

    def validation_step(self, batch: DevelopmentBatch, step: int) -> None:
        assert self.development is not None
        self.development.update(self.encoder(batch.tokens), batch.positions_B, batch.role)

    def on_validation_epoch_end(self) -> None:
        if self.development is None:
            return
        scores = self.development.compute()
        self.development.reset()
        self._log_scores({on_development_set(name): value for name, value in scores.items()})

    def _log_scores(self, scores: dict[str, float]) -> None:
        """Does what `self.log` does, which takes a millisecond a score."""
        exact = {name: torch.tensor(value, dtype=torch.float64) for name, value in scores.items()}
        self.trainer.callback_metrics.update(exact)
        if not self.trainer.sanity_checking:
            log_to_loggers(self.trainer, scores, step=self.global_step - 1)

    def _embed(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Queries and passages share one forward, in which each text is embedded once."""
        queries, passages = batch.queries, batch.passages
        both = Tokens(*map(torch.cat, zip(queries.tokens, passages.tokens, strict=True)))
        local_UD = embed(self.encoder, both, micro_batch_tokens=self._micro_batch_tokens)
        queries_RD = local_UD[queries.place_B]
        passages_SD = local_UD[len(queries.tokens.lengths_B) + passages.place_B]
        rank, ranks = self.trainer.global_rank, self.trainer.world_size
        return (
            gather_rows(queries_RD, count=len(batch.pair_B), rank=rank, ranks=ranks),
            gather_rows(passages_SD, count=batch.passage_count, rank=rank, ranks=ranks),
        )

    def _origin(self, batch: Batch) -> str:
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, HybridDataModule):
            return ""
        return f" in a batch of {data.batches.pairs.shown(batch.pair_B.cpu().numpy())}"
