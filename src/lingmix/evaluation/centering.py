"""Centering: the baseline without training that takes its language out of a passage vector."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from lingmix.evaluation.pools import WHOLE, Matrix
from lingmix.search.vectors import Embeddings

Center = Literal["language"]


class CenteredVectors:
    """Passage vectors, each less the mean of its language's and of unit length again, as in arXiv
    2606.18801; one that is its language's mean is zero. Queries stay as they are.

    Vectors are centered when they are asked for, so that those on disk stay there.
    """

    def __init__(self, passages_PD: Embeddings, languages: Sequence[str]) -> None:
        self.shape = passages_PD.shape
        self._passages_PD = passages_PD
        names, self._language_P = np.unique(np.asarray(languages), return_inverse=True)
        sum_XD = np.zeros((len(names), self.shape[1]))
        for begin in range(0, len(self), WHOLE):
            slab_SD, language_S = passages_PD[begin : begin + WHOLE], self._language_P[begin:]
            for language in range(len(names)):
                of_language = language_S[: len(slab_SD)] == language
                sum_XD[language] += slab_SD[of_language].sum(0, dtype=np.float64)
        mean_XD = sum_XD / np.bincount(self._language_P)[:, None]
        self._mean_XD = mean_XD.astype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, passages: Any) -> Matrix:
        centered_SD = self._passages_PD[passages] - self._mean_XD[self._language_P[passages]]
        length_S1 = np.linalg.norm(centered_SD, axis=1, keepdims=True)
        return np.divide(
            centered_SD, length_S1, out=np.zeros_like(centered_SD), where=length_S1 > 0
        )
