"""What a training step receives."""

from copy import copy
from typing import NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lingmix.data.schedule import Pass
from lingmix.data.tokens import Texts, TokenStore
from lingmix.data.training_pairs import TrainingPairs
from lingmix.errors import InputError, require_int


class BatchSchedule(Protocol):
    """Which training pairs share a batch: what `sampler` names, built with `pairs`, `seed` and
    `steps`."""

    def rows(self, step: int) -> NDArray[np.int64]:
        """Positions in the training pairs of the batch of `step`, from 0.

        A function of the step alone: a resumed run asks from the middle on, every rank asks for
        itself, and a step may be asked for twice.
        """
        ...


@runtime_checkable
class OfPasses(Protocol):
    """A schedule whose batches are parts of passes, by which the noise scale of each language pair
    is estimated; without it that of the mixture is."""

    def drawn(self, step: int) -> Pass | None: ...


@runtime_checkable
class OfScores(Protocol):
    """A schedule that scores of the development set move: it is told those of each validation, on
    every rank and again where a run resumes, before it is asked for the batch of `step`. It returns
    its alpha from there on, which is logged."""

    def observe(self, step: int, *, monolingual: float, crosslingual: float) -> float: ...


class Batch(NamedTuple):
    """B queries and P passages: the passage of each query in its place, then given negatives.

    Texts are this rank's share: of the queries and of the passages, each by position, rank r of W
    has r, r + W, r + 2W and so on. All else is of the whole batch.
    """

    queries: Texts
    passages: Texts
    passage_count: int
    false_negatives_E2: torch.Tensor
    """A query and a passage other than its own that is known to answer it, by position (see
    `ContentGroups`)."""
    pair_B: torch.Tensor
    """Positions in the training pairs."""
    monolingual: bool
    """Whether all of its pairs are."""
    drawn: Pass | None
    """None where its kind of batch mixes language pairs, or its schedule knows no passes."""


class ScheduledBatches(Dataset[Batch]):
    """The batch of each step, the same on every rank but for the tokens."""

    rank, ranks = 0, 1

    def __init__(
        self,
        *,
        pairs: TrainingPairs,
        schedule: BatchSchedule,
        tokens: TokenStore,
        negatives: int,
        seed: int,
    ) -> None:
        require_int("data.negatives", negatives, at_least=0)
        self.pairs = pairs
        self.schedule = schedule
        self._tokens = tokens
        self._negatives = negatives
        self._seed = seed
        self._drawn = schedule.drawn if isinstance(schedule, OfPasses) else None
        self._monolingual_Y = np.array([pair.monolingual for pair in pairs.language_pairs])

    def of_rank(self, rank: int, *, ranks: int) -> Self:
        """The same batches with the tokens that `rank` embeds."""
        share = copy(self)
        share.rank, share.ranks = rank, ranks
        return share

    def refuse_starved(self, *, ranks: int, steps: int) -> None:
        """Raises InputError for a batch that has no pair for each rank."""
        for step in range(steps if ranks > 1 else 0):
            rows_B = self.schedule.rows(step)
            if len(rows_B) < ranks:
                raise InputError(
                    f"sampler: {ranks} devices need a pair each of every batch, and that of step "
                    f"{step} has {len(rows_B)} ({self.pairs.shown(rows_B)}); use fewer devices, or "
                    "a larger sampler.batch_size and sampler.min_size"
                )

    def __getitem__(self, step: int) -> Batch:
        rows_B = self.schedule.rows(step)
        negative_texts = self._given_negatives(rows_B, step)
        query_text_B = self.pairs.queries(rows_B)
        passage_text_P = np.concatenate([self.pairs.passages(rows_B), negative_texts])
        share = slice(self.rank, None, self.ranks)
        return Batch(
            queries=self._tokens.take_distinct(query_text_B[share]),
            passages=self._tokens.take_distinct(passage_text_P[share]),
            passage_count=len(passage_text_P),
            false_negatives_E2=torch.from_numpy(
                self.pairs.groups.false_negatives(query_text_B, passage_text_P)
            ),
            pair_B=torch.from_numpy(rows_B),
            monolingual=bool(self._monolingual_Y[self.pairs.language_pairs_of(rows_B)].all()),
            drawn=self._drawn(step) if self._drawn else None,
        )

    def _given_negatives(self, rows_B: NDArray[np.int64], step: int) -> NDArray[np.int32]:
        """Up to `negatives` of those each pair was given, drawn anew at each step."""
        chosen = [np.zeros(0, dtype=np.int32)]
        if self._negatives:
            random = np.random.Generator(
                np.random.Philox(key=np.array([self._seed, (1 << 62) | step], dtype=np.uint64))
            )
            chosen += [
                random.permutation(self.pairs.negatives(row).copy())[: self._negatives]
                for row in rows_B
            ]
        return np.concatenate(chosen)
