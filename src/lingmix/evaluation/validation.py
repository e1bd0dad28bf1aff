"""The evaluation within training, whose embeddings come in batches, also on several devices."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric

from lingmix.data.evaluation_set import EvaluationSet
from lingmix.data.tokens import Role
from lingmix.errors import InputError
from lingmix.evaluation.evaluator import score_vectors


class RetrievalScores(Metric):
    """Collects a set's embeddings by position, in any order and batches, also repeatedly; computes
    the metrics of `evaluate_encoder`.

    States are flat, [position, embedding] after [position, embedding], so that they can be gathered
    from a device without a query, or without a passage. Positions are exact up to 2**24.
    """

    full_state_update = False
    query: list[torch.Tensor] | torch.Tensor
    passage: list[torch.Tensor] | torch.Tensor
    width: torch.Tensor

    def __init__(
        self, evaluation_set: EvaluationSet, *, depth: int | None, temperature: float, seed: int
    ) -> None:
        super().__init__()
        self.evaluation_set = evaluation_set
        self.depth = depth
        self.temperature = temperature
        self.seed = seed
        self.add_state("query", [], dist_reduce_fx="cat")
        self.add_state("passage", [], dist_reduce_fx="cat")
        self.add_state("width", torch.tensor(0), dist_reduce_fx="max")

    def update(self, embeddings_BD: torch.Tensor, positions_B: torch.Tensor, role: Role) -> None:
        embeddings_BD = embeddings_BD.detach().float()
        rows = torch.cat([positions_B[:, None].to(embeddings_BD), embeddings_BD], dim=1)
        self.width.fill_(rows.shape[1])
        getattr(self, role).append(rows.flatten())

    def compute(self) -> dict[str, float]:
        return score_vectors(
            self.evaluation_set,
            self._embeddings("query", self.evaluation_set.query_ids),
            self._embeddings("passage", self.evaluation_set.passage_ids),
            depth=self.depth,
            temperature=self.temperature,
            seed=self.seed,
        ).metrics

    def _embeddings(self, role: Role, ids: Sequence[str]) -> NDArray[np.float32]:
        state = getattr(self, role)
        flat = state if isinstance(state, torch.Tensor) else torch.cat([torch.empty(0), *state])
        rows = flat.cpu().numpy().reshape(-1, max(1, int(self.width)))
        positions, first = np.unique(rows[:, 0].astype(np.int64), return_index=True)
        missing = np.setdiff1d(np.arange(len(ids)), positions)
        if len(missing):
            raise InputError(
                f"evaluation set {self.evaluation_set.name}: {len(missing)} of {len(ids)} {role} "
                f"embeddings are missing, the first that of {ids[missing[0]]!r}: validation must "
                "run over every batch (trainer.limit_val_batches=1.0)"
            )
        return rows[first, 1:]
