"""Result lists: the first passages of each query's ranking, in trec_eval's order."""

import numpy as np
import torch

from lingmix.evaluation.pools import LISTED, Matrix, Pool, Positions


class ResultLists:
    """Collects the first K passages of each query of a chunk (`column_CK`, columns of the pool)
    over all blocks of a pool."""

    def __init__(self, pool: Pool, *, queries: int) -> None:
        self._pool = pool
        self.column_CK = np.zeros((queries, 0), dtype=np.int64)
        self._score_CK = np.zeros((queries, 0), dtype=np.float32)

    def add(self, scores_CB: Matrix, columns: slice, best_CN: Matrix, index_CN: Positions) -> None:
        """Adds the next block: `best_CN` are its highest scores, more than `LISTED` where it has
        more, and `index_CN` their columns in the block, ties in any order."""
        index_CK = index_CN[:, :LISTED]
        if best_CN.shape[1] > LISTED:
            cut = np.flatnonzero(best_CN[:, LISTED - 1] == best_CN[:, LISTED])
            by_tie_B = np.argsort(self._pool.tie_P[columns])
            first_CK = best_columns(scores_CB[np.ix_(cut, by_tie_B)], LISTED)
            index_CK = index_CK.copy()
            index_CK[cut] = by_tie_B[first_CK]
        column_CK = np.hstack([self.column_CK, index_CK + columns.start])
        score_CK = np.hstack([self._score_CK, best_CN[:, :LISTED]])
        order_CK = np.lexsort((self._pool.tie_P[column_CK], -score_CK))[:, :LISTED]
        self.column_CK = np.take_along_axis(column_CK, order_CK, axis=1)
        self._score_CK = np.take_along_axis(score_CK, order_CK, axis=1)


def best_columns(scores_CP: Matrix, K: int) -> Positions:
    """Returns the K best columns of each row, best first; equal scores are ordered by column, also
    at the end of the list."""
    last_C1 = torch.from_numpy(scores_CP).topk(K, dim=1).values[:, -1:].numpy()
    above_CP, tied_CP = scores_CP > last_C1, scores_CP == last_C1
    free_C1 = K - above_CP.sum(1, keepdims=True)
    chosen_CP = above_CP | (tied_CP & (tied_CP.cumsum(1) <= free_C1))
    column_CK = np.nonzero(chosen_CP)[1].reshape(len(scores_CP), K)
    order_CK = np.argsort(-np.take_along_axis(scores_CP, column_CK, axis=1), axis=1, kind="stable")
    return np.take_along_axis(column_CK, order_CK, axis=1)
