"""The training batches and the development texts, as Lightning asks for them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler

from lingmix.data.batches import Batch, BatchSchedule, ScheduledBatches
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.tokens import Role, Tokenize, Tokens, TokenStore, keep_tokens, keep_tokens_of_rows
from lingmix.data.training_pairs import TrainingPairs


class DevelopmentBatch(NamedTuple):
    """Texts of the development set, by position in its queries or passages."""

    tokens: Tokens
    positions_B: torch.Tensor
    role: Role


class HybridDataModule(pl.LightningDataModule):
    """Holds the hybrid sampler: each step's batch is made from the token store.

    Batches and development texts are shared over the ranks here; Lightning must not do it again
    (`use_distributed_sampler=False`).
    """

    def __init__(
        self,
        *,
        pairs: TrainingPairs,
        schedule: BatchSchedule,
        negatives: int,
        seed: int,
        tokenize: Tokenize,
        tokenizer: str,
        cache: Path,
        max_steps: int,
        development: EvaluationSet | None,
    ) -> None:
        super().__init__()
        languages = sorted({language for pair in pairs.language_pairs for language in pair})
        self.batches = ScheduledBatches(
            pairs=pairs,
            schedule=schedule,
            tokens=keep_tokens_of_rows(
                pairs.columns,
                languages=languages,
                tokenize=tokenize,
                tokenizer=tokenizer,
                folder=cache,
            ),
            negatives=negatives,
            seed=seed,
        )
        self._max_steps = max_steps
        self._development: list[tuple[TokenStore, Role]] = []
        if development is not None:
            keep = partial(keep_tokens, tokenize=tokenize, tokenizer=tokenizer, folder=cache)
            self._development = [
                (keep(development.queries, "query"), "query"),
                (keep(development.passages, "passage"), "passage"),
            ]

    def refuse_starved(self, *, ranks: int, accumulated: int) -> None:
        """Where `accumulated` batches make a step, each rank must have a pair of each batch."""
        self.batches.refuse_starved(ranks=ranks, steps=self._max_steps * accumulated)

    def train_dataloader(self) -> DataLoader[Batch]:
        rank, ranks = self._place
        steps = _RemainingSteps(self, self._max_steps)
        return DataLoader(self.batches.of_rank(rank, ranks=ranks), batch_size=None, sampler=steps)

    def val_dataloader(self) -> DataLoader[DevelopmentBatch]:
        rank, ranks = self._place
        parts = [
            part
            for tokens, role in self._development
            for part in _in_parts(tokens, role, _share(len(tokens), rank=rank, ranks=ranks))
        ]
        return DataLoader(parts, batch_size=None)  # type: ignore[arg-type]

    @property
    def _place(self) -> tuple[int, int]:
        """This process's rank, and how many there are."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


class _RemainingSteps(Sampler[int]):
    """From the step the trainer is at: a resumed run goes on where it stopped.

    An optimizer step that accumulates k batches takes k steps of the schedule.
    """

    def __init__(self, datamodule: HybridDataModule, max_steps: int) -> None:
        self._datamodule = datamodule
        self._max_steps = max_steps

    def __iter__(self) -> Iterator[int]:
        trainer = self._datamodule.trainer
        done = trainer.global_step * self._accumulated if trainer else 0
        return iter(range(done, len(self)))

    def __len__(self) -> int:
        return self._max_steps * self._accumulated

    @property
    def _accumulated(self) -> int:
        trainer = self._datamodule.trainer
        return trainer.accumulate_grad_batches if trainer else 1


def _share(count: int, *, rank: int, ranks: int) -> NDArray[np.int64]:
    """As many on each rank, some texts twice: all must take part in as many forwards."""
    return np.arange(rank, count - count % -ranks, ranks) % count


def _in_parts(
    tokens: TokenStore, role: Role, positions_N: NDArray[np.int64], size: int = 1024
) -> Iterator[DevelopmentBatch]:
    for begin in range(0, len(positions_N), size):
        positions_B = positions_N[begin : begin + size]
        yield DevelopmentBatch(tokens.take(positions_B), torch.from_numpy(positions_B), role)
