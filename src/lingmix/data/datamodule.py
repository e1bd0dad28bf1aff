"""The training batches and the development texts, as Lightning asks for them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Sampler

from lingmix.data.batches import Batch, ScheduledBatches
from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.schedule import HybridSchedule
from lingmix.data.tokens import Role, Tokenize, Tokens, TokenStore, keep_tokens
from lingmix.data.training_pairs import TrainingPairs


class DevelopmentBatch(NamedTuple):
    """Texts of the development set, by position in its queries or passages."""

    tokens: Tokens
    positions_B: torch.Tensor
    role: Role


class HybridDataModule(pl.LightningDataModule):
    """Holds the hybrid sampler: each step's batch is made from the token stores."""

    def __init__(
        self,
        *,
        pairs: TrainingPairs,
        schedule: HybridSchedule,
        negatives: int,
        seed: int,
        tokenize: Tokenize,
        tokenizer: str,
        cache: Path,
        max_steps: int,
        development: EvaluationSet | None,
    ) -> None:
        super().__init__()

        def stored(texts: Sequence[str], role: Role) -> TokenStore:
            return keep_tokens(texts, role, tokenize=tokenize, tokenizer=tokenizer, folder=cache)

        self.batches = ScheduledBatches(
            pairs=pairs,
            schedule=schedule,
            query_tokens=stored(pairs.queries, "query"),
            passage_tokens=stored(pairs.passages, "passage"),
            negatives=negatives,
            seed=seed,
        )
        self._max_steps = max_steps
        self._development = (
            []
            if development is None
            else [
                *_in_parts(stored(development.queries, "query"), "query"),
                *_in_parts(stored(development.passages, "passage"), "passage"),
            ]
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        steps = _RemainingSteps(self, self._max_steps)
        return DataLoader(self.batches, batch_size=None, sampler=steps)

    def val_dataloader(self) -> DataLoader[DevelopmentBatch]:
        return DataLoader(self._development, batch_size=None)  # type: ignore[arg-type]


class _RemainingSteps(Sampler[int]):
    """From the step the trainer is at: a resumed run goes on where it stopped."""

    def __init__(self, datamodule: HybridDataModule, max_steps: int) -> None:
        self._datamodule = datamodule
        self._max_steps = max_steps

    def __iter__(self) -> Iterator[int]:
        trainer = self._datamodule.trainer
        return iter(range(trainer.global_step if trainer else 0, self._max_steps))

    def __len__(self) -> int:
        return self._max_steps


def _in_parts(tokens: TokenStore, role: Role, size: int = 1024) -> Iterator[DevelopmentBatch]:
    for positions_B in np.split(np.arange(len(tokens)), range(size, len(tokens), size)):
        yield DevelopmentBatch(tokens.take(positions_B), torch.from_numpy(positions_B), role)
