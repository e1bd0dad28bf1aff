"""Contrastive entropy, the smooth measure that scaling laws are fitted on (arXiv 2403.18684)."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from lingmix.evaluation.pools import Chunk, Pool, Positions

NEGATIVES = 256
"""The negatives drawn for a query in each corpus that it is ranked against."""


class Negatives(NamedTuple):
    """Negatives for each of G pairs of a query and a corpus that it is ranked against.

    `row_G` is the query's row in the chunk, `column_GN` are the negatives as columns of the pool
    (-1 where all passages are relevant), `corpus_J` is the pair that a relevant passage belongs to.
    """

    row_G: Positions
    column_GN: Positions
    corpus_J: Positions

    @classmethod
    def of_languages(cls, chunk: Chunk, pool: Pool, draw_CN: NDArray[np.float64]) -> Self:
        """Draws from each language in which a query has a relevant passage."""
        column_J = chunk.column_J
        language_J = pool.language_of(column_J)
        new_J = (np.diff(chunk.row_J, prepend=-1) != 0) | (np.diff(language_J, prepend=-1) != 0)
        first_G, corpus_J = np.flatnonzero(new_J), new_J.cumsum() - 1
        slot_J = np.arange(len(column_J)) - first_G[corpus_J]
        relevant_GR = np.tile(pool.end_X[-1] + np.arange(slot_J.max() + 1), (len(first_G), 1))
        relevant_GR[corpus_J, slot_J] = column_J
        row_G, language_G = chunk.row_J[first_G], language_J[first_G]
        bounds = pool.begin_X[language_G, None], pool.end_X[language_G, None]
        return cls(row_G, negatives(draw_CN[row_G], relevant_GR, *bounds), corpus_J)

    @classmethod
    def of_pool(cls, chunk: Chunk, pool: Pool, draw_CN: NDArray[np.float64]) -> Self:
        """Draws from the whole pool."""
        C = len(chunk.queries)
        begin_C1, end_C1 = np.zeros((C, 1), dtype=np.int64), np.full((C, 1), pool.end_X[-1])
        column_CN = negatives(draw_CN, chunk.column_CR, begin_C1, end_C1)
        return cls(np.arange(C), column_CN, chunk.row_J)

    def entropies(
        self,
        score_GN: NDArray[np.float32],
        relevant_J: NDArray[np.float32],
        *,
        temperature: float,
    ) -> NDArray[np.float32]:
        """Returns -log softmax of each relevant passage against the negatives of its corpus; NaN
        where there are none."""
        logit_GN = score_GN / np.float32(temperature)
        most_G1 = logit_GN.max(1, keepdims=True)
        sum_G = most_G1[:, 0] + np.log(np.exp(logit_GN - most_G1).sum(1))
        ahead_J = sum_G[self.corpus_J] - relevant_J / np.float32(temperature)
        none_J = (self.column_GN[:, 0] < 0)[self.corpus_J]
        return np.where(none_J, np.float32(np.nan), np.logaddexp(np.float32(0), ahead_J))


def negatives(
    draw_BN: NDArray[np.float64], relevant_BR: Positions, begin_B1: Positions, end_B1: Positions
) -> Positions:
    """Turns draws in [0, 1) into columns from begin up to end that are not relevant, uniform with
    replacement; -1 where all are relevant.

    Irrelevant column number n is column n, plus one for each of the ascending relevant columns c_i
    (i from 0) with c_i - i <= n. Six columns, of which 1 and 4 are relevant (c_i - i is 1 and 3):

        number n    0  1  2  3
        passed      0  1  1  2
        column      0  2  3  5
    """
    low_B1 = begin_B1 - (relevant_BR < begin_B1).sum(1, keepdims=True)
    high_B1 = end_B1 - (relevant_BR < end_B1).sum(1, keepdims=True)
    number_BN = low_B1 + (draw_BN * (high_B1 - low_B1)).astype(np.int64)
    passed_BN = np.zeros(number_BN.shape, dtype=np.int32)
    for slot in range(relevant_BR.shape[1]):
        passed_BN += relevant_BR[:, slot : slot + 1] - slot <= number_BN
    return np.where(low_B1 < high_B1, number_BN + passed_BN, -1)
